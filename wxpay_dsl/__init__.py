"""WeChat Pay (微信支付) for async Python: the whole API as data, one attribute chain, every call signed and verified.

Importing this loads the tree of all operations and nothing heavier; what a name needs is imported when the name is
used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._version import __version__
from .client import Wechatpay

if TYPE_CHECKING:
    from .core.errors import (
        ClosedError,
        ConfigurationError,
        ConnectionFailedError,
        FieldError,
        FileCorruptedError,
        RequestTimeoutError,
        ResponseDecodeError,
        ResponseTooLargeError,
        ResponseTruncatedError,
        SdkError,
        ServiceError,
        SpecError,
        TransportError,
        UndeclaredPathError,
        ValidationError,
    )
    from .core.http.download import Download, Progress
    from .core.observe.drift import Drift
    from .core.observe.hooks import Call, Hook
    from .core.observe.telemetry import OpenTelemetry
    from .core.request.build import SpecWarning
    from .core.request.files import File
    from .core.response import Response
    from .notify.notification import Notification, NotificationError
    from .notify.notifications import Notifications
    from .wechat import bills
    from .wechat.bills import BillFormatError
    from .wechat.crypto.decryptor import Decryptor
    from .wechat.crypto.signer import Signer, SignerError
    from .wechat.errors import (
        BadSignatureError,
        ClockSkewError,
        MalformedTimestampError,
        MissingHeaderError,
        UnknownSerialError,
        VerificationError,
    )
    from .wechat.merchant_keys import MerchantKeys
    from .wechat.payment_params import qr
    from .wechat.platform_keys.certificates import PlatformCertificatesError
    from .wechat.v2.errors import MissingSignError, ResultCodeError, ReturnCodeError
    from .wechat.v3.errors import (
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
    from .wechat.v3.sensitive import Ciphertext, SensitiveText

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
    "FieldError",
    "File",
    "FileCorruptedError",
    "FrequencyLimitedError",
    "Hook",
    "InvalidRequestError",
    "MalformedTimestampError",
    "MchNotExistsError",
    "MerchantKeys",
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
    "RequestTimeoutError",
    "ResourceAlreadyExistsError",
    "ResourceNotExistsError",
    "Response",
    "ResponseDecodeError",
    "ResponseTooLargeError",
    "ResponseTruncatedError",
    "ResultCodeError",
    "ReturnCodeError",
    "RuleLimitError",
    "SdkError",
    "SensitiveText",
    "ServiceError",
    "ServiceSystemError",
    "SignError",
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
    "VerificationError",
    "Wechatpay",
    "__version__",
    "bills",
    "qr",
    "wxpay",
]

#: Configured from the environment or the profile that it names, at its first call.
wxpay = Wechatpay.from_environment()

_HOMES = {
    "ClosedError": "core.errors",
    "ConfigurationError": "core.errors",
    "ConnectionFailedError": "core.errors",
    "FieldError": "core.errors",
    "FileCorruptedError": "core.errors",
    "ResponseDecodeError": "core.errors",
    "ResponseTooLargeError": "core.errors",
    "ResponseTruncatedError": "core.errors",
    "RequestTimeoutError": "core.errors",
    "SdkError": "core.errors",
    "ServiceError": "core.errors",
    "SpecError": "core.errors",
    "TransportError": "core.errors",
    "UndeclaredPathError": "core.errors",
    "ValidationError": "core.errors",
    "Download": "core.http.download",
    "Progress": "core.http.download",
    "Drift": "core.observe.drift",
    "Call": "core.observe.hooks",
    "Hook": "core.observe.hooks",
    "OpenTelemetry": "core.observe.telemetry",
    "SpecWarning": "core.request.build",
    "File": "core.request.files",
    "Response": "core.response",
    "Notification": "notify.notification",
    "NotificationError": "notify.notification",
    "Notifications": "notify.notifications",
    "BillFormatError": "wechat.bills",
    "Decryptor": "wechat.crypto.decryptor",
    "BadSignatureError": "wechat.errors",
    "ClockSkewError": "wechat.errors",
    "MalformedTimestampError": "wechat.errors",
    "MissingHeaderError": "wechat.errors",
    "VerificationError": "wechat.errors",
    "UnknownSerialError": "wechat.errors",
    "MerchantKeys": "wechat.merchant_keys",
    "PlatformCertificatesError": "wechat.platform_keys.certificates",
    "Signer": "wechat.crypto.signer",
    "SignerError": "wechat.crypto.signer",
    "MissingSignError": "wechat.v2.errors",
    "ResultCodeError": "wechat.v2.errors",
    "ReturnCodeError": "wechat.v2.errors",
    "AccountError": "wechat.v3.errors",
    "AppidMchidNotMatchError": "wechat.v3.errors",
    "BankError": "wechat.v3.errors",
    "FrequencyLimitedError": "wechat.v3.errors",
    "InvalidRequestError": "wechat.v3.errors",
    "MchNotExistsError": "wechat.v3.errors",
    "NoAuthError": "wechat.v3.errors",
    "NotEnoughError": "wechat.v3.errors",
    "OpenidMismatchError": "wechat.v3.errors",
    "OrderClosedError": "wechat.v3.errors",
    "OrderNotExistError": "wechat.v3.errors",
    "OrderPaidError": "wechat.v3.errors",
    "OrderReversedError": "wechat.v3.errors",
    "OutTradeNoUsedError": "wechat.v3.errors",
    "ParamError": "wechat.v3.errors",
    "RateLimitError": "wechat.v3.errors",
    "RateLimitExceededError": "wechat.v3.errors",
    "ResourceAlreadyExistsError": "wechat.v3.errors",
    "ResourceNotExistsError": "wechat.v3.errors",
    "RuleLimitError": "wechat.v3.errors",
    "ServiceSystemError": "wechat.v3.errors",
    "SignError": "wechat.v3.errors",
    "StatementCreatingError": "wechat.v3.errors",
    "StatementNotExistError": "wechat.v3.errors",
    "TradeError": "wechat.v3.errors",
    "UserAccountAbnormalError": "wechat.v3.errors",
    "UserPayingError": "wechat.v3.errors",
    "Ciphertext": "wechat.v3.sensitive",
    "SensitiveText": "wechat.v3.sensitive",
}

#: Names that are modules.
_MODULES = {"bills": "wechat.bills", "qr": "wechat.payment_params.qr"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    if name in _MODULES:
        return import_module(f"{__name__}.{_MODULES[name]}")
    return getattr(import_module(f"{__name__}.{_HOMES.get(name, 'core.errors')}"), name)
