"""What a notification is, and how the errors about one read."""

from __future__ import annotations

import pickle

import pytest

from tests.notify.conftest import Sender
from wxpay_dsl.notify import (
    MalformedNotificationError,
    Notification,
    NotificationDecryptionError,
    NotificationError,
    Notifications,
    NotificationTooLargeError,
    UnknownMerchantError,
)
from wxpay_dsl.notify.notification import LIMIT


def notification(resource: object) -> Notification[object]:
    return Notification("EV-1", "A.B", None, resource, "1900000109", envelope={"secret": "张三"})


@pytest.mark.parametrize(
    ("resource", "merchant"),
    [
        ({"sub_mchid": "1"}, "1"),
        ({"sub_mch_id": "2"}, "2"),
        ({"sub_mchid": "1", "sub_mch_id": "2"}, "1"),
        ({"sub_mchid": ""}, ""),
        ({}, ""),
        ("text", ""),
    ],
)
def test_the_sub_merchant_has_one_of_two_names(resource: object, merchant: str) -> None:
    assert notification(resource).sub_merchant == merchant


def test_it_is_told_from_others_by_merchant_and_id_and_shows_nothing_personal() -> None:
    assert notification({}).key == "1900000109/EV-1"
    assert "张三" not in repr(notification({"name": "张三"}))


@pytest.mark.parametrize(
    "kind",
    [
        NotificationError,
        MalformedNotificationError,
        NotificationTooLargeError,
        NotificationDecryptionError,
        UnknownMerchantError,
    ],
)
def test_an_error_is_a_sentence_and_survives_pickling(kind: type[NotificationError]) -> None:
    error = kind("it is none")
    assert str(error) == "notification: it is none"
    copied = pickle.loads(pickle.dumps(error))  # noqa: S301 (our own)
    assert (type(copied), copied.message) == (kind, "it is none")
    with pytest.raises(AttributeError):
        error.message = "another"  # type: ignore[misc]  # which is what it is about


async def test_a_megabyte_is_read_and_no_more(sender: Sender) -> None:
    assert LIMIT == 1024 * 1024
    notifications = Notifications(sender.merchant_keys, store="memory")
    largest = sender.envelope(b" " * (LIMIT - 2) + b"{}")
    with pytest.raises(MalformedNotificationError):
        await notifications.parse(largest.headers, largest.body)
    larger = sender.envelope(b" " * (LIMIT - 1) + b"{}")
    with pytest.raises(NotificationTooLargeError):
        await notifications.parse(larger.headers, larger.body)


async def test_a_sealed_event_of_apiv2_that_another_key_sealed(sender: Sender) -> None:
    fields = {"mch_id": "1900000109", "event_ciphertext": "AAAA" * 8, "event_nonce": "0123456789ab"}
    wire = sender.xml(fields)
    with pytest.raises(NotificationDecryptionError, match="does not decrypt `event_ciphertext`"):
        await Notifications(sender.merchant_keys, store="memory").parse(wire.headers, wire.body)
