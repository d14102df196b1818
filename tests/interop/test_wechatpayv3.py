"""wechatpayv3, from PyPI, against the sandbox: sync and async, certificate mode and public-key mode.

It has the service's address built in; ``reach`` is where it is told another one.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import inspect
import json
from collections.abc import AsyncIterator, Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from tests.noon import to_noon
from wxpay_dsl.sandbox import Sandbox

from .test_javascript import PNG, Inbox

wechatpayv3 = import_module("wechatpayv3")
asynchronous = import_module("wechatpayv3.async_")

# It compares certificates by properties that cryptography has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")

OPENID = "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"


def settings(sandbox: Sandbox, folder: Path, *, public_key: bool) -> dict[str, Any]:
    """As its README writes them, from the files of the sandbox's home."""
    home = folder / "home"
    told = {
        "wechatpay_type": wechatpayv3.WeChatPayType.NATIVE,
        "mchid": sandbox.merchant.mchid,
        "private_key": (home / "apiclient_key.pem").read_text("ascii"),
        "cert_serial_no": sandbox.merchant.serial,
        "apiv3_key": sandbox.merchant.apiv3_key,
        "appid": "wxd678efh567hg6787",
        "notify_url": "https://www.example.com/notify",
        "timeout": (10, 30),
    }
    if public_key:
        told["public_key"] = (home / "pub_key.pem").read_text("ascii")
        told["public_key_id"] = sandbox.platform.public_key.id
    else:
        told["cert_dir"] = str(folder / "cert")
    return told


@pytest.fixture
def reach(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its one address is an attribute that its constructor sets before the first call, which is in there too."""
    core = import_module("wechatpayv3.core")
    core_async = import_module("wechatpayv3.async_.core")
    for kind in (core.Core, core_async.AsyncCore):
        fixed = property(lambda self: sandbox.url, lambda self, value: None)
        monkeypatch.setattr(kind, "_gate_way", fixed, raising=False)


Call = Callable[..., Any]


@pytest.fixture(params=["sync", "async"])
async def wxpay(request: pytest.FixtureRequest, sandbox: Sandbox, reach: None, tmp_path: Path) -> AsyncIterator[Call]:
    """Calls a method of the sync or the async client; returns status and response."""
    told = settings(sandbox, tmp_path, public_key=sandbox.platform.mode == "public-key")
    if request.param == "async":
        # Its two halves have an enumeration each, and know only their own.
        told["wechatpay_type"] = asynchronous.WeChatPayType.NATIVE
        async with asynchronous.AsyncWeChatPay(**told) as client:

            async def call(name: str, /, *given: Any, **fields: Any) -> Any:
                answer = getattr(client, name)(*given, **fields)
                # `callback` is no coroutine, and `image_upload` gives one within another.
                while inspect.isawaitable(answer):
                    answer = await answer
                return _read(answer)

            yield call
        return
    client = await asyncio.to_thread(wechatpayv3.WeChatPay, **told)

    async def call_in_thread(name: str, /, *given: Any, **fields: Any) -> Any:
        return _read(await asyncio.to_thread(getattr(client, name), *given, **fields))

    yield call_in_thread


def _read(answer: Any) -> Any:
    if not isinstance(answer, tuple):
        return answer
    status, message = answer
    if isinstance(message, str):
        return status, json.loads(message) if message else None
    return status, message


async def test_pay_query_refund_and_close(wxpay: Call, sandbox: Sandbox) -> None:
    status, placed = await wxpay("pay", description="demo", out_trade_no="aB3dE6gH", amount={"total": 100})
    assert status == 200
    assert placed["code_url"].startswith("weixin://")
    assert (await wxpay("query", out_trade_no="aB3dE6gH"))[1]["trade_state"] == "NOTPAY"
    sandbox.control.pay(placed["code_url"])
    status, paid = await wxpay("query", out_trade_no="aB3dE6gH")
    assert (status, paid["trade_state"], paid["amount"]["payer_total"]) == (200, "SUCCESS", 100)
    status, refused = await wxpay("close", "aB3dE6gH")
    assert (status, refused["code"]) == (400, "ORDERPAID")
    amount = {"refund": 60, "total": 100, "currency": "CNY"}
    status, refund = await wxpay("refund", out_refund_no="R1", transaction_id=paid["transaction_id"], amount=amount)
    assert (status, refund["status"]) == (200, "PROCESSING")
    assert (await wxpay("query_refund", "R1"))[1]["status"] == "SUCCESS"
    status, refused = await wxpay("refund", out_refund_no="R2", out_trade_no="aB3dE6gH", amount=amount)
    assert (status, refused["code"]) == (400, "INVALID_REQUEST")


async def test_an_open_order_is_closed(wxpay: Call) -> None:
    await wxpay("pay", description="demo", out_trade_no="closing1", amount={"total": 1})
    assert (await wxpay("close", "closing1"))[0] == 204
    status, refused = await wxpay("pay", description="demo", out_trade_no="closing1", amount={"total": 1})
    assert (status, refused["code"]) == (400, "ORDER_CLOSED")


async def test_a_callback_is_verified_and_decrypted(wxpay: Call, sandbox: Sandbox, request: Any) -> None:
    async with Inbox() as inbox:
        await wxpay("pay", description="demo", out_trade_no="callback", amount={"total": 5}, notify_url=inbox.url)
        sandbox.control.pay("callback")
        headers, body = await inbox.next()
    told = await wxpay("callback", headers=headers, body=body)
    assert told["event_type"] == "TRANSACTION.SUCCESS"
    assert (told["resource"]["out_trade_no"], told["resource"]["amount"]["total"]) == ("callback", 5)


async def test_a_sensitive_field_is_encrypted_for_the_platform(wxpay: Call, sandbox: Sandbox) -> None:
    status, begun = await wxpay(
        "mch_transfer_bills",
        out_bill_no="plfk2020042013",
        transfer_scene_id="1000",
        openid=OPENID,
        transfer_amount=400000,
        transfer_remark="2020年4月报销",
        user_name="张三",
        transfer_scene_report_infos=[{"info_type": "活动名称", "info_content": "新会员有礼"}],
        notify_url="https://www.example.com/notify",
    )
    assert (status, begun["state"]) == (200, "WAIT_USER_CONFIRM")
    assert sandbox.control.list("transfers")[0]["user_name"] == "张三"
    sandbox.control.confirm(begun["package_info"])
    status, found = await wxpay("mch_transfer_bills_query", out_bill_no="plfk2020042013")
    assert (status, found["state"], found["transfer_amount"]) == (200, "SUCCESS", 400000)


async def test_a_batch_of_transfers(wxpay: Call, sandbox: Sandbox) -> None:
    details = [
        {
            "out_detail_no": f"x{number}zy",
            "transfer_amount": 5000 + number,
            "transfer_remark": "报销",
            "openid": OPENID,
            "user_name": "李四",
        }
        for number in range(3)
    ]
    status, accepted = await wxpay(
        "transfer_batch",
        out_batch_no="batch1",
        batch_name="报销",
        batch_remark="报销",
        total_amount=15003,
        total_num=3,
        transfer_detail_list=details,
        transfer_scene_id="1001",
    )
    assert (status, accepted["batch_status"]) == (200, "ACCEPTED")
    status, found = await wxpay("transfer_query_out_batch_no", "batch1", need_query_detail=True)
    assert found["transfer_batch"]["batch_status"] == "FINISHED"
    assert found["transfer_batch"]["success_amount"] == 15003
    assert [one["out_detail_no"] for one in found["transfer_detail_list"]] == ["x0zy", "x1zy", "x2zy"]
    assert {detail["user_name"] for detail in sandbox.control.list("batches")[0]["details"]} == {"李四"}


async def test_profit_sharing(wxpay: Call, sandbox: Sandbox) -> None:
    await wxpay(
        "pay",
        description="demo",
        out_trade_no="shared",
        amount={"total": 1000},
        settle_info={"profit_sharing": True},
    )
    paid = sandbox.control.pay("shared")
    account = {"account_type": "MERCHANT_ID", "account": "1900000110"}
    status, _ = await wxpay("profitsharing_add_receiver", **account, relation_type="STORE", name="门店")
    assert status == 200
    receiver = {"type": "MERCHANT_ID", "account": "1900000110", "amount": 300, "description": "分给门店"}
    status, shared = await wxpay(
        "profitsharing_order",
        transaction_id=paid["transaction_id"],
        out_order_no="S1",
        receivers=[receiver],
        unfreeze_unsplit=False,
    )
    assert (status, shared["state"]) == (200, "PROCESSING")
    status, found = await wxpay("profitsharing_order_query", paid["transaction_id"], "S1")
    assert (found["state"], found["receivers"][0]["result"]) == ("FINISHED", "SUCCESS")
    status, left = await wxpay("profitsharing_amount_query", paid["transaction_id"])
    assert left["unsplit_amount"] == 700


async def test_an_image_is_uploaded(wxpay: Call, tmp_path: Path) -> None:
    """It announces no boundary; the service takes what the body begins with, and so does the sandbox."""
    (tmp_path / "image.png").write_bytes(PNG)
    status, uploaded = await wxpay("image_upload", str(tmp_path / "image.png"))
    assert status == 200
    assert uploaded["media_id"]


async def test_a_bill_is_downloaded(wxpay: Call, sandbox: Sandbox) -> None:
    day = to_noon(sandbox).isoformat()
    await wxpay("pay", description="demo", out_trade_no="billed", amount={"total": 250})
    sandbox.control.pay("billed")
    assert (await wxpay("trade_bill", day))[1]["code"] == "NO_STATEMENT_EXIST"
    sandbox.control.advance_clock(86400)
    _, asked = await wxpay("trade_bill", day)
    status, zipped = await wxpay("download_bill", asked["download_url"])
    text = gzip.decompress(zipped)
    assert status == 200
    assert hashlib.sha1(text, usedforsecurity=False).hexdigest() == asked["hash_value"]
    assert "`billed," in text.decode()


async def test_payscore(wxpay: Call, sandbox: Sandbox) -> None:
    order = {"out_order_no": "P1", "service_id": "500001"}
    created = await wxpay(
        "payscore_create",
        **order,
        service_introduction="某某酒店",
        time_range={"start_time": "OnAccept"},
        risk_fund={"name": "DEPOSIT", "amount": 10000},
        post_payments=[{"name": "房费", "amount": 4000}],
        need_user_confirm=True,
    )
    assert created[1]["state"] == "CREATED"
    early = await wxpay(
        "payscore_complete", **order, post_payments=[{"name": "房费", "amount": 4000}], total_amount=4000
    )
    assert early[1]["code"] == "INVALID_REQUEST"
    sandbox.control.confirm("P1")
    done = await wxpay(
        "payscore_complete", **order, post_payments=[{"name": "房费", "amount": 4000}], total_amount=4000
    )
    assert done[1]["state"] == "DOING"
    _, found = await wxpay("payscore_query", service_id="500001", out_order_no="P1")
    assert (found["state"], found["collection"]["state"]) == ("DONE", "USER_PAID")


async def test_combined_orders(wxpay: Call, sandbox: Sandbox) -> None:
    parts = [
        {
            "mchid": sandbox.merchant.mchid,
            "attach": "深圳分店",
            "amount": {"total_amount": total, "currency": "CNY"},
            "out_trade_no": f"part{total}",
            "description": "茶",
        }
        for total in (10, 20)
    ]
    status, placed = await wxpay("combine_pay", combine_out_trade_no="whole", sub_orders=parts)
    assert status == 200
    sandbox.control.pay(placed["code_url"])
    _, found = await wxpay("combine_query", "whole")
    assert [part["trade_state"] for part in found["sub_orders"]] == ["SUCCESS", "SUCCESS"]


async def test_complaints(wxpay: Call, sandbox: Sandbox) -> None:
    await wxpay("pay", description="demo", out_trade_no="complained", amount={"total": 1})
    sandbox.control.pay("complained")
    complaint = sandbox.control.create_complaint("complained", "茶是凉的")
    number = complaint["complaint_id"]
    _, found = await wxpay("complaint_detail_query", number)
    assert (found["complaint_state"], found["complaint_detail"]) == ("PENDING", "茶是凉的")
    assert (await wxpay("complaint_response", number, "马上换一杯"))[0] == 204
    assert (await wxpay("complaint_complete", number))[0] == 204
    assert (await wxpay("complaint_detail_query", number))[1]["complaint_state"] == "PROCESSED"
    _, history = await wxpay("complaint_history_query", number)
    assert [entry["operate_type"] for entry in history["data"]] == [
        "USER_CREATE_COMPLAINT",
        "MERCHANT_RESPONSE",
        "MERCHANT_CONFIRM_COMPLETE",
    ]


async def test_a_rotated_certificate_is_found_by_itself(sandbox: Sandbox, wxpay: Call) -> None:
    await wxpay("pay", description="demo", out_trade_no="rotating", amount={"total": 1})
    sandbox.control.rotate_certificate()
    status, found = await wxpay("query", out_trade_no="rotating")
    assert (status, found["trade_state"]) == (200, "NOTPAY")


async def test_its_async_client_signs_nothing_and_sends_null(sandbox: Sandbox, reach: None, tmp_path: Path) -> None:
    """Its bug: a POST without a body is signed as empty and sent as ``null``, which the service refuses as well. Its
    sync client sends nothing.
    """
    told = settings(sandbox, tmp_path, public_key=sandbox.platform.mode == "public-key")
    async with asynchronous.AsyncWeChatPay(**told) as client:
        status, message = await client.mch_transfer_bills_cancel("none")
    assert (status, json.loads(message)["code"]) == (401, "SIGN_ERROR")
    client = await asyncio.to_thread(wechatpayv3.WeChatPay, **told)
    status, message = await asyncio.to_thread(client.mch_transfer_bills_cancel, "none")
    assert (status, json.loads(message)["code"]) == (404, "NOT_FOUND")
