"""wechatpay-axios-plugin, the JavaScript original, against the sandbox: APIv3, APIv2, its own CLI, its primitives."""

from __future__ import annotations

import asyncio
from datetime import date
from pathlib import Path
from typing import Any, Self

import pytest
from aiohttp import web
from cryptography import x509

from tests.noon import to_noon
from wxpay_dsl.sandbox import Sandbox

from .conftest import HERE, Scenario, run

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8


async def test_a_native_order_is_paid_queried_and_refunded(javascript: Scenario) -> None:
    found = await javascript("native")
    assert found["code_url"].startswith("weixin://wxpay/bizpayurl")
    assert found["before"] == "NOTPAY"
    assert found["paid"]["trade_state"] == "SUCCESS"
    assert found["paid"]["out_trade_no"] == "NATIVE-Order_1a"
    assert found["paid"]["amount"]["total"] == 888
    assert found["sameById"]
    assert (found["refund"]["status"], found["refund"]["amount"]["refund"]) == ("PROCESSING", 444)
    assert found["settled"]["status"] == "SUCCESS"
    assert found["closing"]["code"] == "ORDERPAID"
    assert found["tooMuch"]["code"] == "INVALID_REQUEST"
    assert (found["unknown"]["status"], found["unknown"]["code"]) == (404, "ORDER_NOT_EXIST")


async def test_closing_answers_without_content(javascript: Scenario) -> None:
    assert await javascript("closing") == {"status": 204}


async def test_presign_as_its_documentation_writes_it(javascript: Scenario) -> None:
    assert (await javascript("presign"))["presign_token"]


async def test_an_image_is_uploaded(javascript: Scenario, tmp_path: Path) -> None:
    (tmp_path / "receipt.png").write_bytes(PNG)
    found = await javascript("upload", file=str(tmp_path / "receipt.png"))
    assert found["media_id"]
    # The signature is over another meta than the one that was sent.
    assert (found["wrong"]["status"], found["wrong"]["code"]) == (401, "SIGN_ERROR")


@pytest.mark.parametrize("sandbox", ["certificate", "both"], indirect=True)
async def test_its_own_cli_downloads_the_certificates(node: str, sandbox: Sandbox, tmp_path: Path) -> None:
    out, _ = await download("wechatpay-axios-plugin-0.8", node, sandbox, tmp_path)
    pair = sandbox.platform.certificates[-1]
    assert pair.id in out
    saved = x509.load_pem_x509_certificate((tmp_path / f"wechatpay_{pair.id}.pem").read_bytes())
    assert saved == pair.certificate


@pytest.mark.parametrize("sandbox", ["certificate"], indirect=True)
async def test_the_cli_of_0_9_6_verifies_with_a_copy_of_what_it_has_not_filled_yet(
    node: str, sandbox: Sandbox, tmp_path: Path
) -> None:
    """Its bug, not the sandbox's: `certs` is copied when the client is made, the downloader fills the original. So
    the downloads are tested with 0.8.14. This fails when a release mends it: then let the test above use it.
    """
    out, err = await download("wechatpay-axios-plugin", node, sandbox, tmp_path)
    assert out == ""
    assert '"encrypt_certificate"' in err, "the certificates came; the client did not find them"
    assert not (tmp_path / f"wechatpay_{sandbox.platform.certificates[-1].id}.pem").exists()


async def download(package: str, node: str, sandbox: Sandbox, folder: Path) -> tuple[str, str]:
    """What the original's `wxpay crt` prints, to stdout and to stderr."""
    merchant = sandbox.merchant
    return await run(
        *(node, str(HERE / "node_modules" / package / "bin/cli.js"), "crt"),
        *("--mchid", merchant.mchid, "--serialno", merchant.serial, "--key", merchant.apiv3_key),
        *("--privatekey", str(folder / "home/apiclient_key.pem"), "--output", str(folder), "--baseURL", sandbox.url),
    )


async def test_a_notification_by_its_primitives(javascript: Scenario, sandbox: Sandbox) -> None:
    async with Inbox() as inbox:
        order = await sandbox.client.v3.pay.transactions.native.post(
            mchid=sandbox.merchant.mchid,
            appid="wx8888888888888888",
            description="一杯茶",
            out_trade_no="Notified-1",
            notify_url=inbox.url,
            amount={"total": 7},
        )
        sandbox.control.pay(order.data["code_url"])
        headers, body = await inbox.next()
    found = await javascript("notification", headers=headers, body=body)
    assert found["verified"]
    assert (found["resource"]["out_trade_no"], found["resource"]["amount"]["total"]) == ("Notified-1", 7)
    assert found["resource"]["trade_state"] == "SUCCESS"


async def test_notifications_of_apiv2(javascript: Scenario, sandbox: Sandbox) -> None:
    common = {"appid": "wx8888888888888888", "mch_id": sandbox.merchant.mchid}
    async with Inbox(b"<xml><return_code>SUCCESS</return_code></xml>") as inbox:
        await sandbox.client.v2.pay.unifiedorder.post(
            **common,
            body="一杯茶",
            out_trade_no="Notified-2",
            total_fee=7,
            spbill_create_ip="127.0.0.1",
            notify_url=inbox.url,
            trade_type="NATIVE",
        )
        paid = sandbox.control.pay("Notified-2")
        _, told = await inbox.next()
        await sandbox.client.v2.secapi.pay.refund.post(
            **common,
            transaction_id=paid["transaction_id"],
            out_trade_no="Notified-2",
            out_refund_no="R1",
            total_fee=7,
            refund_fee=3,
            notify_url=inbox.url,
        )
        _, refunded = await inbox.next()
    payment = await javascript("notificationV2", body=told)
    assert payment["verified"]
    assert (payment["data"]["out_trade_no"], payment["data"]["total_fee"]) == ("Notified-2", "7")
    refund = await javascript("refundNotificationV2", body=refunded)
    assert refund["data"]["mch_id"] == sandbox.merchant.mchid
    assert (refund["refund"]["out_refund_no"], refund["refund"]["refund_status"]) == ("R1", "SUCCESS")


@pytest.mark.parametrize("sandbox", ["public-key"], indirect=True)
@pytest.mark.parametrize("sign_type", ["MD5", "HMAC-SHA256"])
async def test_apiv2_on_the_same_state(javascript: Scenario, sign_type: str) -> None:
    check_v2(await javascript("v2", signType=sign_type, secure=False), sign_type)


@pytest.mark.parametrize("sign_type", ["MD5", "HMAC-SHA256"])
async def test_apiv2_refunds_over_mutual_tls(javascript_tls: Scenario, sign_type: str) -> None:
    found = await javascript_tls("v2", signType=sign_type, secure=True)
    check_v2(found, sign_type)
    assert found["naked"] == 400, "without its certificate"


def check_v2(found: Any, sign_type: str) -> None:
    assert found["placed"]["result_code"] == "SUCCESS"
    assert found["before"] == "NOTPAY"
    assert (found["paid"]["trade_state"], found["paid"]["total_fee"]) == ("SUCCESS", "88")
    assert found["closing"]["result"] == "ORDERPAID"
    assert (found["refund"]["refund_fee"], found["refund"]["result_code"]) == ("8", "SUCCESS")
    assert (found["refunds"]["refund_count"], found["refunds"]["refund_status_0"]) == ("1", "SUCCESS")
    assert (found["coded"]["trade_type"], found["coded"]["total_fee"]) == ("MICROPAY", "1")
    assert found["unknown"]["result"] == "ORDERNOTEXIST"
    assert len(found["paid"]["sign"]) == (32 if sign_type == "MD5" else 64)


@pytest.mark.parametrize("sandbox", ["public-key"], indirect=True)
async def test_bills_are_read_by_its_formatter(javascript: Scenario, sandbox: Sandbox) -> None:
    day = await _trade(sandbox)
    found = await javascript("bill", day=day.isoformat())
    assert found["hashed"]
    check_bill(found)
    check_bill(await javascript("billV2", day=day.isoformat()))


async def _trade(sandbox: Sandbox) -> date:
    """A day with two payments and a refund; it is over when this returns."""
    wxpay, mchid, day = sandbox.client, sandbox.merchant.mchid, to_noon(sandbox)
    for number, total in (("Bill-1", 1000), ("Bill-2", 234)):
        await wxpay.v3.pay.transactions.native.post(
            mchid=mchid,
            appid="wx8888888888888888",
            description="茶, 两杯",
            out_trade_no=number,
            notify_url="https://example.com/",
            amount={"total": total},
        )
        sandbox.control.pay(number)
    await wxpay.v3.refund.domestic.refunds.post(
        out_trade_no="Bill-1", out_refund_no="Back-1", amount={"refund": 300, "total": 1000, "currency": "CNY"}
    )
    sandbox.control.advance_clock(86400)
    return day


def check_bill(found: Any) -> None:
    rows = {(row["商户订单号"], row["商户退款单号"]): row for row in found["rows"]}
    assert rows["Bill-1", "0"]["订单金额"] == "10.00"
    assert rows["Bill-2", "0"]["商品名称"] == "茶  两杯"
    assert rows["Bill-1", "Back-1"]["申请退款金额"] == "3.00"
    assert found["summary"]["总交易单数"] == "3"
    assert found["summary"]["订单总金额"] == "12.34"
    assert found["summary"]["申请退款总金额"] == "3.00"


class Inbox:
    """A merchant's ``notify_url``: keeps what it is sent, and says yes."""

    def __init__(self, answer: bytes = b"") -> None:
        self._answer = answer
        self._came: asyncio.Queue[tuple[dict[str, str], str]] = asyncio.Queue()
        self.url = ""

    async def __aenter__(self) -> Self:
        self._runner = web.ServerRunner(web.Server(self._take))
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/notify"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def next(self) -> tuple[dict[str, str], str]:
        """The next notification: headers, their names in small letters, and body."""
        return await asyncio.wait_for(self._came.get(), 100)

    async def _take(self, request: web.BaseRequest) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self._came.put_nowait((headers, (await request.read()).decode()))
        return web.Response(body=self._answer)
