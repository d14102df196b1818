"""Errors of APIv3: a class for each code, the complete body, and for SIGN_ERROR the line that differs."""

from __future__ import annotations

import json
import pickle
from typing import Any

import pytest
from aiohttp import web
from attrs import asdict
from hypothesis import given
from hypothesis import strategies as st

from tests.wechat.platform_server import PUB_KEY_ID, Platform, keys, newer_key, serving, wechatpay
from wxpay_dsl import BadSignatureError, MissingHeaderError, SdkError, ServiceError, Wechatpay
from wxpay_dsl.sandbox import Sandbox
from wxpay_dsl.wechat.v3 import errors as service_errors
from wxpay_dsl.wechat.v3 import signing as signing_v3
from wxpay_dsl.wechat.v3.errors import RateLimitError, error_class
from wxpay_dsl.wechat.v3.sign_error import explain

CODES = [
    ("PARAM_ERROR", 400, "ParamError"),
    ("INVALID_REQUEST", 400, "InvalidRequestError"),
    ("SIGN_ERROR", 401, "SignError"),
    ("NO_AUTH", 403, "NoAuthError"),
    ("NOAUTH", 403, "NoAuthError"),
    ("RULE_LIMIT", 403, "RuleLimitError"),
    ("RULELIMIT", 403, "RuleLimitError"),
    ("RESOURCE_NOT_EXISTS", 404, "ResourceNotExistsError"),
    ("NOT_FOUND", 404, "ResourceNotExistsError"),
    ("RESOURCE_ALREADY_EXISTS", 400, "ResourceAlreadyExistsError"),
    ("ALREADY_EXISTS", 403, "ResourceAlreadyExistsError"),
    ("ORDERNOTEXIST", 404, "OrderNotExistError"),
    ("ORDER_NOT_EXIST", 404, "OrderNotExistError"),
    ("ORDERPAID", 400, "OrderPaidError"),
    ("ORDER_CLOSED", 400, "OrderClosedError"),
    ("ORDERCLOSED", 400, "OrderClosedError"),
    ("ORDERREVERSED", 400, "OrderReversedError"),
    ("OUT_TRADE_NO_USED", 403, "OutTradeNoUsedError"),
    ("NOT_ENOUGH", 403, "NotEnoughError"),
    ("NOTENOUGH", 403, "NotEnoughError"),
    ("USERPAYING", 202, "UserPayingError"),
    ("USER_PAYING", 202, "UserPayingError"),
    ("USER_ACCOUNT_ABNORMAL", 403, "UserAccountAbnormalError"),
    ("ACCOUNT_ERROR", 403, "AccountError"),
    ("ACCOUNTERROR", 403, "AccountError"),
    ("OPENID_MISMATCH", 500, "OpenidMismatchError"),
    ("APPID_MCHID_NOT_MATCH", 400, "AppidMchidNotMatchError"),
    ("MCH_NOT_EXISTS", 400, "MchNotExistsError"),
    ("TRADE_ERROR", 403, "TradeError"),
    ("BANK_ERROR", 500, "BankError"),
    ("BANKERROR", 500, "BankError"),
    ("RATELIMIT_EXCEEDED", 429, "RateLimitExceededError"),
    ("RATELIMIT_EXCEED", 429, "RateLimitExceededError"),
    ("FREQUENCY_LIMITED", 429, "FrequencyLimitedError"),
    ("FREQUENCY_LIMIT_EXCEED", 403, "FrequencyLimitedError"),
    ("RATE_LIMITED", 403, "RateLimitExceededError"),
    ("NO_STATEMENT_EXIST", 400, "StatementNotExistError"),
    ("STATEMENT_CREATING", 400, "StatementCreatingError"),
    ("SYSTEM_ERROR", 500, "ServiceSystemError"),
    ("SYSTEMERROR", 500, "ServiceSystemError"),
    ("RATE_LIMITED", 403, "RateLimitExceededError"),
    ("REQUEST_BLOCKED", 403, "NoAuthError"),
    ("ACCOUNT_NOT_VERIFIED", 403, "NoAuthError"),
    ("CONTRACT_NOT_CONFIRMED", 403, "NoAuthError"),
    ("APPLYMENT_NOT_EXIST", 400, "ResourceNotExistsError"),
    ("APPLYMENT_NOTEXIST", 400, "ResourceNotExistsError"),
    ("INVALID_ORDER_STATE", 400, "InvalidRequestError"),
    ("ORDER_DONE", 400, "InvalidRequestError"),
    ("ORDER_CANCELED", 400, "OrderClosedError"),
    ("USER_ERROR", 403, "UserAccountAbnormalError"),
    ("INVALID_TRANSACTIONID", 500, "ParamError"),
    ("OPERATION_FAILED", 500, "ServiceSystemError"),
    ("BIZ_ERR_NEED_RETRY", 400, "ServiceSystemError"),
    ("SOMETHING_NEW", 400, "ServiceError"),
    ("", 502, "ServiceError"),
    ("", 429, "RateLimitError"),
]
CERTS = {PUB_KEY_ID: keys()[1].public_key()}


def answering(status: int, body: bytes, kind: str = "application/json", **headers: str) -> Any:
    async def answer(request: web.Request, given_body: bytes) -> web.StreamResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(status=status, body=body, content_type=kind, headers=named)

    return answer


async def refused(status: int, body: bytes, kind: str = "application/json", verb: str = "get", **headers: str) -> Any:
    """The error of a call with this response."""
    platform = Platform(answer=answering(status, body, kind, **headers))
    async with serving(platform), wechatpay(platform, platform_keys=CERTS, retries=0, undeclared=True) as wxpay:
        node = wxpay["v3"]["pay"]["transactions"]["something"]
        with pytest.raises(SdkError) as caught:
            await getattr(node, verb)({"a": 1} if verb == "post" else None)
    return caught.value


@pytest.mark.parametrize(("code", "status", "name"), CODES)
def test_each_code_has_its_class_in_every_spelling(code: str, status: int, name: str) -> None:
    assert error_class(code, status).__name__ == name
    assert issubclass(error_class(code, status), ServiceError)


@pytest.mark.parametrize("kind", [getattr(service_errors, name) for name in service_errors.__all__ if "Error" in name])
def test_each_class_pickles_and_prints_one_line(kind: type[ServiceError]) -> None:
    error = kind("POST /v3/x", 403, "CODE", "消息", {"field": "a"}, "REQ", {"a": "b"}, b"body", "do this", True)
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 (our own)
    assert asdict(again) == asdict(error)
    assert type(again) is kind
    assert str(error).startswith("POST /v3/x: 403 CODE 消息")
    assert "\n" not in str(error)
    assert "REQ" in str(error)
    assert "outcome is unknown" in str(error)
    assert str(error).endswith("do this")


async def test_a_refusal_keeps_all_that_the_service_said() -> None:
    body = json.dumps(
        {
            "code": "PARAM_ERROR",
            "message": "参数错误",
            "detail": {"field": "/amount/currency", "value": "XYZ", "issue": "not in enum", "location": "body"},
        },
        ensure_ascii=False,
    ).encode()
    error = await refused(400, body, verb="post", Request_ID="08ABC")
    assert isinstance(error, service_errors.ParamError)
    assert (error.code, error.message, error.status, error.request_id) == ("PARAM_ERROR", "参数错误", 400, "08ABC")
    assert error.detail["field"] == "/amount/currency"
    assert error.body == body
    assert not error.outcome_unknown


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"<html><h1>502 Bad Gateway</h1></html>", "text/html"),
        (b"", "text/plain"),
        (b'{"code": "SYSTEM_ER', "application/json"),
        (b"[1, 2]", "application/json"),
        (b'"just text"', "application/json"),
        (b"\xff\xfe\x00", "application/octet-stream"),
        (b"[" * 100_000, "application/json"),
        (b"<xml><return_code>FAIL</return_code></xml>", "text/xml"),
    ],
)
async def test_what_is_not_the_services_own_format_surfaces_whole(body: bytes, kind: str) -> None:
    error = await refused(502, body, kind)
    assert type(error) is ServiceError
    assert (error.status, error.body) == (502, body)
    assert "not the service's own" in str(error)
    assert len(str(error)) < 600


async def test_a_page_in_the_place_of_a_success_surfaces_whole() -> None:
    page = b"<html>Please log in to the network</html>" * 20
    error = await refused(200, page, "text/html", verb="post")
    assert isinstance(error, MissingHeaderError)
    assert (error.status, error.body, error.headers["Content-Type"]) == (200, page, "text/html")
    assert error.outcome_unknown
    assert "Please log in to the network" in str(error)
    assert len(str(error)) < 600
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 (our own)
    assert (again.body, again.header, str(again)) == (page, error.header, str(error))


async def test_an_answer_that_was_changed_surfaces_whole_and_is_not_printed() -> None:
    platform = Platform(signing=None)
    forged = b'{"openid": "secret"}'

    async def answer(request: web.Request, body: bytes) -> web.StreamResponse:
        vouched = platform.signed(b"{}").headers
        signed = {name: value for name, value in vouched.items() if name.startswith("Wechatpay")}
        return web.Response(body=forged, headers=signed, content_type="application/json")

    platform.answer = answer
    async with serving(platform), wechatpay(platform, platform_keys=CERTS) as wxpay:
        with pytest.raises(BadSignatureError) as caught:
            await wxpay["v3"]["pay"]["orders"]["1"].get()
    assert caught.value.body == forged
    assert "secret" not in str(caught.value) + repr(caught.value)


def test_a_message_of_several_lines_is_printed_as_one() -> None:
    assert str(ServiceError("POST /v3/x", 400, "PARAM_ERROR", "one\n  two")) == "POST /v3/x: 400 PARAM_ERROR one two"


@pytest.mark.parametrize(
    ("verb", "status", "unknown"), [("post", 500, True), ("post", 502, True), ("post", 429, False), ("get", 500, False)]
)
async def test_a_server_that_broke_down_may_have_done_it(verb: str, status: int, unknown: bool) -> None:
    error = await refused(status, b'{"code": "SYSTEM_ERROR", "message": ""}', verb=verb)
    assert error.outcome_unknown is unknown
    assert ("outcome is unknown" in str(error)) is unknown


@pytest.mark.parametrize(("header", "seconds"), [({"Retry_After": "3"}, 3.0), ({}, None)])
async def test_a_rate_limit_says_how_long(header: dict[str, str], seconds: float | None) -> None:
    error = await refused(429, b'{"code": "FREQUENCY_LIMITED", "message": ""}', **header)
    assert isinstance(error, RateLimitError)
    assert error.retry_after == seconds


class TestSignError:
    MESSAGE = signing_v3.request_message("POST", "/v3/x?a=%2F", 1700000000, "N" * 32, '{"a":"中文"}')

    def information(self, message: bytes, length: int | None = None, cut: int | None = None) -> dict[str, Any]:
        shown = message[:cut].decode("utf-8", "replace") + ("\n" if cut else "")
        return {
            "field": "signature",
            "issue": "sign not match",
            "sign_information": {
                "method": "POST",
                "url": "/v3/x",
                "truncated_sign_message": shown,
                "sign_message_length": len(message) if length is None else length,
            },
        }

    @pytest.mark.parametrize(
        ("old", "new", "said"),
        [
            (b"POST", b"GET", "line 1 of the signed message, the HTTP method, is 'POST' here and 'GET'"),
            (b"%2F", b"/", "line 2 of the signed message, the request target, is '/v3/x?a=%2F' here and '/v3/x?a=/'"),
            (b"/v3/", b"/proxy/v3/", "line 2 of the signed message, the request target"),
            (b"1700000000", b"1700000001", "line 3 of the signed message, the timestamp"),
            (b"N" * 32, b"M" * 32, "line 4 of the signed message, the nonce"),
            (b'{"a":', b'{"a": ', "line 5 of the signed message, the body, begins with"),
        ],
    )
    def test_it_says_which_line_differs(self, old: bytes, new: bytes, said: str) -> None:
        assert said in explain(self.MESSAGE, self.information(self.MESSAGE.replace(old, new, 1)))

    def test_a_body_that_differs_behind_the_cut_is_told_by_its_length(self) -> None:
        theirs = self.MESSAGE.replace("中文".encode(), b"\\u4e2d\\u6587")
        told = explain(self.MESSAGE, self.information(theirs, cut=65))
        assert f"makes it {len(self.MESSAGE)} bytes here and {len(theirs)} to the service" in told

    @pytest.mark.parametrize("cut", [None, 62, 66, 67, 68, 69])
    def test_if_no_line_differs_it_is_the_key(self, cut: int | None) -> None:
        """Cut anywhere, in the middle of a character too."""
        assert "the key is wrong" in explain(self.MESSAGE, self.information(self.MESSAGE, cut=cut))

    @pytest.mark.parametrize(
        ("field", "advice"),
        [
            ("timestamp", "set this machine's clock"),
            ("serial_no", "`serial` must be that of the API certificate in force"),
            ("serial", "`serial` must be that of the API certificate in force"),
            ("mchid", "the merchant whose certificate `serial` names"),
        ],
    )
    def test_what_the_service_names_comes_first(self, field: str, advice: str) -> None:
        detail = {**self.information(self.MESSAGE), "field": field, "issue": "x\nout of range"}
        for told in (explain(self.MESSAGE, detail), explain(b"", {"field": field, "issue": "x\nout of range"})):
            assert told.startswith(f"the service rejects the {field} ('x\\nout of range'), not the signature: ")
            assert advice in told
            assert "the key is wrong" not in told

    @pytest.mark.parametrize("field", ["signature", "sign", "", "body", None, 7, ["timestamp"], "t" * 100_000])
    def test_of_the_signature_itself_the_lines_tell(self, field: Any) -> None:
        assert "the key is wrong" in explain(self.MESSAGE, {**self.information(self.MESSAGE), "field": field})

    def test_line_feeds_may_be_spelled_out(self) -> None:
        detail = self.information(self.MESSAGE)
        text = detail["sign_information"]["truncated_sign_message"]
        detail["sign_information"]["truncated_sign_message"] = text.replace("\n", "\\n")
        assert "the key is wrong" in explain(self.MESSAGE, detail)

    @pytest.mark.parametrize(
        "detail",
        [None, "", [], {}, {"sign_information": None}, {"sign_information": {"truncated_sign_message": 7}}],
    )
    def test_where_the_service_tells_nothing_neither_do_we(self, detail: Any) -> None:
        assert explain(self.MESSAGE, detail) == ""

    @given(st.text(), st.integers() | st.text() | st.none())
    def test_nothing_that_a_service_says_breaks_it(self, seen: str, length: Any) -> None:
        information = {"truncated_sign_message": seen, "sign_message_length": length}
        assert isinstance(explain(self.MESSAGE, {"sign_information": information}), str)

    async def test_a_wrong_private_key_is_told_apart_from_a_changed_message(self) -> None:
        async with Sandbox() as sandbox:
            wrong = {**sandbox.credentials, "private_key": newer_key(), "certificate": None}
            async with Wechatpay(**wrong) as wxpay:
                with pytest.raises(service_errors.SignError, match="the key is wrong: `private_key` must be"):
                    await wxpay.v3.certificates.get()

    async def test_a_proxy_that_rewrites_the_path_is_found(self) -> None:
        async def answer(request: web.Request, body: bytes) -> web.StreamResponse:
            sent = request.headers["Authorization"]
            timestamp, nonce = (sent.split(f'{name}="')[1].split('"')[0] for name in ("timestamp", "nonce_str"))
            seen = f"POST\n/inner{request.raw_path}\n{timestamp}\n{nonce}\n{body[:8].decode()}\n"
            information = {"truncated_sign_message": seen, "sign_message_length": len(seen) + len(body) - 8}
            detail = {"detail": {"issue": "sign not match"}, "sign_information": information}
            refusal = {"code": "SIGN_ERROR", "message": "签名错误", "detail": detail}
            return web.json_response(refusal, status=401)

        platform = Platform(answer=answer)
        async with serving(platform), wechatpay(platform, platform_keys=CERTS) as wxpay:
            with pytest.raises(service_errors.SignError) as caught:
                await wxpay["v3"]["my"]["thing"].post({"amount": 1})
        said = "line 2 of the signed message, the request target, is '/v3/my/thing' here and '/inner/v3/my/thing'"
        assert said in str(caught.value)


async def test_no_error_shows_the_authorization_header() -> None:
    error = await refused(401, b'{"code": "SIGN_ERROR", "message": "x", "detail": {}}', verb="post")
    assert "WECHATPAY2" not in str(error) + repr(error)


async def test_an_undeclared_path_says_which_declared_one_is_nearest() -> None:
    error = await refused(404, b'{"code": "RESOURCE_NOT_EXISTS", "message": "x"}')
    assert isinstance(error, service_errors.ResourceNotExistsError)
    assert "nearest declared" in str(error)
