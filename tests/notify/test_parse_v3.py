"""APIv3 notifications: what is signed by WeChat Pay becomes an event, whatever else comes is refused and says why."""

from __future__ import annotations

import json
import pickle
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from attrs.exceptions import FrozenInstanceError
from hypothesis import given
from hypothesis import strategies as st

from tests.notify.conftest import PAYMENT, Sender, Wire, make_sender
from wxpay_dsl import (
    BadSignatureError,
    ClockSkewError,
    ConfigurationError,
    MalformedTimestampError,
    MerchantKeys,
    MissingHeaderError,
    NotificationError,
    Notifications,
    SdkError,
    UnknownSerialError,
)
from wxpay_dsl.notify import (
    MalformedNotificationError,
    NotificationDecryptionError,
    NotificationTooLargeError,
    UnknownMerchantError,
)
from wxpay_dsl.sandbox.keys.identity import make_platform_public_key
from wxpay_dsl.wechat.crypto.platform_key import PlatformKey
from wxpay_dsl.wechat.platform_keys.keys import PlatformKeys


@pytest.fixture
def notifications(sender: Sender) -> Notifications:
    return Notifications(sender.merchant_keys)


async def test_a_payment_is_a_frozen_event_with_its_resource(sender: Sender, notifications: Notifications) -> None:
    wire = sender.event()
    event = await notifications.parse(wire.headers, wire.body)
    envelope = json.loads(wire.body)
    assert event.id == envelope["id"]
    assert event.type == "TRANSACTION.SUCCESS"
    assert event.original_type == "transaction"
    assert event.summary == "支付成功"
    assert event.merchant == "1900000109"
    assert event.resource == PAYMENT
    assert event.create_time is not None
    assert abs((datetime.now(UTC) - event.create_time).total_seconds()) < 60
    assert event.signed
    assert event.envelope == envelope
    with pytest.raises(FrozenInstanceError):
        event.id = "another"  # type: ignore[misc]  # that is the test


async def test_no_personal_data_is_in_the_repr(sender: Sender, notifications: Notifications) -> None:
    wire = sender.event()
    shown = repr(await notifications.parse(wire.headers, wire.body))
    assert "TRANSACTION.SUCCESS" in shown
    assert PAYMENT["payer"]["openid"] not in shown
    assert sender.merchant.apiv3_key not in repr(sender.merchant_keys)
    with pytest.raises(TypeError, match="never pickled"):
        pickle.dumps(sender.merchant_keys)


async def test_an_event_survives_pickling(sender: Sender, notifications: Notifications) -> None:
    wire = sender.event()
    event = await notifications.parse(wire.headers, wire.body)
    assert pickle.loads(pickle.dumps(event)) == event  # noqa: S301 - our own bytes


@pytest.mark.parametrize(
    "spell",
    [
        str.lower,
        str.upper,
        str.title,
        lambda name: name.upper().replace("-", "_"),
        lambda name: name.lower().replace("-", "_"),
    ],
    ids=["lower", "upper", "title", "UPPER_CASE", "lower_case"],
)
async def test_headers_are_found_however_a_server_spells_them(
    spell: Callable[[str], str], sender: Sender, notifications: Notifications
) -> None:
    wire = sender.event()
    headers = {spell(name): value for name, value in wire.headers.items()}
    assert (await notifications.parse(headers, wire.body)).type == "TRANSACTION.SUCCESS"


@pytest.mark.parametrize("body", [bytearray, memoryview], ids=lambda kind: kind.__name__)
async def test_bytes_in_another_container_are_bytes(body: Any, sender: Sender, notifications: Notifications) -> None:
    wire = sender.event()
    assert (await notifications.parse(wire.headers, body(wire.body))).resource == PAYMENT


async def test_text_is_no_raw_body(sender: Sender, notifications: Notifications) -> None:
    wire = sender.event()
    with pytest.raises(TypeError, match="raw bytes"):
        await notifications.parse(wire.headers, wire.body.decode())  # type: ignore[arg-type]  # that is the test


@pytest.mark.parametrize("mode", ["public-key", "certificate"])
async def test_both_key_modes_verify(mode: str) -> None:
    sender = make_sender(mode=mode)
    wire = sender.event()
    event = await Notifications(sender.merchant_keys).parse(wire.headers, wire.body)
    assert event.resource == PAYMENT


@pytest.mark.parametrize("name", ["Wechatpay-Timestamp", "Wechatpay-Nonce", "Wechatpay-Signature", "Wechatpay-Serial"])
@pytest.mark.parametrize("value", [None, ""])
async def test_a_header_that_is_missing_is_named(
    name: str, value: str | None, sender: Sender, notifications: Notifications
) -> None:
    wire = sender.event()
    headers = {key: content for key, content in wire.headers.items() if key != name}
    if value is not None:
        headers[name] = value
    with pytest.raises(MissingHeaderError, match=name) as caught:
        await notifications.parse(headers, wire.body)
    assert caught.value.header == name
    assert caught.value.subject == "notification"


@pytest.mark.parametrize("text", ["soon", "1e9", "-5", " 1554209980", "1554209980.0", "１５５４２０９９８０", "9" * 40])
async def test_a_timestamp_is_whole_seconds(text: str, sender: Sender, notifications: Notifications) -> None:
    wire = sender.event()
    with pytest.raises(MalformedTimestampError):
        await notifications.parse({**wire.headers, "Wechatpay-Timestamp": text}, wire.body)


@pytest.mark.parametrize(
    ("age", "good"), [(0, True), (300, True), (-300, True), (302, False), (-302, False), (1e8, False)]
)
async def test_the_clock_window_is_five_minutes(age: float, good: bool, sender: Sender) -> None:
    now = 1_800_000_000.0
    notifications = Notifications(sender.merchant_keys, clock=lambda: now)
    wire = sender.event(now=now - age)
    if good:
        await notifications.parse(wire.headers, wire.body)
    else:
        with pytest.raises(ClockSkewError) as caught:
            await notifications.parse(wire.headers, wire.body)
        assert caught.value.age == age


async def test_a_probe_is_refused(sender: Sender, notifications: Notifications) -> None:
    wire = sender.event()
    probe = "WECHATPAY/SIGNTEST/" + wire.headers["Wechatpay-Signature"]
    with pytest.raises(BadSignatureError, match="probe"):
        await notifications.parse({**wire.headers, "Wechatpay-Signature": probe}, wire.body)


def _reserialised(wire: Wire) -> Wire:
    return Wire(wire.headers, json.dumps(json.loads(wire.body), indent=1).encode())


def _with(name: str, value: Callable[[str], str]) -> Callable[[Wire], Wire]:
    return lambda wire: Wire({**wire.headers, name: value(wire.headers[name])}, wire.body)


@pytest.mark.parametrize(
    "change",
    [
        _reserialised,
        lambda wire: Wire(wire.headers, wire.body + b"\n"),
        lambda wire: Wire(wire.headers, wire.body[:-1]),
        lambda wire: Wire(wire.headers, b""),
        lambda wire: Wire(wire.headers, wire.body.replace("支付".encode(), "退款".encode())),
        _with("Wechatpay-Nonce", lambda nonce: nonce + "x"),
        _with("Wechatpay-Nonce", lambda nonce: nonce + "\n" + nonce),
        _with("Wechatpay-Timestamp", lambda text: str(int(text) + 1)),
        _with("Wechatpay-Timestamp", lambda text: "0" + text),
        _with("Wechatpay-Signature", lambda text: text.swapcase()),
        _with("Wechatpay-Signature", lambda text: "not base64!"),
        _with("Wechatpay-Signature", lambda text: "密文"),
        _with("Wechatpay-Signature", lambda text: "A" * 100_000),
    ],
    ids=[
        "re-serialised", "one byte more", "one byte less", "no body", "another word", "nonce", "nonce with a line feed",
        "timestamp", "timestamp's text", "signature", "no base64", "no ASCII", "huge",
    ],
)  # fmt: skip
async def test_what_differs_in_anything_from_what_was_signed_is_refused(
    change: Callable[[Wire], Wire], sender: Sender, notifications: Notifications
) -> None:
    wire = change(sender.event())
    with pytest.raises(BadSignatureError):
        await notifications.parse(wire.headers, wire.body)


async def test_another_key_under_the_right_id_is_refused(sender: Sender) -> None:
    other = make_platform_public_key()
    certs = {sender.pair.id: other.private_key.public_key()}
    merchant_keys = MerchantKeys.of(sender.merchant.mchid, platform_keys=certs, apiv3_key=sender.merchant.apiv3_key)
    wire = sender.event()
    with pytest.raises(BadSignatureError, match="not WeChat Pay's"):
        await Notifications(merchant_keys).parse(wire.headers, wire.body)


async def test_an_unknown_serial_says_which_are_known(sender: Sender, notifications: Notifications) -> None:
    wire = sender.event()
    with pytest.raises(UnknownSerialError, match=sender.pair.id) as caught:
        await notifications.parse({**wire.headers, "Wechatpay-Serial": "5157F09EFDC096DE15EBE81A47057A72"}, wire.body)
    assert caught.value.serial == "5157F09EFDC096DE15EBE81A47057A72"


class _Fetching:
    """A keyring that can get the key it is asked for."""

    def __init__(self, key: PlatformKey) -> None:
        self.key = key
        self.asked: list[str] = []

    async def find(self, serial: str) -> PlatformKey | None:
        self.asked.append(serial)
        return PlatformKeys([self.key]).get(serial)

    async def preferred(self) -> PlatformKey:
        return self.key

    def key_ids(self) -> list[str]:
        return []


async def test_the_keyring_is_asked_for_a_serial_once(sender: Sender) -> None:
    keyring = _Fetching(PlatformKey(sender.pair.id, sender.pair.private_key.public_key()))
    notifications = Notifications(MerchantKeys(sender.merchant.mchid, keyring, sender.merchant.apiv3_key))
    wire = sender.event()
    assert (await notifications.parse(wire.headers, wire.body)).resource == PAYMENT
    assert keyring.asked == [sender.pair.id]


async def test_nothing_is_asked_of_the_keyring_for_what_is_malformed_or_late(sender: Sender) -> None:
    keyring = _Fetching(PlatformKey(sender.pair.id, sender.pair.private_key.public_key()))
    notifications = Notifications(MerchantKeys(sender.merchant.mchid, keyring, sender.merchant.apiv3_key))
    wire = sender.event(now=time.time() - 1000)
    for headers, body in ((wire.headers, wire.body), ({}, wire.body), (wire.headers, b"x" * (2 << 20))):
        with pytest.raises(SdkError):
            await notifications.parse(headers, body)
    assert keyring.asked == []


class TestResource:
    async def test_another_apiv3_key_does_not_open_it(self, sender: Sender) -> None:
        certs = {sender.pair.id: sender.pair.private_key.public_key()}
        notifications = Notifications(MerchantKeys.of("1900000109", platform_keys=certs, apiv3_key="x" * 32))
        wire = sender.event()
        with pytest.raises(NotificationDecryptionError, match="APIv3密钥"):
            await notifications.parse(wire.headers, wire.body)

    async def test_without_an_apiv3_key_it_says_so(self, sender: Sender) -> None:
        certs = {sender.pair.id: sender.pair.private_key.public_key()}
        wire = sender.event()
        with pytest.raises(NotificationDecryptionError, match="apiv3_key"):
            await Notifications(MerchantKeys.of("1900000109", platform_keys=certs)).parse(wire.headers, wire.body)

    def test_an_apiv3_key_of_another_length_is_refused_at_once(self, sender: Sender) -> None:
        certs = {sender.pair.id: sender.pair.private_key.public_key()}
        with pytest.raises(ConfigurationError, match="must be 32"):
            MerchantKeys.of("1900000109", platform_keys=certs, apiv3_key="short")

    def test_a_recipient_without_any_key_is_refused_at_once(self) -> None:
        with pytest.raises(ConfigurationError, match="platform_keys"):
            MerchantKeys.of("1900000109", apiv3_key="x" * 32)

    @pytest.mark.parametrize(
        "changes",
        [
            {"nonce": "another12345"},
            {"associated_data": "refund"},
            {"associated_data": None},
            {"ciphertext": "AAAA"},
            {"ciphertext": ""},
            {"ciphertext": "not base64"},
            {"ciphertext": "\ud800"},
            {"nonce": ""},
            {"nonce": "\ud800"},
            {"algorithm": "AEAD_AES_128_GCM"},
            {"algorithm": None},
            {"algorithm": ["AEAD_AES_256_GCM"]},
        ],
        ids=str,
    )
    async def test_what_does_not_decrypt_is_one_error(
        self, changes: dict[str, Any], sender: Sender, notifications: Notifications
    ) -> None:
        wire = sender.sealed("{}", **changes)
        with pytest.raises(NotificationDecryptionError):
            await notifications.parse(wire.headers, wire.body)

    async def test_associated_data_may_be_empty(self, sender: Sender, notifications: Notifications) -> None:
        from wxpay_dsl.wechat.crypto.ciphers import aead_encrypt

        sealed = aead_encrypt('{"a": 1}', sender.merchant.apiv3_key, "0123456789ab", "")
        for empty in ("", None):
            wire = sender.sealed("{}", ciphertext=sealed, associated_data=empty)
            assert (await notifications.parse(wire.headers, wire.body)).resource == {"a": 1}

    @pytest.mark.parametrize("plaintext", ["", "[]", "null", "1", '"text"', "{", "NaN", '{"a": NaN}', "[" * 100_000])
    async def test_what_is_inside_is_an_object_of_json(
        self, plaintext: str, sender: Sender, notifications: Notifications
    ) -> None:
        wire = sender.sealed(plaintext)
        with pytest.raises(MalformedNotificationError, match="decrypted"):
            await notifications.parse(wire.headers, wire.body)

    async def test_fields_that_nobody_knows_come_along(self, sender: Sender, notifications: Notifications) -> None:
        wire = sender.event(resource={**PAYMENT, "brand_new": {"deep": [1]}}, kind="BRAND.NEW", original_type="brand")
        event = await notifications.parse(wire.headers, wire.body)
        assert event.type == "BRAND.NEW"
        assert event.resource["brand_new"] == {"deep": [1]}


class TestEnvelope:
    @pytest.mark.parametrize(
        "envelope",
        [
            b"",
            b"not json",
            b"\xff\xfe",
            b"[]",
            b"null",
            b"1",
            b"{}",
            b"[" * 100_000,
            b'{"id": NaN}',
            {"id": "1", "event_type": "A.B"},
            {"id": "1", "event_type": "A.B", "resource": []},
            {"id": "1", "event_type": "A.B", "resource": {}},
            {"id": 1, "event_type": "A.B", "resource": {"ciphertext": "", "nonce": "", "algorithm": ""}},
            {"id": "", "event_type": "A.B", "resource": {"ciphertext": "", "nonce": "", "algorithm": ""}},
            {"id": "1", "resource": {"ciphertext": "", "nonce": "", "algorithm": ""}},
            {"id": "1", "event_type": "A.B", "resource": {"ciphertext": 1, "nonce": "", "algorithm": ""}},
            {"id": "1", "event_type": "A.B", "resource": {"ciphertext": "", "nonce": {}, "algorithm": ""}},
            {"id": "1", "event_type": "A.B", "resource": {"ciphertext": "", "nonce": "", "associated_data": 1}},
        ],
        ids=lambda case: str(case)[:60],
    )
    async def test_what_is_no_notification_says_what_is_missing(
        self, envelope: Any, sender: Sender, notifications: Notifications
    ) -> None:
        wire = sender.envelope(envelope)
        with pytest.raises(MalformedNotificationError) as caught:
            await notifications.parse(wire.headers, wire.body)
        assert len(str(caught.value)) < 400

    @pytest.mark.parametrize(
        ("text", "moment"),
        [
            ("2015-05-20T13:29:35+08:00", datetime(2015, 5, 20, 13, 29, 35, tzinfo=timezone(timedelta(hours=8)))),
            ("2015-05-20T13:29:35.120+08:00", datetime(2015, 5, 20, 5, 29, 35, 120_000, tzinfo=UTC)),
            ("2015-05-20T05:29:35Z", datetime(2015, 5, 20, 5, 29, 35, tzinfo=UTC)),
            ("2015-05-20 13:29:35", datetime(2015, 5, 20, 5, 29, 35, tzinfo=UTC)),
            ("yesterday", None),
            (1432128575, None),
            (None, None),
        ],
    )
    async def test_its_time_is_aware_and_never_a_reason_to_refuse(
        self, text: Any, moment: datetime | None, sender: Sender, notifications: Notifications
    ) -> None:
        envelope = {**json.loads(sender.sealed("{}").body), "create_time": text}
        wire = sender.envelope(envelope)
        assert (await notifications.parse(wire.headers, wire.body)).create_time == moment

    @pytest.mark.parametrize("value", [None, 1, [], {}])
    async def test_texts_that_are_none_are_empty(
        self, value: Any, sender: Sender, notifications: Notifications
    ) -> None:
        envelope = {**json.loads(sender.sealed("{}", original_type=value).body), "summary": value}
        wire = sender.envelope(envelope)
        event = await notifications.parse(wire.headers, wire.body)
        assert (event.summary, event.original_type) == ("", "")

    async def test_a_huge_body_is_not_read(self, sender: Sender, notifications: Notifications) -> None:
        wire = sender.envelope(b" " * (1 << 20) + b" ")
        with pytest.raises(NotificationTooLargeError, match="1048577 bytes"):
            await notifications.parse(wire.headers, wire.body)

    @given(st.dictionaries(st.text(max_size=30), st.text(max_size=30), max_size=8), st.binary(max_size=300))
    async def test_whatever_comes_raises_an_error_of_ours(self, headers: Mapping[str, str], body: bytes) -> None:
        with pytest.raises(SdkError):
            await Notifications(make_sender().merchant_keys).parse(headers, body)

    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
            lambda inner: (
                st.lists(inner, max_size=4)
                | st.dictionaries(
                    st.sampled_from(["id", "event_type", "resource", "ciphertext", "nonce", "algorithm", "create_time"])
                    | st.text(max_size=4),
                    inner,
                    max_size=8,
                )
            ),
            max_leaves=20,
        )
    )
    async def test_whatever_is_signed_raises_an_error_of_ours(self, envelope: Any) -> None:
        sender = make_sender()
        wire = sender.envelope(json.dumps(envelope).encode())
        with pytest.raises((NotificationError, BadSignatureError)):
            await Notifications(sender.merchant_keys).parse(wire.headers, wire.body)


class TestManyMerchants:
    async def test_the_one_whose_key_opens_it_is_its_merchant(self, sender: Sender) -> None:
        other = make_sender("1900000110")
        notifications = Notifications(sender.merchant_keys, other.merchant_keys)
        for one in (sender, other):
            wire = one.event()
            assert (await notifications.parse(wire.headers, wire.body)).merchant == one.merchant.mchid

    async def test_a_merchant_in_the_url_is_the_only_one_tried(self, sender: Sender) -> None:
        other = make_sender("1900000110")
        notifications = Notifications(sender.merchant_keys, other.merchant_keys)
        wire = other.event()
        assert (await notifications.parse(wire.headers, wire.body, "1900000110")).merchant == "1900000110"
        with pytest.raises(NotificationDecryptionError):
            await notifications.parse(wire.headers, wire.body, "1900000109")

    async def test_an_unknown_merchant_is_refused_without_work(self, sender: Sender) -> None:
        keyring = _Fetching(PlatformKey(sender.pair.id, sender.pair.private_key.public_key()))
        notifications = Notifications(MerchantKeys(sender.merchant.mchid, keyring, sender.merchant.apiv3_key))
        wire = sender.event()
        with pytest.raises(UnknownMerchantError, match="1900009999"):
            await notifications.parse(wire.headers, wire.body, "1900009999")
        assert keyring.asked == []

    @pytest.mark.parametrize("is_async", [True, False])
    async def test_a_merchant_may_be_looked_up(self, is_async: bool, sender: Sender) -> None:
        asked = []

        def find(merchant: str) -> MerchantKeys | None:
            asked.append(merchant)
            return sender.merchant_keys if merchant == sender.merchant.mchid else None

        async def find_later(merchant: str) -> MerchantKeys | None:
            return find(merchant)

        notifications = Notifications(resolve_merchant=find_later if is_async else find)
        wire = sender.event()
        assert (await notifications.parse(wire.headers, wire.body, "1900000109")).resource == PAYMENT
        with pytest.raises(UnknownMerchantError):
            await notifications.parse(wire.headers, wire.body, "1900009999")
        with pytest.raises(UnknownMerchantError, match="into the URL"):
            await notifications.parse(wire.headers, wire.body)
        assert asked == ["1900000109", "1900009999"]

    def test_the_same_merchant_twice_is_a_mistake(self, sender: Sender) -> None:
        with pytest.raises(ConfigurationError, match="twice"):
            Notifications(sender.merchant_keys, sender.merchant_keys)

    def test_nobody_to_serve_is_a_mistake(self) -> None:
        with pytest.raises(ConfigurationError, match="no merchant is given"):
            Notifications()

    async def test_one_merchants_key_never_opens_what_anothers_vouched_for(self, sender: Sender) -> None:
        """A forged key pair, configured for one merchant under the id of another's, opens nothing of the other's."""
        impostor = make_platform_public_key()
        certs = {sender.pair.id: impostor.private_key.public_key()}
        mallory = MerchantKeys.of("1900000666", platform_keys=certs, apiv3_key=sender.merchant.apiv3_key)
        wire = sender.event()
        event = await Notifications(sender.merchant_keys, mallory).parse(wire.headers, wire.body)
        assert event.merchant == sender.merchant.mchid


class TestWhatIsSaid:
    """What is missing is named, and nothing else."""

    @pytest.mark.parametrize(
        ("envelope", "says"),
        [
            ({}, "not a notification: id, event_type, resource missing, or of another type"),
            (
                {"id": "1", "event_type": "A.B", "resource": {"nonce": ""}},
                "not a notification: resource.ciphertext missing",
            ),
            (
                {"id": "1", "event_type": "A.B", "resource": {"ciphertext": ""}},
                "not a notification: resource.nonce missing",
            ),
            (
                {"id": "1", "resource": {"ciphertext": "", "nonce": "", "associated_data": 1}},
                "not a notification: event_type, resource.associated_data missing",
            ),
            (b"", "the body is not JSON (JSONDecodeError"),
            (b"1", "the body is a JSON int, not an object"),
            (b'{"id": "1"} {"id": "2"}', "the body is not JSON (JSONDecodeError: Extra data"),
            (b'{"id": "1"}x', "the body is not JSON (JSONDecodeError: Extra data"),
        ],
    )
    async def test_of_an_envelope(self, envelope: Any, says: str, sender: Sender, notifications: Notifications) -> None:
        wire = sender.envelope(envelope)
        with pytest.raises(MalformedNotificationError) as caught:
            await notifications.parse(wire.headers, wire.body)
        assert says in str(caught.value)

    async def test_blanks_around_json_are_json(self, sender: Sender, notifications: Notifications) -> None:
        wire = sender.event()
        padded = sender.envelope(b"\n " + wire.body + b"\r\n")
        assert (await notifications.parse(padded.headers, padded.body)).type == "TRANSACTION.SUCCESS"

    async def test_of_a_key_that_does_not_open_it_and_of_none(self, sender: Sender) -> None:
        wire = sender.event()
        mine = {sender.pair.id: sender.pair.private_key.public_key()}
        other = Notifications(MerchantKeys.of("1", platform_keys=mine, apiv3_key="x" * 32), store="memory")
        with pytest.raises(NotificationDecryptionError, match="does not decrypt it"):
            await other.parse(wire.headers, wire.body)
        none = Notifications(MerchantKeys.of("1", platform_keys=mine), store="memory")
        with pytest.raises(NotificationDecryptionError, match="there is no APIv3 key"):
            await none.parse(wire.headers, wire.body)


class TestWhoIsAsked:
    """Looking for a key may download it: for a serial that one merchant has at hand the others are left alone."""

    @pytest.mark.parametrize("at_hand", [0, 1, 2])
    async def test_whoever_has_the_key(self, at_hand: int, sender: Sender) -> None:
        key = PlatformKey(sender.pair.id, sender.pair.private_key.public_key())

        class Having(_Fetching):
            def key_ids(self) -> list[str]:
                return [self.key.id]

        rings = [(Having if number < at_hand else _Fetching)(key) for number in range(2)]
        merchants = [
            MerchantKeys(f"190000010{number}", ring, sender.merchant.apiv3_key) for number, ring in enumerate(rings)
        ]
        wire = sender.event()
        await Notifications(*merchants, store="memory").parse(wire.headers, wire.body)
        assert [len(ring.asked) for ring in rings] == {0: [1, 1], 1: [1, 0], 2: [1, 1]}[at_hand]

    async def test_the_error_names_five_keys_at_most(self, sender: Sender) -> None:
        key = sender.pair.private_key.public_key()
        certs = {f"PUB_KEY_ID_{number}": key for number in range(7)}
        wire = sender.event()
        with pytest.raises(UnknownSerialError) as caught:
            await Notifications(MerchantKeys.of("1", platform_keys=certs), store="memory").parse(
                wire.headers, wire.body
            )
        assert str(caught.value).count("PUB_KEY_ID_") == 5 + 1 + str(caught.value).count("PUB_KEY_ID_…")

    async def test_a_merchant_s_name_is_shown_as_far_as_a_real_one_is_long(self, sender: Sender) -> None:
        wire = sender.event()
        with pytest.raises(UnknownMerchantError) as caught:
            await Notifications(sender.merchant_keys, store="memory").parse(wire.headers, wire.body, "9" * 100)
        assert "9" * 40 in str(caught.value)
        assert "9" * 41 not in str(caught.value)
