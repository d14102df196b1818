"""Bills of APIv2: CSV or gzip, or an error as XML; streamed and parsed like those of APIv3."""

from __future__ import annotations

import gzip
import tracemalloc

import pytest
from aiohttp import web

from tests.wechat.loopback import APPID, answering, wechatpay
from wxpay_dsl import ResponseDecodeError, ResultCodeError, ReturnCodeError, TransportError, Wechatpay
from wxpay_dsl.sandbox import Sandbox
from wxpay_dsl.wechat import bills
from wxpay_dsl.wechat.v2 import xml

BILL = {"appid": APPID, "bill_date": "20140603", "bill_type": "ALL"}
FUND = {"appid": APPID, "bill_date": "20140603", "account_type": "Basic"}
MISSING = xml.dumps({"return_code": "FAIL", "return_msg": "No Bill Exist", "error_code": "20002"})

HEADER = (
    "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,应结订单金额,"
    "代金券金额,微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率,订单金额,申请退款金额,费率备注"
)
ROW = (
    "`2014-06-03 16:46:14,`wx8888888888888888,`1900000109,`0,`,`4200000000000000000000000001,`order{n},`o1,`NATIVE,"
    "`SUCCESS,`CFT,`CNY,`0.01,`0.00,`0,`0,`0.00,`0.00,`,`,`商品,`,`0.00000,`0.60%,`0.01,`0.00,`"
)
SUMMARY = (
    "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额\r\n"
    "`{n},`{sum},`0.00,`0.00,`0.00,`{sum},`0.00\r\n"
)


def bill(count: int) -> bytes:
    lines = [HEADER, *(ROW.format(n=n) for n in range(count)), SUMMARY.format(n=count, sum=f"{count / 100:.2f}")]
    return ("\ufeff" + "\r\n".join(lines)).encode()


@pytest.mark.parametrize("packed", [False, True])
async def test_a_bill_is_streamed_unpacked_and_read(packed: bool) -> None:
    content = gzip.compress(bill(3)) if packed else bill(3)
    tar_type = {"tar_type": "GZIP"} if packed else {}
    async with answering(content) as loopback, wechatpay(loopback) as wxpay:
        async with wxpay.download(wxpay.v2.pay.downloadbill, BILL, **tar_type) as download:
            read = bills.rows(download, bills.TradeRow)
            rows = [row async for row in read]
        assert loopback.fields["bill_date"] == "20140603"
    assert [row.out_trade_no for row in rows] == ["order0", "order1", "order2"]
    assert rows[0].total == 1
    assert read.summary is not None


async def test_a_bill_that_is_not_there_is_an_error_however_it_is_asked_for() -> None:
    async with answering(MISSING) as loopback, wechatpay(loopback) as wxpay:
        with pytest.raises(ReturnCodeError, match="20002 No Bill Exist"):
            await wxpay.v2.pay.downloadbill(BILL)
        with pytest.raises(ReturnCodeError, match="20002 No Bill Exist"):
            async with wxpay.download(wxpay.v2.pay.downloadbill, BILL) as download:
                await download.read()


async def test_the_fund_flow_says_no_by_its_result_code() -> None:
    refused = xml.dumps(
        {"return_code": "SUCCESS", "result_code": "FAIL", "err_code": "NO_BILL_EXIST", "err_code_des": "账单不存在"}
    )
    async with Sandbox() as sandbox, answering(refused) as loopback:
        credentials = {**sandbox.credentials, "base_url": loopback.url}
        async with Wechatpay(**credentials) as wxpay:
            with pytest.raises(ResultCodeError, match="NO_BILL_EXIST 账单不存在"):
                async with wxpay.download(wxpay.v2.pay.downloadfundflow, FUND) as download:
                    await download.read()
            assert loopback.fields["sign_type"] == "HMAC-SHA256"


async def test_a_page_does_not_pass_for_a_bill() -> None:
    page = b"<!DOCTYPE html><html>502</html>"
    async with answering(page) as loopback, wechatpay(loopback) as wxpay:
        with pytest.raises(ResponseDecodeError):
            await wxpay.v2.pay.downloadbill(BILL)
        with pytest.raises(ResponseDecodeError):
            async with wxpay.download(wxpay.v2.pay.downloadbill, BILL) as download:
                await download.read()


async def test_a_bill_cut_short_is_an_error() -> None:
    async with (
        answering(lambda request, body: gzip.compress(bill(50))[:-9]) as loopback,
        wechatpay(loopback) as wxpay,
    ):
        with pytest.raises(TransportError):
            async with wxpay.download(wxpay.v2.pay.downloadbill, BILL, tar_type="GZIP") as download:
                await download.read()


@pytest.mark.slow
async def test_a_large_bill_is_never_whole_in_memory() -> None:
    lines = "\r\n".join(ROW.format(n=n) for n in range(1_000)).encode() + b"\r\n"

    async def serve(request: web.Request, body: bytes) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(f"\ufeff{HEADER}\r\n".encode())
        for _ in range(40):
            await response.write(lines)
        await response.write(SUMMARY.format(n=40_000, sum="400.00").encode())
        return response

    async with answering(serve) as loopback, wechatpay(loopback) as wxpay:
        tracemalloc.start()
        try:
            async with wxpay.download(wxpay.v2.pay.downloadbill, BILL) as download:
                async for _ in (read := bills.rows(download)):
                    pass
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert read.count == 40_000
    assert len(lines) * 40 > 4 << 20 > peak


async def test_what_the_sandbox_pays_is_in_its_bill() -> None:
    async with Sandbox() as sandbox, Wechatpay(**sandbox.credentials) as wxpay:
        paid = await wxpay.v2.pay.micropay(
            appid=APPID,
            body="x",
            out_trade_no="20260318001",
            total_fee=128,
            spbill_create_ip="8.8.8.8",
            auth_code="120061098828009406",
        )
        sandbox.control.advance_clock(86400)
        asked = {**BILL, "bill_date": paid.data["time_end"][:8]}
        async with wxpay.download(wxpay.v2.pay.downloadbill, asked, tar_type="GZIP") as download:
            rows = [row async for row in bills.rows(download, bills.TradeRow)]
    assert [(row.out_trade_no, row.total) for row in rows] == [("20260318001", 128)]
