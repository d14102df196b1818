"""``outcome_unknown`` is true for every error after which the request may have been carried out, and for no other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.leap import leap
from tests.patience import until
from tests.ports import free_port
from wxpay_dsl import ConnectionFailedError, SdkError, ServiceError, TransportError, Wechatpay
from wxpay_dsl.sandbox import Sandbox

REFUND = {"out_refund_no": "R1", "out_trade_no": "T1", "amount": {"refund": 100, "total": 100, "currency": "CNY"}}
TRANSFER = {
    "appid": "wx8888888888888888",
    "out_bill_no": "B1",
    "openid": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o",
    "transfer_amount": 30,
    "transfer_remark": "报销",
    "transfer_scene_id": "1000",
    "transfer_scene_report_infos": [{"info_type": "活动名称", "info_content": "新会员有礼"}],
}


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(free_port()) as sandbox:
        await sandbox.client.v3.pay.transactions.native.post(
            appid="wx8888888888888888",
            mchid=sandbox.merchant.mchid,
            description="公仔",
            out_trade_no="T1",
            notify_url="https://www.example.com/notify",
            amount={"total": 100},
        )
        sandbox.control.pay("T1")
        yield sandbox


@pytest.fixture
async def wxpay(sandbox: Sandbox) -> AsyncIterator[Wechatpay]:
    async with Wechatpay(**sandbox.credentials, retries=1) as wxpay:
        yield wxpay


def refund(wxpay: Wechatpay) -> Any:
    return wxpay.v3.refund.domestic.refunds.post(REFUND)


def transfer(wxpay: Wechatpay) -> Any:
    return wxpay.v3.fundApp.mchTransfer.transferBills.post(TRANSFER)


def refund_v2(wxpay: Wechatpay) -> Any:
    mine = {"appid": "wx8888888888888888", "out_refund_no": "R1", "out_trade_no": "T1"}
    return wxpay.v2.secapi.pay.refund.post(**mine, total_fee=100, refund_fee=100)


async def failure(call: Any) -> SdkError:
    with pytest.raises((TransportError, ServiceError)) as caught:
        await call
    return caught.value


#: Each is repeatable, since its number makes it one; and each moves money.
MOVES = [pytest.param(refund, id="refund"), pytest.param(transfer, id="transfer"), pytest.param(refund_v2, id="v2")]


@pytest.mark.parametrize("move", MOVES)
@pytest.mark.parametrize(
    "kind", ["response-lost", "drop-after", "truncated", "bad-gateway", "system-error", "drop-before"]
)
async def test_a_lost_answer_to_what_moves_money(kind: str, move: Any, sandbox: Sandbox, wxpay: Wechatpay) -> None:
    """Only the service knows whether it was carried out, even if the request may be repeated."""
    sandbox.control.faults.add(kind)
    error = await failure(move(wxpay))
    assert error.outcome_unknown, error
    assert "outcome is unknown" in str(error)


@pytest.mark.parametrize("move", MOVES)
async def test_a_late_answer(move: Any, sandbox: Sandbox) -> None:
    sandbox.control.faults.add("delay", value=1000)
    async with Wechatpay(**sandbox.credentials, timeout=60, retries=0) as wxpay:
        pending = asyncio.ensure_future(failure(move(wxpay)))
        await until(lambda: sandbox.control.list("refunds") + sandbox.control.list("transfers"))
        leap(60)
        error = await pending
    assert error.outcome_unknown, error


@pytest.mark.parametrize("kind", ["bad-signature", "no-signature", "stale-timestamp", "unknown-serial"])
async def test_an_answer_that_cannot_be_believed(kind: str, sandbox: Sandbox, wxpay: Wechatpay) -> None:
    sandbox.control.faults.add(kind)
    with pytest.raises(SdkError) as caught:
        await refund(wxpay)
    assert getattr(caught.value, "outcome_unknown", None) is True
    assert len(sandbox.control.list("refunds")) == 1


async def test_a_refusal_says_nothing_of_the_attempt_before_it(
    sandbox: Sandbox, wxpay: Wechatpay, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A pause that is long enough for the next steps.
    monkeypatch.setattr("wxpay_dsl.core.http.retry.wait_random_exponential", lambda *_: lambda state: 5.0)
    sandbox.control.faults.add("drop-after", times=1)
    pending = asyncio.ensure_future(failure(refund(wxpay)))
    await until(lambda: sandbox.control.list("refunds"))
    sandbox.control.faults.add("rate-limit", value=60)
    leap(5.0)
    error = await pending
    assert isinstance(error, ServiceError)
    assert (error.status, error.outcome_unknown) == (429, True)
    assert len(sandbox.control.list("refunds")) == 1


async def test_nor_does_a_service_that_is_gone_when_it_is_tried_again(sandbox: Sandbox) -> None:
    """The first attempt was received, the second not sent: the outcome of the call is unknown."""
    seen: list[bytes] = []

    async def serve_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server.close()
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        writer.transport.abort()

    port = free_port()
    server = await asyncio.start_server(serve_once, "127.0.0.1", port)
    url = f"http://127.0.0.1:{port}"
    async with Wechatpay(**{**sandbox.credentials, "base_url": url}, retries=1) as wxpay:
        error = await failure(refund(wxpay))
    assert len(seen) == 1
    assert isinstance(error, ConnectionFailedError)
    assert (error.sent, error.outcome_unknown) == (True, True)


@pytest.mark.parametrize("move", MOVES)
async def test_what_was_never_sent_or_was_refused_was_not_done(move: Any, sandbox: Sandbox, wxpay: Wechatpay) -> None:
    sandbox.control.faults.add("rate-limit", value=60)
    # A transfer to a user is final only when a query says so: its spec has `outcome: query`.
    assert (await failure(move(wxpay))).outcome_unknown == (move is transfer)
    gone = {**sandbox.credentials, "retries": 1}
    await sandbox.stop()
    # A client without a pooled connection: on one that the service closes, the outcome would be unknown.
    async with Wechatpay(**gone) as another:
        error = await failure(move(another))
    assert isinstance(error, ConnectionFailedError)
    assert (error.sent, error.outcome_unknown) == (False, False)


@pytest.mark.parametrize("dialect", ["v3", "v2"])
async def test_a_question_does_nothing_whatever_becomes_of_it(dialect: str, sandbox: Sandbox, wxpay: Wechatpay) -> None:
    sandbox.control.faults.add("drop-after")
    if dialect == "v3":
        error = await failure(wxpay.v3.refund.domestic.refunds["{out_refund_no}"].get(out_refund_no="R1"))
    else:
        error = await failure(wxpay.v2.pay.orderquery.post(appid="wx8888888888888888", out_trade_no="T1"))
    assert not error.outcome_unknown
