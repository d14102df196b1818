"""A direct merchant and a partner do the same: each product's call either way is valid, and answered."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from wxpay_dsl import Wechatpay
from wxpay_dsl.core.request.mismatch import SHAPES
from wxpay_dsl.core.request.validate import check
from wxpay_dsl.sandbox import Sandbox

CASES: list[dict[str, Any]] = yaml.safe_load((Path(__file__).parents[1] / "cases/two_roles.yaml").read_text("utf-8"))


def names_sub_merchant(value: Any) -> bool:
    if isinstance(value, Mapping):
        return not {"sub_mchid", "sub_mch_id"}.isdisjoint(value) or any(map(names_sub_merchant, value.values()))
    return isinstance(value, list) and any(map(names_sub_merchant, value))


def test_a_partner_names_its_sub_merchant_and_a_merchant_does_not() -> None:
    assert len({case["product"] for case in CASES}) >= 20
    for case in CASES:
        assert not names_sub_merchant(case["merchant"]["fields"]), case["product"]
        assert names_sub_merchant(case["partner"]["fields"]), case["product"]


@pytest.mark.parametrize("role", ["merchant", "partner"])
@pytest.mark.parametrize("case", CASES, ids=[case["product"] for case in CASES])
async def test_either_role_calls_and_is_answered(case: dict[str, Any], role: str) -> None:
    async with Sandbox(stateful=False) as sandbox, Wechatpay(**sandbox.credentials) as wxpay:
        node: Any = wxpay
        for segment in case[role]["call"].split("."):
            node = getattr(node, segment)
        response = await node(**case[role]["fields"], validate="strict")
        operation = response.exchange.request.operation
        assert operation is not None
        assert response.status == operation.status
        if operation.returns is not None and operation.dialect == "v3":
            found = check(operation.returns, response.data, "returns")
            assert [mismatch for mismatch in found if mismatch.kind in SHAPES] == []
