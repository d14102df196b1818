"""Downloads: the whole flow of a bill, and which links are followed."""

from __future__ import annotations

import gzip
import hashlib
import json
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import SM4
from cryptography.hazmat.primitives.ciphers.modes import GCM

from wxpay_dsl import (
    FileCorruptedError,
    ServiceError,
    ValidationError,
    Wechatpay,
    bills,
)
from wxpay_dsl.sandbox import Sandbox
from wxpay_dsl.wechat.crypto.ciphers import DecryptionError, oaep_encrypt
from wxpay_dsl.wechat.crypto.keys import load_private_key
from wxpay_dsl.wechat.v3 import authorization
from wxpay_dsl.wechat.v3 import signing as signing_v3

BILL = (
    "\ufeff记账时间,微信支付业务单号,资金流水单号,业务名称,业务类型,收支类型,收支金额(元),账户结余(元),资金变更提交申请人,备注,业务凭证号\r\n"
    + "".join(
        f"`2026-03-18 13:54:01,`42,`{number},`交易,`交易,`收入,`0.01,`0.01,`api,`,`S1\r\n" for number in range(999)
    )
    + "资金流水总笔数,收入笔数,收入金额,支出笔数,支出金额\r\n`999,`999,`9.99,`0,`0.00\r\n"
).encode()
NONCE = "a8607ef79034c49c"


def sha1(data: bytes) -> str:
    return hashlib.sha1(data, usedforsecurity=False).hexdigest()


class Service:
    """WeChat Pay's side: it answers the first call signed, and serves files to signed requests alone."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.url = ""
        #: What the first call answers.
        self.answer: dict[str, Any] = {}
        self.files: dict[str, bytes] = {}
        self.seen: list[tuple[str, Mapping[str, str]]] = []

    async def ask(self, request: web.Request) -> web.Response:
        self.seen.append((request.raw_path, request.headers))
        body = json.dumps(self.answer).encode()
        platform = self.sandbox.platform
        headers = platform.sign(platform.public_key, body, int(time.time()))
        return web.Response(body=body, content_type="application/json", headers=headers)

    async def send(self, request: web.Request) -> web.Response:
        self.seen.append((request.raw_path, request.headers))
        file = self.files.get(request.raw_path)
        if file is None:
            error = {"code": "PARAM_ERROR", "message": "token无效或已过期"}
            return web.json_response(error, status=400, headers={"Request-ID": "08"})
        return web.Response(body=file, content_type="text/plain")

    def offer(self, file: bytes, content: bytes = BILL, path: str = "/v3/billdownload/file?token=a%2Fb-_") -> None:
        self.files[path] = file
        self.answer = {"download_url": self.url + path, "hash_type": "SHA1", "hash_value": sha1(content)}


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    async with Sandbox(mode="public-key") as sandbox:
        service = Service(sandbox)
        application = web.Application()
        for path in ("/v3/bill/tradebill", "/v3/bill/sub-merchant-fundflowbill", "/v3/transfer/bill-receipt/{no}"):
            application.router.add_get(path, service.ask)
        application.router.add_get("/{path:.*}", service.send)
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        service.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield service
        finally:
            await runner.cleanup()


@pytest.fixture
async def wxpay(service: Service) -> AsyncIterator[Wechatpay]:
    async with Wechatpay(**{**service.sandbox.credentials, "base_url": service.url}) as wxpay:
        yield wxpay


@pytest.mark.parametrize("packed", [True, False], ids=["gzip", "plain"])
async def test_a_bill_from_the_endpoint_to_its_rows(packed: bool, service: Service, wxpay: Wechatpay) -> None:
    service.offer(gzip.compress(BILL) if packed else BILL)
    async with wxpay.download(wxpay.v3.bill.tradebill.get, bill_date="2026-03-18", tar_type="GZIP") as bill:
        rows = bills.rows(bill, bills.FundFlowRow)
        assert sum([row.amount async for row in rows]) == 999
    assert isinstance(rows.summary, bills.FundFlowSummary)
    assert rows.summary.income == 999


async def test_the_link_is_asked_for_as_it_came_and_signed(service: Service, wxpay: Wechatpay) -> None:
    service.offer(BILL)
    async with wxpay.download(wxpay.v3.bill.tradebill.get, bill_date="2026-03-18") as bill:
        assert await bill.read() == BILL
    path, headers = service.seen[-1]
    assert path == "/v3/billdownload/file?token=a%2Fb-_"
    told = authorization.parse(headers["Authorization"])
    message = signing_v3.request_message("GET", path, told.timestamp, told.nonce, b"")
    key = load_private_key(service.sandbox.credentials["private_key"]).public_key()
    assert signing_v3.verify(message, told.signature, key)


@pytest.mark.parametrize("source", ["response", "data", "link"])
async def test_a_reply_its_data_or_the_link_will_do(source: str, service: Service, wxpay: Wechatpay) -> None:
    service.offer(BILL)
    response = await wxpay.v3.bill.tradebill.get(bill_date="2026-03-18")
    sources = {"response": response, "data": response.data, "link": response.data["download_url"]}
    async with wxpay.download(sources[source]) as bill:
        assert (bill.digest is None) == (source == "link")
        assert await bill.read() == BILL


async def test_another_file_than_promised_is_refused(service: Service, wxpay: Wechatpay, tmp_path: Path) -> None:
    service.offer(BILL.replace(b"0.01", b"1.01"))
    async with wxpay.download(wxpay.v3.bill.tradebill.get, bill_date="2026-03-18") as bill:
        with pytest.raises(FileCorruptedError, match="GET /v3/billdownload/file: the SHA1"):
            await bill.save(tmp_path / "bill.csv")
    assert not list(tmp_path.iterdir())  # noqa: ASYNC240 (a test may)


async def test_a_refused_link_is_the_service_s_own_error(service: Service, wxpay: Wechatpay) -> None:
    with pytest.raises(ServiceError, match=r"400 PARAM_ERROR token无效或已过期.*Request-ID 08"):
        async with wxpay.download(f"{service.url}/v3/billdownload/file?token=old"):
            raise AssertionError("nothing was fetched")


async def test_a_receipt_that_is_not_ready_says_so(service: Service, wxpay: Wechatpay) -> None:
    service.answer = {"out_batch_no": "plfk2020042013", "signature_no": "1", "signature_status": "ACCEPTED"}
    with pytest.raises(ValidationError, match="names no file to download; its signature_status is ACCEPTED"):
        async with wxpay.download(wxpay.v3.transfer.billReceipt._out_batch_no_.get, out_batch_no="plfk2020042013"):
            pass


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/v3/billdownload/file?token=1",
        "http://api.mch.weixin.qq.com/v3/billdownload/file?token=1",
        "https://api.mch.weixin.qq.com.evil.example/file",
        "https://evilwechatpay.cn/file",
        "https://api.mch.weixin.qq.com@evil.example/file",
        "https://user@api.mch.weixin.qq.com/file",
        "https://api.mch.weixin.qq.com:8443/file",
        "http://169.254.169.254/latest/meta-data",
        "http://localhost:6379/",
        "file:///etc/passwd",
        "//evil.example/file",
        "/v3/billdownload/file",
        "https://api.mch.weixin.qq.com",
        "https://api.mch.weixin.qq.com/file#fragment",
        "https://api.mch.weixin.qq.com/a b",
        "https://api.mch.weixin.qq.com/a\r\nX-Evil: 1",
        "https://[::1/file",
        "",
    ],
)
async def test_a_link_elsewhere_is_not_followed(url: str, service: Service, wxpay: Wechatpay) -> None:
    service.answer = {"download_url": url, "hash_type": "SHA1", "hash_value": sha1(BILL)}
    with pytest.raises(ValidationError, match="download_url"):
        async with wxpay.download(wxpay.v3.bill.tradebill.get, bill_date="2026-03-18"):
            pass
    assert len(service.seen) == 1


@pytest.mark.parametrize(
    "host", ["api.mch.weixin.qq.com", "api2.wechatpay.cn", "pay.wechatpay.cn", "apihk.mch.weixin.qq.com"]
)
async def test_a_client_with_one_origin_finds_the_service_s_links_there(
    host: str, service: Service, wxpay: Wechatpay
) -> None:
    service.offer(BILL)
    service.answer["download_url"] = service.answer["download_url"].replace(service.url, f"https://{host}")
    async with wxpay.download(wxpay.v3.bill.tradebill.get, bill_date="2026-03-18") as bill:
        assert await bill.read() == BILL


async def test_a_redirect_is_not_followed(service: Service, wxpay: Wechatpay) -> None:
    async def away(_: web.Request) -> web.Response:
        raise web.HTTPFound("https://evil.example/")

    application = web.Application()
    application.router.add_get("/{path:.*}", away)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        async with Wechatpay(**{**service.sandbox.credentials, "base_url": url}) as other:
            with pytest.raises(ServiceError, match="302"):
                async with other.download(f"{url}/v3/billdownload/file?token=1"):
                    pass
    finally:
        await runner.cleanup()


def encrypted(service: Service, content: bytes, algorithm: str) -> dict[str, Any]:
    """An item of ``download_bill_list``, its file offered."""
    key = b"0123456789abcdef0123456789abcdef" if algorithm == "AES" else b"0123456789abcdef"
    if algorithm == "AES":
        sealed = AESGCM(key).encrypt(NONCE.encode(), content, b"")
    else:
        context = Cipher(SM4(key), GCM(NONCE.encode())).encryptor()
        sealed = context.update(content) + context.finalize() + context.tag
    service.files["/v3/bill/downloadurl?token=1"] = sealed
    merchant = load_private_key(service.sandbox.credentials["private_key"])
    return {
        "bill_sequence": 1,
        "download_url": service.url + "/v3/bill/downloadurl?token=1",
        "encrypt_key": oaep_encrypt(key.decode(), merchant.public_key()),
        "nonce": NONCE,
        "hash_type": "SHA1",
        "hash_value": sha1(BILL),
    }


@pytest.mark.parametrize("algorithm", ["AES", "SM4"])
@pytest.mark.parametrize("packed", [True, False], ids=["gzip", "plain"])
async def test_the_bill_of_a_sub_merchant_comes_decrypted(
    algorithm: str, packed: bool, service: Service, wxpay: Wechatpay
) -> None:
    item = encrypted(service, gzip.compress(BILL) if packed else BILL, algorithm)
    service.answer = {"download_bill_count": 1, "download_bill_list": [item]}
    fields = {"sub_mchid": "1900000110", "bill_date": "2026-03-18", "account_type": "BASIC", "algorithm": "SM4_GCM"}
    async with wxpay.download(wxpay.v3.bill.subMerchantFundflowbill.get, **fields) as bill:
        assert await bill.read() == BILL


async def test_an_encrypted_bill_that_was_changed_is_refused(service: Service, wxpay: Wechatpay) -> None:
    item = encrypted(service, BILL, "AES")
    path = "/v3/bill/downloadurl?token=1"
    service.files[path] = service.files[path][:-1] + bytes([service.files[path][-1] ^ 1])
    async with wxpay.download(item) as bill:
        with pytest.raises(FileCorruptedError, match="encrypted file was changed"):
            await bill.read()
    with pytest.raises(DecryptionError):
        async with wxpay.download({**item, "encrypt_key": b64encode(bytes(256)).decode()}):
            pass
    with pytest.raises(DecryptionError, match="not base64"):
        async with wxpay.download({**item, "encrypt_key": "…"}):
            pass


async def test_of_several_parts_each_is_downloaded_by_itself(service: Service, wxpay: Wechatpay) -> None:
    items = [encrypted(service, BILL, "AES") for _ in range(2)]
    service.answer = {"download_bill_count": 2, "download_bill_list": items}
    with pytest.raises(ValidationError, match="there are 2 files"):
        async with wxpay.download({"download_bill_list": items}):
            pass
    async with wxpay.download(items[0]) as bill:
        assert await bill.read() == BILL


UNKNOWN = {"download_url": "https://api.mch.weixin.qq.com/f", "hash_type": "CRC", "hash_value": "1"}


@pytest.mark.parametrize(
    ("source", "message"),
    [(5, "expected an endpoint"), ({}, "names no file"), (UNKNOWN, "not a hash that Python knows")],
    ids=["number", "nothing", "unknown hash"],
)
async def test_what_cannot_be_downloaded(source: Any, message: str, wxpay: Wechatpay) -> None:
    with pytest.raises(ValidationError, match=message):
        async with wxpay.download(source):
            pass


async def test_an_endpoint_that_answers_a_file_is_streamed(service: Service, wxpay: Wechatpay) -> None:
    """Images of complaints, receipts, bills of APIv3 by their token."""
    service.files["/v3/merchant-service/images/ab%2Fc"] = b"\x89PNG" * 100
    async with wxpay.download(wxpay.v3.merchantService.images._media_id_.get, media_id="ab%2Fc") as image:
        assert await image.read() == b"\x89PNG" * 100


async def test_what_is_signed_is_called_and_not_downloaded(wxpay: Wechatpay) -> None:
    with pytest.raises(ValidationError, match="its response is signed"):
        async with wxpay.download(wxpay.v3.pay.transactions.id._transaction_id_.get, transaction_id="1", mchid="1"):
            pass


async def test_fields_go_with_an_endpoint_only(service: Service, wxpay: Wechatpay) -> None:
    with pytest.raises(ValidationError, match="fields belong to an endpoint"):
        async with wxpay.download(f"{service.url}/f", bill_date="2026-03-18"):
            pass


async def test_a_bill_of_apiv2_and_its_refusal_that_looks_like_success(service: Service) -> None:
    fail = (
        "<xml><return_code>FAIL</return_code><return_msg>No Bill Exist</return_msg><error_code>20002</error_code></xml>"
    )
    bodies = [gzip.compress(BILL), fail.encode()]

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=bodies.pop(0))

    application = web.Application()
    application.router.add_post("/pay/downloadbill", answer)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    fields = {"appid": "wx8888888888888888", "bill_date": "20260318", "bill_type": "ALL", "tar_type": "GZIP"}
    try:
        async with Wechatpay(**{**service.sandbox.credentials, "base_url": url, "apiv2_key": "k" * 32}) as wxpay:
            async with wxpay.download(wxpay.v2.pay.downloadbill, **fields) as bill:
                assert await bill.read() == BILL
            async with wxpay.download(wxpay.v2.pay.downloadbill, **fields) as bill:
                with pytest.raises(ServiceError, match="20002 No Bill Exist"):
                    await bill.read()
    finally:
        await runner.cleanup()


async def test_a_signer_that_cannot_decrypt_says_so(service: Service, wxpay: Wechatpay) -> None:
    class SignsOnly:
        scheme = "WECHATPAY2-SHA256-RSA2048"

        async def sign(self, message: bytes) -> str:
            return await wxpay.settings.signer.sign(message)

    credentials = {**service.sandbox.credentials, "base_url": service.url, "private_key": SignsOnly()}
    async with Wechatpay(**credentials) as other:
        with pytest.raises(ValidationError, match="cannot decrypt"):
            async with other.download(encrypted(service, BILL, "AES")):
                pass
