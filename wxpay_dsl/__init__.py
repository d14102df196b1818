"""WeChat Pay (微信支付) for async Python: the whole API as data, one attribute chain, every call signed and verified.

Importing this loads the tree of all operations and nothing heavier; what a name needs is imported when the name is
used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._version import __version__
from .client import Wechatpay

if TYPE_CHECKING:
    from .core.download import Download, Progress
    from .core.drift import Drift
    from .core.errors import (
        ClosedError,
        ConfigurationError,
        ConnectionFailedError,
        Fault,
        FileCorruptedError,
        ReplyDecodeError,
        ReplyTooLargeError,
        ReplyTruncatedError,
        RequestTimeoutError,
        SdkError,
        ServiceError,
        SpecError,
        TransportError,
        UndeclaredPathError,
        ValidationError,
    )
    from .core.files import File
    from .core.hooks import Call, Hook
    from .core.reply import Reply
    from .core.request import SpecWarning
    from .core.telemetry import OpenTelemetry
    from .notify.notifications import Notifications
    from .wechat import bills, qr
    from .wechat.bills import BillFormatError
    from .wechat.decryptor import Decryptor
    from .wechat.errors import (
        BadSignatureError,
        ClockSkewError,
        MalformedTimestampError,
        MissingHeaderError,
        SignatureError,
        UnknownSerialError,
    )
    from .wechat.errors_v2 import MissingSignError, ResultCodeError, ReturnCodeError
    from .wechat.notification import Notification, NotificationError
    from .wechat.platform_keys import PlatformCertificatesError
    from .wechat.recipient import Recipient
    from .wechat.sensitive import Ciphertext, SensitiveText
    from .wechat.service_errors import (
        AccountError,
        AppidMchidNotMatchError,
        BankError,
        FrequencyLimitedError,
        InvalidRequestError,
        MchNotExistsError,
        NoAuthError,
        NotEnoughError,
        OpenidMismatchError,
        OrderClosedError,
        OrderNotExistError,
        OrderPaidError,
        OrderReversedError,
        OutTradeNoUsedError,
        ParamError,
        RateLimitError,
        RateLimitExceededError,
        ResourceAlreadyExistsError,
        ResourceNotExistsError,
        RuleLimitError,
        ServiceSystemError,
        SignError,
        StatementCreatingError,
        StatementNotExistError,
        TradeError,
        UserAccountAbnormalError,
        UserPayingError,
    )
    from .wechat.signer import Signer, SignerError

__all__ = [
    "AccountError",
    "AppidMchidNotMatchError",
    "BadSignatureError",
    "BankError",
    "BillFormatError",
    "Call",
    "Ciphertext",
    "ClockSkewError",
    "ClosedError",
    "ConfigurationError",
    "ConnectionFailedError",
    "Decryptor",
    "Download",
    "Drift",
    "Fault",
    "File",
    "FileCorruptedError",
    "FrequencyLimitedError",
    "Hook",
    "InvalidRequestError",
    "MalformedTimestampError",
    "MchNotExistsError",
    "MissingHeaderError",
    "MissingSignError",
    "NoAuthError",
    "NotEnoughError",
    "Notification",
    "NotificationError",
    "Notifications",
    "OpenTelemetry",
    "OpenidMismatchError",
    "OrderClosedError",
    "OrderNotExistError",
    "OrderPaidError",
    "OrderReversedError",
    "OutTradeNoUsedError",
    "ParamError",
    "PlatformCertificatesError",
    "Progress",
    "RateLimitError",
    "RateLimitExceededError",
    "Recipient",
    "Reply",
    "ReplyDecodeError",
    "ReplyTooLargeError",
    "ReplyTruncatedError",
    "RequestTimeoutError",
    "ResourceAlreadyExistsError",
    "ResourceNotExistsError",
    "ResultCodeError",
    "ReturnCodeError",
    "RuleLimitError",
    "SdkError",
    "SensitiveText",
    "ServiceError",
    "ServiceSystemError",
    "SignError",
    "SignatureError",
    "Signer",
    "SignerError",
    "SpecError",
    "SpecWarning",
    "StatementCreatingError",
    "StatementNotExistError",
    "TradeError",
    "TransportError",
    "UndeclaredPathError",
    "UnknownSerialError",
    "UserAccountAbnormalError",
    "UserPayingError",
    "ValidationError",
    "Wechatpay",
    "__version__",
    "bills",
    "qr",
    "wxpay",
]

#: Configured from the environment or the profile that it names, at its first call.
wxpay = Wechatpay.deferred()

_HOMES = {
    "BillFormatError": "wechat.bills",
    "Ciphertext": "wechat.sensitive",
    "Decryptor": "wechat.decryptor",
    "Download": "core.download",
    "Drift": "core.drift",
    "Call": "core.hooks",
    "File": "core.files",
    "Hook": "core.hooks",
    "OpenTelemetry": "core.telemetry",
    "Notification": "wechat.notification",
    "NotificationError": "wechat.notification",
    "Notifications": "notify.notifications",
    "PlatformCertificatesError": "wechat.platform_keys",
    "Progress": "core.download",
    "Recipient": "wechat.recipient",
    "Reply": "core.reply",
    "SensitiveText": "wechat.sensitive",
    "Signer": "wechat.signer",
    "SignerError": "wechat.signer",
    "SpecWarning": "core.request",
    **dict.fromkeys(
        (
            "BadSignatureError",
            "ClockSkewError",
            "MalformedTimestampError",
            "MissingHeaderError",
            "SignatureError",
            "UnknownSerialError",
        ),
        "wechat.errors",
    ),
    **dict.fromkeys(("MissingSignError", "ResultCodeError", "ReturnCodeError"), "wechat.errors_v2"),
    **dict.fromkeys(
        (
            "AccountError",
            "AppidMchidNotMatchError",
            "BankError",
            "FrequencyLimitedError",
            "InvalidRequestError",
            "MchNotExistsError",
            "NoAuthError",
            "NotEnoughError",
            "OpenidMismatchError",
            "OrderClosedError",
            "OrderNotExistError",
            "OrderPaidError",
            "OrderReversedError",
            "OutTradeNoUsedError",
            "ParamError",
            "RateLimitError",
            "RateLimitExceededError",
            "ResourceAlreadyExistsError",
            "ResourceNotExistsError",
            "RuleLimitError",
            "ServiceSystemError",
            "SignError",
            "StatementCreatingError",
            "StatementNotExistError",
            "TradeError",
            "UserAccountAbnormalError",
            "UserPayingError",
        ),
        "wechat.service_errors",
    ),
}

#: Names that are modules.
_MODULES = {"bills": "wechat.bills", "qr": "wechat.qr"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    if name in _MODULES:
        return import_module(f"{__name__}.{_MODULES[name]}")
    return getattr(import_module(f"{__name__}.{_HOMES.get(name, 'core.errors')}"), name)
