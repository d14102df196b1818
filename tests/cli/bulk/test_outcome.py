"""Only a response that is about a row and names a final state settles the row."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from wxpay_dsl.cli.bulk.outcome import failure_of, numbers_of, query_outcome, query_problem
from wxpay_dsl.client import tree
from wxpay_dsl.core.specs.model import Operation, Schema

CASES = yaml.safe_load((Path(__file__).parents[2] / "cases" / "bulk_outcome.yaml").read_text("utf-8"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["about"])
def test_a_query_settles_a_row_by_its_number_and_state_alone(case: dict[str, Any]) -> None:
    own = Schema(type="object", properties={name: Schema() for name in case.get("own", ())})
    outcome = query_outcome(case["data"], case["numbers"], own)
    assert outcome.state == case["state"]
    assert case.get("says", "") in outcome.message
    assert (outcome.message == "") == (outcome.state == "succeeded")


def test_the_numbers_of_a_row_are_the_merchants_own() -> None:
    sent = {"out_trade_no": "1", "transaction_id": "4", "out_sub_mchid": "2", "openid": "o", "amount": {"out_no": "3"}}
    assert numbers_of({**sent, "details": [{"out_detail_no": "5"}]}) == {"out_trade_no": "1", "out_no": "3"}
    assert numbers_of({"partner_trade_no": 6, "mch_billno": "7"}) == {"partner_trade_no": "6", "mch_billno": "7"}
    assert numbers_of([{"out_trade_no": "1"}]) == {}


def operation(name: str) -> Operation:
    return next(each for each in tree().operations() if each.name == name)


@pytest.mark.parametrize(
    ("called", "asked", "numbers", "problem"),
    [
        ("POST /secapi/pay/refund", "POST /pay/refundquery", ["out_trade_no", "out_refund_no"], ""),
        ("POST /secapi/pay/refund", "POST /pay/orderquery", ["out_trade_no", "out_refund_no"], "not say out_refund_no"),
        ("POST /secapi/pay/refund", "POST /pay/refundquery", [], "no number of yours"),
        ("POST /secapi/pay/reverse", "POST /pay/orderquery", ["out_trade_no"], "undoes something"),
        (
            "POST /v3/pay/transactions/out-trade-no/{out_trade_no}/close",
            "GET /v3/pay/transactions/out-trade-no/{out_trade_no}",
            ["out_trade_no"],
            "undoes something",
        ),
        ("POST /pay/micropay", "POST /tools/shorturl", [], "no number of yours"),
        (
            "POST /v3/fund-app/mch-transfer/transfer-bills",
            "GET /v3/fund-app/mch-transfer/transfer-bills/out-bill-no/{out_bill_no}",
            ["out_bill_no"],
            "",
        ),
        (
            "POST /v3/refund/domestic/refunds",
            "GET /v3/pay/transactions/out-trade-no/{out_trade_no}",
            ["out_refund_no"],
            "not say out_refund_no",
        ),
    ],
)
def test_a_query_that_cannot_tell_is_known_from_the_specs(
    called: str, asked: str, numbers: list[str], problem: str
) -> None:
    found = query_problem(operation(called), operation(asked), dict.fromkeys(numbers, "1"))
    assert problem in found
    assert bool(problem) == bool(found)


@pytest.mark.parametrize(
    ("data", "failure"),
    [
        ({"out_bill_no": "1", "state": "FAIL"}, "state FAIL"),
        ({"status": "SUCCESS", "detail_status": "FAILED"}, "detail_status FAILED"),
        ({"state": "CANCELLED"}, ""),  # of a call that cancels
        ({"state": "CLOSED", "message": "FAIL", "status": 1}, ""),
        (None, ""),
        (b"FAIL", ""),
    ],
)
def test_a_successful_answer_may_say_that_it_failed(data: Any, failure: str) -> None:
    assert failure_of(data) == failure
