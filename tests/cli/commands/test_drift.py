"""``wxpay drift``: the report of what a client recorded."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.shell import Wxpay
from tests.test_drift import BELIEVED, DIFFERENCES, SERVED, folder
from wxpay_dsl import Wechatpay
from wxpay_dsl.sandbox import Sandbox


async def test_recorded_differences_make_a_report_without_values(wxpay: Wxpay, tmp_path: Path) -> None:
    served, believed = folder(tmp_path / "served", SERVED), folder(tmp_path / "believed", BELIEVED)
    log = tmp_path / "drift.jsonl"
    async with Sandbox(specs=[served]) as sandbox:
        for _ in range(2):  # two processes
            async with Wechatpay(**sandbox.credentials, specs=[believed], on_drift=log) as client:
                await client["v3"].my.shops.get()
    with log.open("a", encoding="utf-8") as file:
        file.write('not JSON\n{"operation": "GET /v3/x", "path": "returns.13800000000", "kind": "unknown"}\n')
        file.write('{"operation": "GET /v3/x", "path": "returns.a", "kind": "enum", "found": "Zhang San"}\n')
    shown = wxpay("drift", str(log))
    assert shown.code == 0
    assert "GET /v3/my/shops" in shown.out
    assert "returns.size  another type: integer for string" in shown.out
    assert "3 lines are not records" in shown.err
    report = json.loads(wxpay("drift", str(log), "--json").out)
    assert report["skipped"] == 3
    assert {
        (line["path"], line["kind"], line["expected"], line["found"]) for line in report["differences"]
    } == DIFFERENCES
    assert {line["count"] for line in report["differences"]} == {2}
    for secret in ("Zhang", "13800000000", "CLOSED"):
        assert secret not in json.dumps(report)


def test_stdin_is_a_log_too(wxpay: Wxpay) -> None:
    line = '{"operation": "REFUND.SUCCESS", "path": "resource.a[].b", "kind": "unknown", "found": "object"}\n'
    ran = wxpay("drift", "-", stdin=line * 3)
    assert ran.code == 0
    assert "REFUND.SUCCESS" in ran.out
    assert "resource.a[].b  a field that the spec does not declare: object" in ran.out


def test_nothing_recorded(wxpay: Wxpay) -> None:
    ran = wxpay("drift", "-", "--json")
    assert (ran.code, json.loads(ran.out)) == (0, {"differences": [], "skipped": 0})
