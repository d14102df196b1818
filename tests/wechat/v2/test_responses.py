"""Responses of APIv2: verified first, then converted to the types of the spec, or raised as errors."""

from __future__ import annotations

import pickle
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web

from tests.wechat.loopback import APPID, MCHID, SECRET, Answer, answering, signed, wechatpay
from wxpay_dsl import (
    BadSignatureError,
    MissingSignError,
    OrderPaidError,
    RateLimitError,
    ResponseDecodeError,
    ResultCodeError,
    ReturnCodeError,
    SdkError,
    ServiceError,
    ServiceSystemError,
    StatementCreatingError,
    StatementNotExistError,
    VerificationError,
    Wechatpay,
)
from wxpay_dsl.wechat.v2 import signing as signing_v2
from wxpay_dsl.wechat.v2 import xml

QUERY = {"appid": APPID, "out_trade_no": "1217752501201407033233368018"}


async def queried(answer: Answer) -> dict[str, Any]:
    """The data of an order query with this response."""
    async with answering(lambda request, body: answer) as loopback, wechatpay(loopback) as wxpay:
        response = await wxpay.v2.pay.orderquery(QUERY)
        data: dict[str, Any] = response.data
        return data


@pytest.mark.parametrize("sign_type", ["MD5", "HMAC-SHA256"])
async def test_an_answer_is_typed_by_its_spec(sign_type: str) -> None:
    data = await queried(
        signed(
            sign_type, total_fee="888", transaction_id="0012", promotion_detail='{"promotion_detail":[{"amount":1}]}'
        )
    )
    assert data["total_fee"] == 888
    assert data["transaction_id"] == "0012"
    assert data["promotion_detail"] == {"promotion_detail": [{"amount": 1}]}


async def test_numbered_fields_are_lists_too() -> None:
    data = await queried(
        signed(coupon_id_0="a", coupon_fee_0="100", coupon_id_1="b", coupon_type_1="CASH", coupon_fee_1="50")
    )
    assert data["coupon_id_$n"] == ["a", "b"]
    assert data["coupon_fee_$n"] == [100, 50]
    assert data["coupon_type_$n"] == [None, "CASH"]
    assert data["coupon_id_0"] == "a"
    assert data["coupon_fee_1"] == 50


async def test_an_answer_is_not_refused_for_what_its_spec_says() -> None:
    data = await queried(signed(total_fee="eight", promotion_detail="{not json", unheard_of="1", cash_fee="9" * 200))
    assert (data["total_fee"], data["promotion_detail"], data["unheard_of"]) == ("eight", "{not json", "1")
    assert data["cash_fee"] == "9" * 200


async def test_values_are_verified_untrimmed_and_given_so() -> None:
    assert (await queried(signed(attach=" 1\r\n")))["attach"] == " 1\r\n"


async def test_a_changed_answer_is_not_believed() -> None:
    whole = signed(total_fee="1")
    with pytest.raises(BadSignatureError, match="not that of the APIv2 key") as caught:
        await queried(whole.replace(b"<total_fee>1<", b"<total_fee>2<"))
    assert isinstance(caught.value, VerificationError)


async def test_a_refusal_that_somebody_else_wrote_is_not_believed() -> None:
    forged = xml.dumps({"return_code": "SUCCESS", "result_code": "FAIL", "err_code": "ORDERNOTEXIST"})
    with pytest.raises(MissingSignError, match=r"it says 'ORDERNOTEXIST', unverified") as caught:
        await queried(forged)
    assert caught.value.body == forged


@pytest.mark.parametrize("return_code", ["", " SUCCESS", None])
async def test_a_return_code_that_is_none_does_not_pass_for_one(return_code: str | None) -> None:
    fields = {"result_code": "SUCCESS", "trade_state": "SUCCESS"}
    if return_code is not None:
        fields["return_code"] = return_code
    with pytest.raises((MissingSignError, ReturnCodeError)):
        await queried(xml.dumps(fields))


async def test_return_code_fail_is_an_error_of_its_own() -> None:
    with pytest.raises(ReturnCodeError, match="POST /pay/orderquery: 200 FAIL 签名错误; compare `apiv2_key`") as caught:
        await queried(
            "<xml><return_code><![CDATA[FAIL]]></return_code><return_msg>签名错误</return_msg></xml>".encode()
        )
    assert isinstance(caught.value, ServiceError)
    assert not isinstance(caught.value, ResultCodeError)
    assert caught.value.body.startswith(b"<xml>")


async def test_result_code_fail_is_an_error_of_the_codes_class() -> None:
    answer = signed(result_code="FAIL", err_code="ORDERPAID", err_code_des="该订单已支付", total_fee="3")
    with pytest.raises(OrderPaidError, match="200 ORDERPAID 该订单已支付") as caught:
        await queried(answer)
    assert isinstance(caught.value, ResultCodeError)
    assert caught.value.fields["total_fee"] == 3
    copied = pickle.loads(pickle.dumps(caught.value))  # noqa: S301 - made here
    assert (type(copied), str(copied), copied.fields) == (type(caught.value), str(caught.value), caught.value.fields)

    with pytest.raises(ResultCodeError) as plain:
        await queried(signed(result_code="FAIL", err_code="SOMETHING_NEW"))
    assert plain.value.code == "SOMETHING_NEW"


async def test_after_a_system_error_the_outcome_is_unknown_if_anything_can_have_happened() -> None:
    fields = {"appid": APPID, "openid": "o", "desc": "x", "amount": 1, "validate": False}
    async with answering(signed(result_code="FAIL", err_code="SYSTEMERROR")) as loopback, wechatpay(loopback) as wxpay:
        with pytest.raises(ServiceSystemError) as caught:
            await wxpay.v2.pay.something(fields)
        assert caught.value.outcome_unknown
        with pytest.raises(ServiceSystemError) as caught:
            await wxpay.v2.pay.orderquery(QUERY)
        assert not caught.value.outcome_unknown


PAGE = b"<!DOCTYPE html><html><body>502 Bad Gateway</body></html>"


@pytest.mark.parametrize("page", [PAGE, b"<html></html>", b"", b"OK", b'{"code": "x"}', b"\x1f\x8b\x08"])
async def test_what_is_not_the_services_xml_is_an_error_that_keeps_it(page: bytes) -> None:
    with pytest.raises(ResponseDecodeError) as caught:
        await queried(page)
    assert caught.value.body == page
    with pytest.raises(ServiceError) as refused:
        await queried(web.Response(status=404, body=page))
    assert (refused.value.status, refused.value.body) == (404, page)


async def test_an_answer_that_its_spec_calls_unsigned_is_read_without_a_signature() -> None:
    answer = b"<xml><return_code>SUCCESS</return_code><result_code>SUCCESS</result_code><level>LOW</level></xml>"
    async with answering(answer) as loopback, wechatpay(loopback) as wxpay:
        response = await wxpay.v2.payitil.report(
            appid=APPID, interface_url="https://a.example", user_ip="8.8.8.8", trades=[{"out_trade_no": "1"}]
        )
        assert response.data["level"] == "LOW"


async def test_an_answer_with_lists_in_it_is_read_as_its_spec_says() -> None:
    from wxpay_dsl.client import tree
    from wxpay_dsl.core.messages import RawResponse
    from wxpay_dsl.wechat.v2.dialect import decode

    branch = tree().find(("v2", "mmpaymkttransfers", "gethbinfo"))
    assert branch is not None
    operation = branch.verbs["post"].operation()

    def decoded(hblist: str) -> Any:
        codes = "<return_code>SUCCESS</return_code><result_code>SUCCESS</result_code>"
        body = f"<xml>{codes}<total_num>2</total_num>{hblist}</xml>".encode()
        return decode(operation, RawResponse("POST /x", 200, {}, body, safe=True))

    one, two = "<hbinfo><openid>a</openid><amount>1</amount></hbinfo>", "<hbinfo><openid>b</openid></hbinfo>"
    assert decoded(f"<hblist>\n{one}{two}</hblist>")["hblist"] == {
        "hbinfo": [{"openid": "a", "amount": 1}, {"openid": "b"}]
    }
    assert decoded(f"<hblist>{one}</hblist>")["hblist"] == {"hbinfo": [{"openid": "a", "amount": 1}]}
    assert decoded("<hblist/>")["hblist"] == {}
    with pytest.raises(ResponseDecodeError, match="more than 4 levels"):
        decoded("<a><b><c><d><e>1</e></d></c></b></a>")
    with pytest.raises(ResponseDecodeError, match="text beside"):
        decoded(f"<hblist>x{one}</hblist>")


async def test_the_access_token_comes_as_json() -> None:
    fields = {"appid": APPID, "openid": "o", "code": "c", "grant_type": "authorization_code", "scope": "pay_identity"}
    answers = iter([b'{"retcode":0,"retmsg":"OK","access_token":"t"}', b'{"retcode":-1,"retmsg":"code invalid"}'])
    async with answering(lambda request, body: next(answers)) as loopback, wechatpay(loopback) as wxpay:
        assert (await wxpay.v2.appauth.getaccesstoken.get(fields)).data["access_token"] == "t"
        with pytest.raises(ReturnCodeError, match="-1 code invalid"):
            await wxpay.v2.appauth.getaccesstoken.get(fields)


async def test_a_bill_is_bytes_and_an_error_in_xml_is_an_error() -> None:
    bill = "\ufeff交易时间,商户号\r\n总交易单数\r\n`0\r\n".encode()
    answers = iter(
        [
            bill,
            xml.dumps({"return_code": "FAIL", "return_msg": "No Bill Exist", "error_code": "20002"}),
            PAGE,
        ]
    )
    async with answering(lambda request, body: next(answers)) as loopback, wechatpay(loopback) as wxpay:
        fields = {"appid": APPID, "bill_date": "20140603", "bill_type": "ALL"}
        assert (await wxpay.v2.pay.downloadbill(fields)).data == bill
        with pytest.raises(ReturnCodeError, match="20002 No Bill Exist"):
            await wxpay.v2.pay.downloadbill(fields)
        with pytest.raises(ResponseDecodeError, match="an HTML page"):
            await wxpay.v2.pay.downloadbill(fields)


async def test_no_error_shows_the_key() -> None:
    for answer in (signed()[:-20], PAGE, signed().replace(b"OK", b"KO"), b"<xml></xml>"):
        with pytest.raises(SdkError) as caught:
            await queried(answer)
        assert SECRET not in f"{caught.value}{caught.value!r}"
    assert signing_v2.verify(xml.loads(signed()), SECRET)
    assert MCHID.isdigit()


ORDER = {"appid": APPID, "body": "茶", "out_trade_no": "A1", "total_fee": 1, "spbill_create_ip": "8.8.8.8"}
CALLS: dict[str, Callable[[Wechatpay], Awaitable[Any]]] = {
    "micropay": lambda wxpay: wxpay.v2.pay.micropay({**ORDER, "auth_code": "120061098828009406"}),
    "closeorder": lambda wxpay: wxpay.v2.pay.closeorder(appid=APPID, out_trade_no="A1"),
    "orderquery": lambda wxpay: wxpay.v2.pay.orderquery(appid=APPID, out_trade_no="A1"),
    "refundquery": lambda wxpay: wxpay.v2.pay.refundquery(appid=APPID, out_trade_no="A1"),
    "unifiedorder": lambda wxpay: wxpay.v2.pay.unifiedorder(
        {**ORDER, "notify_url": "https://shop.example/n", "trade_type": "NATIVE"}
    ),
    "undeclared": lambda wxpay: wxpay.v2.pay.something(appid=APPID, out_trade_no="A1"),
    # whose answers are not signed
    "transfers": lambda wxpay: wxpay.v2.mmpaymkttransfers.gethbinfo(appid=APPID, mch_billno="1", bill_type="MCHT"),
}


class TestEchoes:
    """The same key signs requests and responses: a request that is sent back is not a response."""

    @pytest.mark.parametrize("name", [name for name in CALLS if name != "transfers"])
    async def test_a_request_that_comes_back_is_no_answer(self, name: str) -> None:
        async with answering(lambda request, body: body) as loopback, wechatpay(loopback) as wxpay:
            with pytest.raises(BadSignatureError, match="sent back what was sent") as caught:
                await CALLS[name](wxpay)
        assert caught.value.outcome_unknown is (name in ("micropay", "closeorder", "unifiedorder", "undeclared"))

    @pytest.mark.parametrize("name", [name for name in CALLS if name != "transfers"])
    async def test_nor_is_another_request_of_the_merchants(self, name: str) -> None:
        other = {"appid": APPID, "mch_id": MCHID, "out_trade_no": "A1", "nonce_str": "n", "total_fee": "1"}
        echo = xml.dumps({**other, "sign": signing_v2.sign(other, SECRET)})
        async with answering(echo) as loopback, wechatpay(loopback) as wxpay:
            with pytest.raises(ResponseDecodeError, match="no `return_code`") as caught:
                await CALLS[name](wxpay)
        assert caught.value.outcome_unknown is (name in ("micropay", "closeorder", "unifiedorder", "undeclared"))

    @pytest.mark.parametrize("missing", ["return_code", "result_code"])
    @pytest.mark.parametrize("empty", [True, False])
    async def test_both_codes_are_signed_and_say_success(self, missing: str, empty: bool) -> None:
        fields = {"return_code": "SUCCESS", "result_code": "SUCCESS", "mch_id": MCHID}
        del fields[missing]
        signed_fields = {**fields, "sign": signing_v2.sign(fields, SECRET)}
        with pytest.raises(ResponseDecodeError, match=f"no `{missing}`"):
            await queried(xml.dumps({**signed_fields, missing: ""} if empty else signed_fields))

    async def test_an_unsigned_answer_needs_its_codes_too(self) -> None:
        async with answering(lambda request, body: body) as loopback, wechatpay(loopback) as wxpay:
            wxpay_call = wxpay.v2.payitil.report(
                appid=APPID, interface_url="https://a.example", user_ip="8.8.8.8", trades=[{"out_trade_no": "1"}]
            )
            with pytest.raises(ResponseDecodeError, match="no `return_code`"):
                await wxpay_call

    async def test_an_answer_whose_spec_has_no_result_code_needs_none(self) -> None:
        fields = {"return_code": "SUCCESS", "mch_id": MCHID, "appid": APPID, "fee_type": "USD", "rate": "650000000"}
        answer = xml.dumps({**fields, "sign": signing_v2.sign(fields, SECRET)})
        async with answering(answer) as loopback, wechatpay(loopback) as wxpay:
            response = await wxpay.v2.pay.queryexchagerate(appid=APPID, fee_type="USD", date="20261201", validate=False)
        assert response.data["fee_type"] == "USD"


class TestDoubt:
    """Whether the outcome is known follows from status and signature, not from what an unsigned body says."""

    PAID = xml.dumps({"return_code": "SUCCESS", "result_code": "FAIL", "err_code": "ORDERPAID", "err_code_des": "x"})

    @pytest.mark.parametrize("status", [500, 502, 503, 504])
    @pytest.mark.parametrize(
        "body",
        [
            PAID,
            xml.dumps({"return_code": "FAIL", "return_msg": "签名错误"}),
            signed(result_code="FAIL", err_code="NOTENOUGH"),
            signed(),
            PAGE,
            b"",
        ],
        ids=["unsigned refusal", "not understood", "signed refusal", "signed success", "page", "nothing"],
    )
    async def test_after_a_5xx_the_outcome_is_unknown_whatever_its_body_says(self, status: int, body: bytes) -> None:
        async with (
            answering(lambda request, _: web.Response(status=status, body=body)) as loopback,
            wechatpay(loopback, retries=0) as wxpay,
        ):
            with pytest.raises(ServiceError) as caught:
                await CALLS["micropay"](wxpay)
            assert (caught.value.outcome_unknown, caught.value.status) == (True, status)
            with pytest.raises(ServiceError) as asked:
                await CALLS["orderquery"](wxpay)
            assert not asked.value.outcome_unknown
        assert caught.value.body == body

    @pytest.mark.parametrize("status", [302, 400, 403, 404, 429, 500])
    async def test_an_unsigned_code_is_shown_and_raises_no_class_of_its_own(self, status: int) -> None:
        async with (
            answering(lambda request, _: web.Response(status=status, body=self.PAID)) as loopback,
            wechatpay(loopback, retries=0) as wxpay,
        ):
            with pytest.raises(ServiceError, match="its unverified body says: SUCCESS FAIL ORDERPAID x") as caught:
                await CALLS["orderquery"](wxpay)
        assert not isinstance(caught.value, (ResultCodeError, OrderPaidError))
        assert caught.value.code == ""
        assert isinstance(caught.value, RateLimitError) is (status == 429)

    @pytest.mark.parametrize("code", ["SYSTEMERROR", "SYSTEM_ERROR", "BANKERROR", "USERPAYING", "ORDERPAID"])
    async def test_a_signed_refusal_says_what_is_known(self, code: str) -> None:
        async with answering(signed(result_code="FAIL", err_code=code)) as loopback, wechatpay(loopback) as wxpay:
            with pytest.raises(ResultCodeError) as caught:
                await CALLS["micropay"](wxpay)
            assert caught.value.outcome_unknown is (code != "ORDERPAID")
            with pytest.raises(ResultCodeError) as asked:
                await CALLS["orderquery"](wxpay)
            assert not asked.value.outcome_unknown

    @pytest.mark.parametrize("words", [{"return_msg": "SYSTEMERROR"}, {"error_code": "SYSTEMERROR"}])
    async def test_a_system_error_that_is_not_signed_leaves_doubt(self, words: dict[str, str]) -> None:
        body = xml.dumps({"return_code": "FAIL", **words})
        async with answering(body) as loopback, wechatpay(loopback) as wxpay:
            with pytest.raises(ReturnCodeError) as caught:
                await CALLS["micropay"](wxpay)
            assert caught.value.outcome_unknown


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("No Bill Exist", StatementNotExistError),
        ("NO Bill Exist", StatementNotExistError),
        ("Bill Creating", StatementCreatingError),
    ],
)
async def test_a_bill_that_is_not_there_has_a_class_and_a_hint(message: str, kind: type[ServiceError]) -> None:
    answer = xml.dumps({"return_code": "FAIL", "return_msg": message, "error_code": "20002"})
    async with answering(answer) as loopback, wechatpay(loopback) as wxpay:
        with pytest.raises(kind, match=f"20002 {message}; the") as caught:
            await wxpay.v2.pay.downloadbill(appid=APPID, bill_date="20140603", bill_type="ALL")
    assert isinstance(caught.value, ReturnCodeError)
    copied = pickle.loads(pickle.dumps(caught.value))  # noqa: S301 - made here
    assert (type(copied), str(copied)) == (type(caught.value), str(caught.value))


async def test_what_nobody_signed_raises_no_class_of_an_order() -> None:
    with pytest.raises(ReturnCodeError) as caught:
        await queried(xml.dumps({"return_code": "FAIL", "error_code": "ORDERPAID", "return_msg": "ORDERPAID"}))
    assert not isinstance(caught.value, OrderPaidError)


async def test_the_message_beside_return_code_has_two_names() -> None:
    with pytest.raises(ReturnCodeError, match="200 FAIL 参数错误"):
        await queried("<xml><return_code>FAIL</return_code><retmsg>参数错误</retmsg></xml>".encode())
