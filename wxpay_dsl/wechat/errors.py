"""Errors of verifying WeChat Pay's signatures (应答签名, 回调签名): five causes, each with its own class and remedy.

https://pay.weixin.qq.com/doc/v3/merchant/4013053249
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from attrs import field, frozen

from wxpay_dsl.core.errors import SdkError

__all__ = [
    "BadSignatureError",
    "ClockSkewError",
    "MalformedTimestampError",
    "MissingHeaderError",
    "UnknownSerialError",
    "VerificationError",
]


#: Bytes of an unverified body that an error's text shows.
_EXCERPT: Final = 200


@frozen(str=False)
class VerificationError(SdkError):
    """The signature of a response or a notification is missing or invalid. The body was not parsed.

    ``outcome_unknown`` is True if the request may have moved money: query its result before retrying it.
    """

    #: What was verified: the operation (``POST /v3/…``), or ``notification``.
    subject: str
    message: str
    outcome_unknown: bool = False
    #: The response's status, headers and complete body; 0 and empty for a notification.
    status: int = 0
    headers: Mapping[str, str] = field(factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)

    def __str__(self) -> str:
        line = f"{self.subject}: {self.message}"
        if self.body and not self.body.lstrip().startswith((b"{", b"[")):
            # Not a response of the service: the text of a proxy's page helps to identify the proxy.
            line += f" (status {self.status}, {self.body[:_EXCERPT].decode('utf-8', 'replace')!r})"
        return f"{line}; the outcome is unknown: query it" if self.outcome_unknown else line


@frozen(str=False)
class MissingHeaderError(VerificationError):
    """One of the four ``Wechatpay-*`` headers is missing or empty."""

    header: str = ""


@frozen(str=False)
class MalformedTimestampError(VerificationError):
    """``Wechatpay-Timestamp`` is not a Unix time in whole seconds."""

    timestamp: str = ""


@frozen(str=False)
class ClockSkewError(VerificationError):
    """``Wechatpay-Timestamp`` differs too much from the local clock: a replay, or a local clock that is wrong."""

    #: Age of the signature in seconds by the local clock; negative if it is in the future.
    age: int = 0


@frozen(str=False)
class UnknownSerialError(VerificationError):
    """``Wechatpay-Serial`` does not name a configured or downloaded platform key."""

    serial: str = ""


@frozen(str=False)
class BadSignatureError(VerificationError):
    """The signature is not a signature of the named key over the received bytes."""

    serial: str = ""
