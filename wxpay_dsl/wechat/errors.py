"""What can be wrong with a signature of WeChat Pay (应答签名 / 回调签名): five errors with five different mends.

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


#: How much of somebody else's answer an error shows in its line.
_EXCERPT: Final = 200


@frozen(str=False)
class VerificationError(SdkError):
    """An answer or a notification that cannot be believed. It was not parsed.

    ``outcome_unknown`` is True when the request it answers may have moved money: query it before trying again.
    """

    #: What was verified: ``POST /v3/…``, or ``notification``.
    subject: str
    message: str
    outcome_unknown: bool = False
    #: The answer as it came, all of it; 0 and empty for a notification, which whoever received it has.
    status: int = 0
    headers: Mapping[str, str] = field(factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)

    def __str__(self) -> str:
        line = f"{self.subject}: {self.message}"
        if self.body and not self.body.lstrip().startswith((b"{", b"[")):
            # Not the service's own: a proxy's page says best itself whose it is.
            line += f" (status {self.status}, {self.body[:_EXCERPT].decode('utf-8', 'replace')!r})"
        return f"{line}; the outcome is unknown: query it" if self.outcome_unknown else line


@frozen(str=False)
class MissingHeaderError(VerificationError):
    """One of the four ``Wechatpay-*`` headers is not there, or empty."""

    header: str = ""


@frozen(str=False)
class MalformedTimestampError(VerificationError):
    """``Wechatpay-Timestamp`` is no Unix time in whole seconds."""

    timestamp: str = ""


@frozen(str=False)
class ClockSkewError(VerificationError):
    """``Wechatpay-Timestamp`` is further from the local clock than allowed: a replay, or a wrong clock here."""

    #: Seconds that the signature is older than the local clock; negative where it is ahead of it.
    age: int = 0


@frozen(str=False)
class UnknownSerialError(VerificationError):
    """``Wechatpay-Serial`` names no platform key that is known here."""

    serial: str = ""


@frozen(str=False)
class BadSignatureError(VerificationError):
    """The signature is not that of the named key over these bytes."""

    serial: str = ""
