"""Notifications that differ from their specs are told of, where that is switched on."""

from __future__ import annotations

from pathlib import Path

from tests.notify.conftest import PAYMENT, Sender
from wxpay_dsl import Drift, Notifications

SPEC = """
events:
  TRANSACTION.SUCCESS:
    summary: 支付成功
    resource: {mchid: {type: integer}, brand_new: New, trade_state: {enum: [PAID]}}
"""


async def test_what_differs(sender: Sender, tmp_path: Path) -> None:
    (tmp_path / "payments.yaml").write_text(SPEC, "utf-8")
    told: list[Drift] = []
    notifications = Notifications(sender.recipient, store="memory", specs=[tmp_path], on_drift=told.append)

    @notifications.on("TRANSACTION.SUCCESS")
    async def paid(notification: object) -> None:
        pass

    for _ in range(2):
        wire = sender.event("TRANSACTION.SUCCESS")
        assert (await notifications.handle(wire.headers, wire.body)).status in (200, 204)
    await notifications.close()
    assert {drift.operation for drift in told} == {"TRANSACTION.SUCCESS"}
    by_path = {drift.path: drift.kind for drift in told}
    assert by_path["resource.mchid"] == "type"
    assert by_path["resource.brand_new"] == "missing"
    assert by_path["resource.trade_state"] == "enum"
    assert by_path["resource.transaction_id"] == "unknown"
    assert len(told) == len(set(told)) == len(PAYMENT) + 1
