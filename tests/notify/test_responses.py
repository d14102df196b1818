"""What a notification that is refused is answered, and how loudly the log tells of it."""

from __future__ import annotations

import logging

import pytest

from wxpay_dsl.core.errors import ConfigurationError, ConnectionFailedError, SdkError
from wxpay_dsl.notify.notification import NotificationDecryptionError, UnknownMerchantError
from wxpay_dsl.notify.responses import refusal
from wxpay_dsl.wechat.errors import ClockSkewError, VerificationError


class UnforeseenError(SdkError):
    """Of no kind that a refusal knows."""


@pytest.mark.parametrize(
    ("error", "status", "level"),
    [
        (ClockSkewError("notification", "signed an hour ago"), 401, logging.WARNING),
        (VerificationError("notification", "of a kind that is not known yet"), 401, logging.WARNING),
        (UnknownMerchantError("the merchant 1900000110 is not served here", "1900000110"), 404, logging.WARNING),
        (NotificationDecryptionError("wrong APIv3 key"), 500, logging.ERROR),
        (ConfigurationError("no APIv3 key"), 500, logging.ERROR),
        (ConnectionFailedError("GET /v3/certificates", "no connection", outcome_unknown=False), 503, logging.ERROR),
        (UnforeseenError(), 503, logging.ERROR),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, SdkError) else "",
)
def test_what_is_our_fault_is_an_error_and_sent_again(
    error: SdkError, status: int, level: int, caplog: pytest.LogCaptureFixture
) -> None:
    answer = refusal("v3", error)
    assert answer.status == status
    (record,) = [record for record in caplog.records if record.name == "wxpay_dsl.notify"]
    assert record.levelno == level
    assert str(error) in record.getMessage()
