"""WeChat Pay (微信支付) for async Python: the whole API as data, one attribute chain, every call signed and verified.

The public names are those of ``__all__``. Importing the package loads the index of all operations and nothing heavier:
the module of each other name is imported when the name is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._version import __version__ as __version__
from .client import Wechatpay as Wechatpay

if TYPE_CHECKING:
    # The static view of `_EXPORTS`; a test compares the two.
    # isort: off
    from .core.errors import (
        ClosedError as ClosedError,
        ConfigurationError as ConfigurationError,
        ConnectionFailedError as ConnectionFailedError,
        FieldError as FieldError,
        FileCorruptedError as FileCorruptedError,
        RequestTimeoutError as RequestTimeoutError,
        ResponseDecodeError as ResponseDecodeError,
        ResponseTooLargeError as ResponseTooLargeError,
        ResponseTruncatedError as ResponseTruncatedError,
        SdkError as SdkError,
        ServiceError as ServiceError,
        SpecError as SpecError,
        TransportError as TransportError,
        UndeclaredPathError as UndeclaredPathError,
        ValidationError as ValidationError,
    )
    from .core.http.download import (
        Download as Download,
        Progress as Progress,
    )
    from .core.observe.drift import Drift as Drift
    from .core.observe.hooks import (
        Call as Call,
        Hook as Hook,
    )
    from .core.observe.telemetry import OpenTelemetry as OpenTelemetry
    from .core.request.build import SpecWarning as SpecWarning
    from .core.request.files import File as File
    from .core.response import Response as Response
    from .notify.notification import (
        Notification as Notification,
        NotificationError as NotificationError,
    )
    from .notify.notifications import Notifications as Notifications
    from .wechat import bills as bills
    from .wechat.bills import BillFormatError as BillFormatError
    from .wechat.crypto.decryptor import Decryptor as Decryptor
    from .wechat.errors import (
        BadSignatureError as BadSignatureError,
        ClockSkewError as ClockSkewError,
        MalformedTimestampError as MalformedTimestampError,
        MissingHeaderError as MissingHeaderError,
        UnknownSerialError as UnknownSerialError,
        VerificationError as VerificationError,
    )
    from .wechat.merchant_keys import MerchantKeys as MerchantKeys
    from .wechat.payment_params import qr as qr
    from .wechat.platform_keys.certificates import PlatformCertificatesError as PlatformCertificatesError
    from .wechat.crypto.signer import (
        Signer as Signer,
        SignerError as SignerError,
    )
    from .wechat.v2.errors import (
        MissingSignError as MissingSignError,
        ResultCodeError as ResultCodeError,
        ReturnCodeError as ReturnCodeError,
    )
    from .wechat.v3.errors import (
        AccountError as AccountError,
        AppidMchidNotMatchError as AppidMchidNotMatchError,
        BankError as BankError,
        FrequencyLimitedError as FrequencyLimitedError,
        InvalidRequestError as InvalidRequestError,
        MchNotExistsError as MchNotExistsError,
        NoAuthError as NoAuthError,
        NotEnoughError as NotEnoughError,
        OpenidMismatchError as OpenidMismatchError,
        OrderClosedError as OrderClosedError,
        OrderNotExistError as OrderNotExistError,
        OrderPaidError as OrderPaidError,
        OrderReversedError as OrderReversedError,
        OutTradeNoUsedError as OutTradeNoUsedError,
        ParamError as ParamError,
        RateLimitError as RateLimitError,
        RateLimitExceededError as RateLimitExceededError,
        ResourceAlreadyExistsError as ResourceAlreadyExistsError,
        ResourceNotExistsError as ResourceNotExistsError,
        RuleLimitError as RuleLimitError,
        ServiceSystemError as ServiceSystemError,
        SignError as SignError,
        StatementCreatingError as StatementCreatingError,
        StatementNotExistError as StatementNotExistError,
        TradeError as TradeError,
        UserAccountAbnormalError as UserAccountAbnormalError,
        UserPayingError as UserPayingError,
    )
    from .wechat.v3.sensitive import (
        Ciphertext as Ciphertext,
        SensitiveText as SensitiveText,
    )
    # isort: on

#: The public names of each module that is imported on first use.
_EXPORTS = {
    "core.errors": (
        "ClosedError",
        "ConfigurationError",
        "ConnectionFailedError",
        "FieldError",
        "FileCorruptedError",
        "RequestTimeoutError",
        "ResponseDecodeError",
        "ResponseTooLargeError",
        "ResponseTruncatedError",
        "SdkError",
        "ServiceError",
        "SpecError",
        "TransportError",
        "UndeclaredPathError",
        "ValidationError",
    ),
    "core.http.download": ("Download", "Progress"),
    "core.observe.drift": ("Drift",),
    "core.observe.hooks": ("Call", "Hook"),
    "core.observe.telemetry": ("OpenTelemetry",),
    "core.request.build": ("SpecWarning",),
    "core.request.files": ("File",),
    "core.response": ("Response",),
    "notify.notification": ("Notification", "NotificationError"),
    "notify.notifications": ("Notifications",),
    "wechat.bills": ("BillFormatError",),
    "wechat.crypto.decryptor": ("Decryptor",),
    "wechat.errors": (
        "BadSignatureError",
        "ClockSkewError",
        "MalformedTimestampError",
        "MissingHeaderError",
        "UnknownSerialError",
        "VerificationError",
    ),
    "wechat.merchant_keys": ("MerchantKeys",),
    "wechat.platform_keys.certificates": ("PlatformCertificatesError",),
    "wechat.crypto.signer": ("Signer", "SignerError"),
    "wechat.v2.errors": ("MissingSignError", "ResultCodeError", "ReturnCodeError"),
    "wechat.v3.errors": (
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
    "wechat.v3.sensitive": ("Ciphertext", "SensitiveText"),
}
#: The public names that are modules themselves.
_MODULES = {"bills": "wechat.bills", "qr": "wechat.payment_params.qr"}
_HOMES = {name: module for module, names in _EXPORTS.items() for name in names}

if not TYPE_CHECKING:
    __all__ = [*_HOMES, *_MODULES, "Wechatpay", "__version__", "wxpay"]  # noqa: PLE0604 (derived from names)

#: A client that reads its settings at the first call: from the environment, or the profile that it names.
wxpay = Wechatpay.from_environment()


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    if name in _MODULES:
        return import_module(f"{__name__}.{_MODULES[name]}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
