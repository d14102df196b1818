"""``Wechatpay(on_drift=…)`` reports responses that differ from their specs."""

from __future__ import annotations

from pathlib import Path

import pytest

from wxpay_dsl import ConfigurationError, Drift, Wechatpay
from wxpay_dsl.sandbox import Sandbox

#: What the service says, and what the client believes that it says.
SERVED = """
title: Shops
path: /v3/my
operations:
  /shops:
    get:
      returns:
        name: {example: Zhang}
        size: {type: integer, example: 7}
        state: {enum: [CLOSED]}
        owner: {properties: {phone: {example: '13800000000'}}}
"""
BELIEVED = """
title: Shops
path: /v3/my
operations:
  /shops:
    get:
      returns:
        size: {type: string}
        state: {enum: [OPEN]}
        owner: {properties: {id: ID}}
"""
DIFFERENCES = {
    ("returns.name", "unknown", "", "string"),
    ("returns.size", "type", "string", "integer"),
    ("returns.state", "enum", "", ""),
    ("returns.owner.phone", "unknown", "", "string"),
    ("returns.owner.id", "missing", "", ""),
}


def folder(path: Path, text: str) -> Path:
    (path / "v3").mkdir(parents=True)
    (path / "v3" / "my.yaml").write_text(text, "utf-8")
    return path


async def test_the_client_tells_of_answers_that_differ(tmp_path: Path) -> None:
    served, believed = folder(tmp_path / "served", SERVED), folder(tmp_path / "believed", BELIEVED)
    told: list[Drift] = []
    async with (
        Sandbox(specs=[served]) as sandbox,
        Wechatpay(**sandbox.credentials, specs=[believed], on_drift=told.append) as wxpay,
    ):
        for _ in range(2):
            await wxpay["v3"].my.shops.get()
    assert {drift.operation for drift in told} == {"GET /v3/my/shops"}
    assert sorted((drift.path, drift.kind, drift.expected, drift.found) for drift in told) == sorted(DIFFERENCES)


async def test_a_callback_that_fails_does_not_reach_the_call(tmp_path: Path) -> None:
    def fails(drift: Drift) -> None:
        raise RuntimeError("disk full")

    served, believed = folder(tmp_path / "served", SERVED), folder(tmp_path / "believed", BELIEVED)
    async with (
        Sandbox(specs=[served]) as sandbox,
        Wechatpay(**sandbox.credentials, specs=[believed], on_drift=fails) as wxpay,
    ):
        response = await wxpay["v3"].my.shops.get()
    assert response.data["size"] == 7


@pytest.mark.parametrize("wrong", [7, "/nowhere/at/all/drift.jsonl"])
async def test_what_is_no_place_for_differences(wrong: object) -> None:
    async with Sandbox() as sandbox:
        with pytest.raises(ConfigurationError, match="`on_drift`"):
            Wechatpay(**sandbox.credentials, on_drift=wrong)  # type: ignore[arg-type]
