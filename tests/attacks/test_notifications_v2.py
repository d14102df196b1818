"""APIv2 notifications: type and id are taken only from fields that the signature covers."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from tests.notify.conftest import PAYMENT_V2, Sender, make_sender
from wxpay_dsl import Notifications, SdkError
from wxpay_dsl.notify import MalformedNotificationError
from wxpay_dsl.notify.parsing.v2 import open_v2
from wxpay_dsl.wechat.payment_params import signing as payment_params
from wxpay_dsl.wechat.v2 import xml

MCHID = "1900000109"
CONTRACT = {
    "return_code": "SUCCESS",
    "result_code": "SUCCESS",
    "mch_id": MCHID,
    "contract_code": "100001256",
    "plan_id": "123",
    "openid": "oHZx6uMbIG46UXQ3SKxU0yTegABC",
    "change_type": "DELETE",
    "contract_id": "Wx15463511252015071056489715",
    "operate_time": "2026-11-30 10:00:00",
}
PARKING = {
    "mch_id": MCHID,
    "plate_number": "粤A00000",
    "vehicle_event_type": "NORMAL",
    "vehicle_event_createtime": "20261130100000",
}
#: Names by whose presence something could be decided.
TELLING = (
    *("return_code", "result_code", "trade_state", "out_trade_no", "transaction_id", "err_code"),
    *("change_type", "contract_id", "vehicle_event_type", "plate_number", "combine_out_trade_no"),
    *("req_info", "event_ciphertext", "event_type", "event_id", "mch_id", "combine_mch_id", "time_end"),
)


@pytest.fixture(scope="module")
def sender() -> Sender:
    return make_sender()


class Shop:
    """Handles everything, and counts."""

    def __init__(self, sender: Sender) -> None:
        self.handled: list[Any] = []
        self.notifications = Notifications(sender.merchant_keys, store="memory")
        self.notifications.fallback(self.handled.append)

    async def post(self, fields: dict[str, str]) -> int:
        return (await self.notifications.handle({}, xml.dumps(fields), MCHID)).status


def payment_pages(sender: Sender) -> dict[str, dict[str, str]]:
    """What a payer's browser is given, with the signature under the name that a notification has for it."""
    secret = sender.merchant.apiv2_key
    jsapi = payment_params.jsapi_v2("wx201410272009395522657a690389285100", "wx8888888888888888", secret)
    app = payment_params.app_v2("wx201410272009395522657a690389285100", "wx8888888888888888", MCHID, secret)
    return {
        "jsapi": {("sign" if name == "paySign" else name): value for name, value in jsapi.items()},
        "app": app,
    }


@pytest.mark.parametrize("page", ["jsapi", "app"])
@pytest.mark.parametrize("empty", ["", *TELLING])
async def test_the_signature_of_a_page_is_no_notification(page: str, empty: str, sender: Sender) -> None:
    shop = Shop(sender)
    fields = payment_pages(sender)[page]
    assert await shop.post({**fields, empty: ""} if empty else fields) >= 400
    assert shop.handled == []


@pytest.mark.parametrize("true", [PAYMENT_V2, CONTRACT, PARKING, {"mch_id": MCHID, "new": "1"}], ids=len)
async def test_empty_elements_make_no_second_notification_of_a_true_one(true: dict[str, str], sender: Sender) -> None:
    shop = Shop(sender)
    fields = xml.loads(sender.xml(true).body)
    assert await shop.post(fields) == 200
    for name in (*TELLING, "x1", "x2", "x3"):
        if name not in fields:
            assert await shop.post({**fields, name: ""}) == 200
    assert len(shop.handled) == 1


@pytest.mark.parametrize("true", [PAYMENT_V2, CONTRACT, PARKING], ids=len)
async def test_nor_do_they_change_what_it_is(true: dict[str, str], sender: Sender) -> None:
    fields = xml.loads(sender.xml(true).body)
    plain = await Notifications(sender.merchant_keys).parse({}, xml.dumps(fields))
    for name in TELLING:
        changed = await Notifications(sender.merchant_keys).parse({}, xml.dumps({name: "", **fields}))
        assert (changed.type, changed.id, changed.resource) == (plain.type, plain.id, plain.resource)
        assert changed.envelope == plain.envelope


async def test_what_nobody_knows_is_not_called_signed(sender: Sender) -> None:
    """A signed link for a browser has the merchant's id too."""
    event = await Notifications(sender.merchant_keys).parse({}, sender.xml({"mch_id": MCHID, "plan_id": "1"}).body)
    assert (event.type, event.signed) == ("v2/unknown", False)


@pytest.mark.parametrize("name", ["return_code", "result_code"])
@pytest.mark.parametrize("value", ["", None])
async def test_a_payment_needs_both_codes_under_its_signature(name: str, value: str | None, sender: Sender) -> None:
    fields = {**PAYMENT_V2, name: value or ""}
    if value is None:
        del fields[name]
    event = await Notifications(sender.merchant_keys).parse({}, sender.xml(fields).body)
    assert (event.type, event.signed) == ("v2/unknown", False)


class TestMovedFields:
    """``sign`` does not delimit fields: ``a=1&b=2`` is signed alike as one and as two."""

    FAILED: ClassVar = {**PAYMENT_V2, "trade_state": "PAY_FAIL", "err_code": "NOTENOUGH"}

    def merged(self, fields: dict[str, str], name: str) -> dict[str, str]:
        """The same signature, with one field written into the value of the one before it."""
        names = sorted(each for each in fields if each != "sign")
        before = names[names.index(name) - 1]
        moved = {each: value for each, value in fields.items() if each != name}
        return {**moved, before: f"{fields[before]}&{name}={fields[name]}"}

    @pytest.mark.parametrize("name", ["trade_state", "err_code", "transaction_id", "total_fee", "out_trade_no"])
    async def test_no_field_that_decides_is_hidden_in_another(self, name: str, sender: Sender) -> None:
        fields = xml.loads(sender.xml(self.FAILED).body)
        forged = self.merged(fields, name)
        with pytest.raises(MalformedNotificationError, match=f"contains `&{name}=`"):
            await Notifications(sender.merchant_keys).parse({}, xml.dumps(forged))

    @pytest.mark.parametrize("attach", ["order=1", "order=1&zone=2"])
    async def test_nor_in_the_attached_text(self, attach: str, sender: Sender) -> None:
        """It is the merchant's own: any query string may stand there, but none that was a field."""
        contract = {**CONTRACT, "attach": attach}
        forged = self.merged(xml.loads(sender.xml(contract).body), "change_type")
        assert forged["attach"] == f"{attach}&change_type=DELETE"
        with pytest.raises(SdkError):
            await Notifications(sender.merchant_keys).parse({}, xml.dumps(forged))

    async def test_nor_any_declared_field_in_one_that_is_none(self, sender: Sender) -> None:
        forged = self.merged(xml.loads(sender.xml(PAYMENT_V2).body), "attach")
        with pytest.raises(MalformedNotificationError, match="`appid` contains `&attach="):
            await Notifications(sender.merchant_keys).parse({}, xml.dumps(forged))

    async def test_texts_in_json_are_read(self, sender: Sender) -> None:
        orders = '{"order_num":1,"order_list":[{"attach":"a=1&total_fee=2"}]}'
        combined = {**PAYMENT_V2, "combine_out_trade_no": "C1", "sub_order_list": orders}
        fields = xml.loads(sender.xml(combined).body)
        event = await Notifications(sender.merchant_keys).parse({}, xml.dumps(fields))
        assert event.resource["sub_order_list"]["order_list"][0]["attach"] == "a=1&total_fee=2"
        with pytest.raises(MalformedNotificationError, match="`sub_order_list` contains `&total_fee="):
            await Notifications(sender.merchant_keys).parse({}, xml.dumps(self.merged(fields, "total_fee")))

    async def test_a_signature_over_nothing_is_no_notification(self, sender: Sender) -> None:
        with pytest.raises(MalformedNotificationError, match="names no merchant"):
            await Notifications(sender.merchant_keys).parse({}, sender.xml({}).body, MCHID)

    @pytest.mark.parametrize(
        "attach",
        [
            *("a=1&b=2", "uid=7&total_fee=100&out_trade_no=1", "M&M", "&=", "a&b=c"),
            *("a=1&attach=2", "a=1&bank_type=CFT"),  # its own name, and that of the next field: no field is there twice
        ],
    )
    async def test_a_merchants_own_text_is_read(self, attach: str, sender: Sender) -> None:
        event = await Notifications(sender.merchant_keys).parse({}, sender.xml({**PAYMENT_V2, "attach": attach}).body)
        assert (event.type, event.resource["attach"]) == ("v2/transaction-success", attach)


def test_a_sealed_event_needs_its_type_and_number_signed(sender: Sender) -> None:
    fields = xml.loads(sender.event("v2/TRANSACTION.SUCCESS", {"state": "USER_PAID"}).body)
    for name in ("event_type", "event_id"):
        changed = {each: value for each, value in fields.items() if each not in (name, "sign")}
        signed = xml.loads(sender.xml({**changed, name: ""}).body)
        with pytest.raises(MalformedNotificationError, match=name):
            open_v2(signed, sender.merchant_keys, lambda kind: None)
