"""APIv2 notifications: verified by their ``sign``, opened, typed; nothing that failed is taken for a payment."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.notify.conftest import PAYMENT_V2, Sender, make_sender
from wxpay_dsl import BadSignatureError, ConfigurationError, MerchantKeys, Notifications, SdkError
from wxpay_dsl.notify import (
    MalformedNotificationError,
    NotificationDecryptionError,
    NotificationTooLargeError,
    UnknownMerchantError,
)
from wxpay_dsl.notify.parsing.v2 import merchant_of, read_v2
from wxpay_dsl.wechat.crypto import ciphers
from wxpay_dsl.wechat.v2 import signing as signing_v2
from wxpay_dsl.wechat.v2 import xml

REFUND = {
    "appid": "wx8888888888888888",
    "mch_id": "1900000109",
    "transaction_id": "4200000215201811190261405420",
    "out_trade_no": "71106718111915575302817",
    "refund_id": "50000408942018111907145868882",
    "out_refund_no": "131811191610442717309",
    "total_fee": "3960",
    "refund_fee": "3960",
    "refund_status": "SUCCESS",
    "success_time": "2018-11-19 16:24:13",
    "refund_recv_accout": "支付用户零钱",
}


@pytest.fixture
def notifications(sender: Sender) -> Notifications:
    return Notifications(sender.merchant_keys)


@pytest.mark.parametrize("sign_type", ["MD5", "HMAC-SHA256"])
async def test_a_payment_is_an_event(sign_type: str, sender: Sender, notifications: Notifications) -> None:
    wire = sender.xml(PAYMENT_V2, sign_type)
    event = await notifications.parse(wire.headers, wire.body)
    assert event.type == "v2/transaction-success"
    assert event.dialect == "v2"
    assert event.merchant == "1900000109"
    assert event.id == "transaction-success/1004400740201409030005092168/1409811653"
    assert event.resource["out_trade_no"] == "1409811653"
    assert event.resource["total_fee"] == 1
    assert "sign" not in event.resource
    assert event.signed


async def test_headers_do_not_matter(sender: Sender, notifications: Notifications) -> None:
    wire = sender.xml(PAYMENT_V2)
    assert (await notifications.parse({}, b"\xef\xbb\xbf\r\n" + wire.body)).type == "v2/transaction-success"


@pytest.mark.parametrize(
    ("name", "value", "moment"),
    [
        ("time_end", "20140903131540", datetime(2014, 9, 3, 5, 15, 40, tzinfo=UTC)),
        ("time_end", "soon", None),
        ("operate_time", "2015-07-01 10:00:00", datetime(2015, 7, 1, 2, tzinfo=UTC)),
    ],
)
async def test_its_time_is_china_s(
    name: str, value: str, moment: datetime | None, sender: Sender, notifications: Notifications
) -> None:
    wire = sender.xml({**PAYMENT_V2, name: value})
    assert (await notifications.parse({}, wire.body)).create_time == moment


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({}, "v2/transaction-success"),
        ({"trade_state": "SUCCESS"}, "v2/transaction-success"),
        ({"trade_state": "PAY_FAIL"}, "v2/transaction-fail"),
        ({"result_code": "FAIL", "err_code": "NOTENOUGH"}, "v2/transaction-fail"),
        ({"return_code": "FAIL"}, "v2/transaction-fail"),
        ({"trade_state": "success"}, "v2/transaction-fail"),
        ({"trade_state": "SUCCESS "}, "v2/transaction-fail"),
        ({"result_code": ""}, "v2/unknown"),
        ({"return_code": ""}, "v2/unknown"),
        ({"combine_out_trade_no": "1"}, "v2/combined-transactions-success"),
        ({"combine_out_trade_no": "1", "result_code": "FAIL"}, "v2/combined-transactions-fail"),
        ({"change_type": "ADD", "contract_id": "Wx15463511252015071056489715"}, "v2/contract-changed"),
        ({"vehicle_event_type": "NORMAL", "plate_number": "粤A00000"}, "v2/vehicle-state-changed-for-parking"),
        ({"trade_state": "PAY_BACK"}, "v2/transaction-pay-back"),
    ],
    ids=str,
)
async def test_what_it_is_about_is_told_by_its_fields(
    changes: dict[str, str], kind: str, sender: Sender, notifications: Notifications
) -> None:
    wire = sender.xml({**PAYMENT_V2, **changes})
    assert (await notifications.parse({}, wire.body)).type == kind


async def test_what_nobody_knows_is_unknown_and_has_an_id_of_its_content(
    sender: Sender, notifications: Notifications
) -> None:
    fields = {"mch_id": "1900000109", "brand_new": "1"}
    first = await notifications.parse({}, sender.xml({**fields, "nonce_str": "a"}).body)
    again = await notifications.parse({}, sender.xml({**fields, "nonce_str": "b"}).body)
    other = await notifications.parse({}, sender.xml({**fields, "brand_new": "2"}).body)
    assert first.type == "v2/unknown"
    assert first.id == again.id != other.id
    assert not first.signed, "the same key signs pages, links and requests"


class TestRefund:
    async def test_it_is_decrypted_and_typed_and_says_that_nobody_signed_it(
        self, sender: Sender, notifications: Notifications
    ) -> None:
        wire = sender.event("v2/refund-processed", REFUND)
        assert b"refund_id" not in wire.body
        event = await notifications.parse(wire.headers, wire.body)
        assert event.type == "v2/refund-processed"
        assert event.id == "refund-processed/50000408942018111907145868882/SUCCESS"
        assert event.resource["refund_recv_accout"] == "支付用户零钱"
        assert event.create_time == datetime(2018, 11, 19, 8, 24, 13, tzinfo=UTC)
        assert not event.signed

    async def test_two_states_of_one_refund_are_two_events(self, sender: Sender, notifications: Notifications) -> None:
        ids = set()
        for state in ("CHANGE", "SUCCESS"):
            wire = sender.event("v2/refund-processed", {**REFUND, "refund_status": state})
            ids.add((await notifications.parse({}, wire.body)).id)
        assert len(ids) == 2

    async def test_fields_outside_of_what_is_encrypted_are_not_taken_for_it(
        self, sender: Sender, notifications: Notifications
    ) -> None:
        sealed = ciphers.ecb_encrypt("<root><refund_id>1</refund_id></root>", sender.merchant.apiv2_key)
        outside = {"req_info": sealed, "refund_fee": "999999", "time_end": "20140903131540"}
        wire = sender.xml({**PAYMENT_V2, **outside}, sign_type=None)
        event = await notifications.parse({}, wire.body)
        assert event.create_time is None
        assert event.type == "v2/refund-processed"
        assert event.resource == {"refund_id": "1"}

    @pytest.mark.parametrize("sealed", ["", "AAAA", "not base64", "密文", "A" * 64])
    async def test_what_does_not_decrypt_is_one_error(
        self, sealed: str, sender: Sender, notifications: Notifications
    ) -> None:
        wire = sender.xml({"mch_id": "1900000109", "req_info": sealed}, sign_type=None)
        with pytest.raises((NotificationDecryptionError, MalformedNotificationError, BadSignatureError)):
            await notifications.parse({}, wire.body)

    @pytest.mark.parametrize("plaintext", ["", "{}", "<xml><a>1</a></xml>", "<!DOCTYPE root><root/>", "<root>"])
    async def test_what_is_inside_is_xml(self, plaintext: str, sender: Sender, notifications: Notifications) -> None:
        sealed = ciphers.ecb_encrypt(plaintext, sender.merchant.apiv2_key)
        wire = sender.xml({"mch_id": "1900000109", "req_info": sealed}, sign_type=None)
        with pytest.raises(MalformedNotificationError, match="req_info"):
            await notifications.parse({}, wire.body)

    async def test_a_signature_that_is_there_must_be_right(self, sender: Sender, notifications: Notifications) -> None:
        sealed = ciphers.ecb_encrypt("<root><refund_id>1</refund_id></root>", sender.merchant.apiv2_key)
        fields = {"mch_id": "1900000109", "req_info": sealed}
        assert (await notifications.parse({}, sender.xml(fields).body)).signed
        with pytest.raises(BadSignatureError):
            await notifications.parse({}, sender.xml({**fields, "sign": "0" * 32}, sign_type=None).body)


class TestScore:
    """WeChat Pay Score (微信支付分): APIv2 outside, encrypted as APIv3 inside."""

    async def test_it_is_verified_and_decrypted(self, sender: Sender, notifications: Notifications) -> None:
        resource = {"state": "USER_PAID", "out_order_no": "1234323JKHDFE1243252", "total_amount": "200"}
        wire = sender.event("v2/TRANSACTION.SUCCESS", resource)
        event = await notifications.parse(wire.headers, wire.body)
        assert event.type == "v2/TRANSACTION.SUCCESS"
        assert event.resource == resource
        assert event.signed
        assert event.id.startswith("TRANSACTION.SUCCESS/EV-")

    async def test_without_an_apiv3_key_it_says_so(self, sender: Sender) -> None:
        notifications = Notifications(MerchantKeys.of("1900000109", apiv2_key=sender.merchant.apiv2_key))
        with pytest.raises(ConfigurationError, match="apiv3_key"):
            await notifications.parse({}, sender.event("v2/TRANSACTION.SUCCESS", {"state": "USER_PAID"}).body)

    @pytest.mark.parametrize("plaintext", ["", "[]", "<root/>", "[" * 100_000])
    async def test_what_is_inside_is_an_object_of_json(
        self, plaintext: str, sender: Sender, notifications: Notifications
    ) -> None:
        sealed = ciphers.aead_encrypt(plaintext, sender.merchant.apiv3_key, "0123456789ab", "")
        fields = {"mch_id": "1900000109", "event_ciphertext": sealed, "event_nonce": "0123456789ab"}
        with pytest.raises(MalformedNotificationError, match="event_ciphertext"):
            await notifications.parse({}, sender.xml(fields).body)


class TestRefused:
    async def test_without_a_signature(self, sender: Sender, notifications: Notifications) -> None:
        for fields in (PAYMENT_V2, {**PAYMENT_V2, "sign": ""}):
            with pytest.raises(BadSignatureError, match="no `sign`"):
                await notifications.parse({}, sender.xml(fields, sign_type=None).body)

    @pytest.mark.parametrize("name", sorted(PAYMENT_V2))
    async def test_a_field_that_was_changed(self, name: str, sender: Sender, notifications: Notifications) -> None:
        fields = xml.loads(sender.xml(PAYMENT_V2).body)
        if name == "mch_id":
            return  # another merchant's: see below
        changed = sender.xml({**fields, name: fields[name] + "0"}, sign_type=None)
        with pytest.raises(BadSignatureError):
            await notifications.parse({}, changed.body)

    async def test_a_field_that_was_added_or_taken(self, sender: Sender, notifications: Notifications) -> None:
        fields = xml.loads(sender.xml(PAYMENT_V2).body)
        added = {**fields, "coupon_fee": "1"}
        taken = {name: value for name, value in fields.items() if name != "total_fee"}
        for changed in (added, taken):
            with pytest.raises(BadSignatureError):
                await notifications.parse({}, sender.xml(changed, sign_type=None).body)

    async def test_under_another_key(self, sender: Sender) -> None:
        notifications = Notifications(MerchantKeys.of("1900000109", apiv2_key="another"))
        with pytest.raises(BadSignatureError, match="APIv2密钥"):
            await notifications.parse({}, sender.xml(PAYMENT_V2).body)

    async def test_without_an_apiv2_key(self, sender: Sender) -> None:
        certs = {sender.pair.id: sender.pair.private_key.public_key()}
        notifications = Notifications(
            MerchantKeys.of("1900000109", platform_keys=certs, apiv3_key=sender.merchant.apiv3_key)
        )
        with pytest.raises(ConfigurationError, match="apiv2_key"):
            await notifications.parse({}, sender.xml(PAYMENT_V2).body)

    async def test_for_a_merchant_that_is_not_served(self, sender: Sender, notifications: Notifications) -> None:
        for mchid in ("1900009999", ""):
            with pytest.raises(UnknownMerchantError):
                await notifications.parse({}, sender.xml({**PAYMENT_V2, "mch_id": mchid}).body)

    async def test_at_another_merchants_url(self, sender: Sender) -> None:
        other = make_sender("1900000110")
        notifications = Notifications(sender.merchant_keys, other.merchant_keys)
        assert (await notifications.parse({}, sender.xml(PAYMENT_V2).body, "1900000109")).merchant == "1900000109"
        with pytest.raises(UnknownMerchantError, match="URL of 1900000110"):
            await notifications.parse({}, sender.xml(PAYMENT_V2).body, "1900000110")

    @pytest.mark.parametrize(
        "body",
        [
            b"<xml>",
            b"<xml/>",
            b"<root><mch_id>1900000109</mch_id></root>",
            b"<!DOCTYPE xml [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><xml><mch_id>&x;</mch_id></xml>",
            b"<xml><mch_id>1900000109</mch_id><mch_id>1900000110</mch_id></xml>",
            b"<xml><a><b>1</b></a></xml>",
            b"<xml>" + b"".join(b"<a%d>1</a%d>" % (n, n) for n in range(3000)) + b"</xml>",
            b"<" * 1000,
            b"<xml>\xff</xml>",
        ],
        ids=lambda body: str(body[:40]),
    )
    async def test_xml_that_is_none_or_could_mislead(self, body: bytes, notifications: Notifications) -> None:
        with pytest.raises((MalformedNotificationError, UnknownMerchantError)):
            await notifications.parse({}, body)

    async def test_a_huge_body(self, notifications: Notifications) -> None:
        with pytest.raises(NotificationTooLargeError):
            await notifications.parse({}, b"<xml>" + b" " * (1 << 20) + b"</xml>")

    @given(
        st.dictionaries(st.sampled_from([*PAYMENT_V2, "req_info", "sign", "event_ciphertext"]), st.text(), max_size=9)
    )
    async def test_whatever_comes_raises_an_error_of_ours(self, fields: Mapping[str, str]) -> None:
        sender = make_sender()
        try:
            body = xml.dumps({"mch_id": "1900000109", **fields})
        except xml.XmlError:
            return
        with pytest.raises(SdkError):
            await Notifications(sender.merchant_keys).parse({}, body)

    @given(st.dictionaries(st.from_regex(r"[a-z_]{1,20}", fullmatch=True), st.text(max_size=20), max_size=12))
    async def test_whatever_is_signed_is_an_event(self, fields: dict[str, str]) -> None:
        sender = make_sender()
        for name in ("req_info", "event_ciphertext", "sign"):
            fields.pop(name, None)
        fields["mch_id"] = "1900000109"
        try:
            wire = sender.xml(fields)
        except xml.XmlError:
            return
        event = await Notifications(sender.merchant_keys).parse({}, wire.body)
        assert event.signed is (event.type != "v2/unknown")


def test_the_official_check_value_verifies() -> None:
    fields = {
        "appid": "wxd930ea5d5a258f4f",
        "mch_id": "10000100",
        "device_info": "1000",
        "body": "test",
        "nonce_str": "ibuaiVcKdpRxkhJA",
        "sign": "9A0A8659F005D6984697E2CA0A9CF3B7",
    }
    assert signing_v2.verify(fields, "192006250b4c09247ec02edce69f6a2d")


@pytest.mark.parametrize("name", ["mch_id", "mchid", "combine_mch_id"])
def test_the_merchant_has_one_of_three_names(name: str) -> None:
    assert merchant_of({name: "1900000109"}) == "1900000109"
    assert merchant_of({"combine_mch_id": "3", name: "1900000109"}) == "1900000109"
    assert merchant_of({}) == ""


def test_two_thousand_fields_are_read_and_no_more() -> None:
    assert len(read_v2(xml.dumps({f"f{number}": "1" for number in range(2000)}))) == 2000
    with pytest.raises(MalformedNotificationError):
        read_v2(xml.dumps({f"f{number}": "1" for number in range(2001)}))
