"""Error classes by error code (错误码), so that programs can write ``except OrderPaidError`` instead of comparing text.

All are subclasses of :class:`~wxpay_dsl.core.errors.ServiceError`, with the service's ``code``, ``message``,
``detail`` and the complete body. A code without its own class raises a plain ServiceError.

https://pay.weixin.qq.com/doc/v3/merchant/4012081709
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from attrs import evolve, frozen

from wxpay_dsl.core.dialect import json_error
from wxpay_dsl.core.errors import SdkError, ServiceError
from wxpay_dsl.core.http.retry import retry_after

from .sign_error import explain

if TYPE_CHECKING:
    from wxpay_dsl.core.messages import Exchange, RawResponse
    from wxpay_dsl.core.specs.model import Operation

__all__ = [
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
    "error_class",
    "explain_refusal",
    "refusal_v3",
]


@frozen(str=False)
class ParamError(ServiceError):
    """``PARAM_ERROR`` 参数错误: ``detail`` names the field, its value and what is wrong with it."""


@frozen(str=False)
class InvalidRequestError(ServiceError):
    """``INVALID_REQUEST`` 无效请求: well-formed, but against a rule, which ``message`` names."""


@frozen(str=False)
class SignError(ServiceError):
    """``SIGN_ERROR`` 签名错误. If the service returns the message that it built, ``hint`` says which line differs from
    the one that was signed, or that none differs, in which case the key is wrong.
    """


@frozen(str=False)
class NoAuthError(ServiceError):
    """``NO_AUTH`` 商户无权限: the product is not enabled for this merchant, or the appid is not bound to it."""


@frozen(str=False)
class RuleLimitError(ServiceError):
    """``RULE_LIMIT`` 业务规则限制."""


@frozen(str=False)
class ResourceNotExistsError(ServiceError):
    """``RESOURCE_NOT_EXISTS``, ``NOT_FOUND`` 查询的资源不存在."""


@frozen(str=False)
class ResourceAlreadyExistsError(ServiceError):
    """``RESOURCE_ALREADY_EXISTS``, ``ALREADY_EXISTS`` 资源已存在: a resource with the same number exists; query it."""


@frozen(str=False)
class OrderNotExistError(ServiceError):
    """``ORDERNOTEXIST`` 订单不存在."""


@frozen(str=False)
class OrderPaidError(ServiceError):
    """``ORDERPAID`` 订单已支付: the order must not be paid again."""


@frozen(str=False)
class OrderClosedError(ServiceError):
    """``ORDER_CLOSED`` 订单已关闭: a new order needs a new out_trade_no."""


@frozen(str=False)
class OrderReversedError(ServiceError):
    """``ORDERREVERSED`` 订单已撤销: a new order needs a new out_trade_no."""


@frozen(str=False)
class OutTradeNoUsedError(ServiceError):
    """``OUT_TRADE_NO_USED`` 商户订单号重复: the number was used before, with other contents."""


@frozen(str=False)
class NotEnoughError(ServiceError):
    """``NOT_ENOUGH`` 余额不足: of the payer, or of the merchant if the merchant pays."""


@frozen(str=False)
class UserPayingError(ServiceError):
    """``USERPAYING`` 用户支付中，需要输入密码: neither paid nor failed yet. ``outcome_unknown`` is True: query the
    order, or reverse it.
    """


@frozen(str=False)
class UserAccountAbnormalError(ServiceError):
    """``USER_ACCOUNT_ABNORMAL`` 用户账户异常."""


@frozen(str=False)
class AccountError(ServiceError):
    """``ACCOUNT_ERROR`` 账户异常."""


@frozen(str=False)
class OpenidMismatchError(ServiceError):
    """``OPENID_MISMATCH`` openid和appid不匹配."""


@frozen(str=False)
class AppidMchidNotMatchError(ServiceError):
    """``APPID_MCHID_NOT_MATCH`` appid和mchid不匹配."""


@frozen(str=False)
class MchNotExistsError(ServiceError):
    """``MCH_NOT_EXISTS`` 商户号不存在."""


@frozen(str=False)
class TradeError(ServiceError):
    """``TRADE_ERROR`` 交易错误."""


@frozen(str=False)
class BankError(ServiceError):
    """``BANK_ERROR`` 银行系统异常: the outcome is unknown to the bank; query the order."""


@frozen(str=False)
class StatementNotExistError(ServiceError):
    """``NO_STATEMENT_EXIST``, in APIv2 ``No Bill Exist`` 账单文件不存在: there were no transactions on that day."""


@frozen(str=False)
class StatementCreatingError(ServiceError):
    """``STATEMENT_CREATING``, in APIv2 ``Bill Creating`` 账单生成中: retry later."""


@frozen(str=False)
class RateLimitError(ServiceError):
    """Too many requests: the base of all rate-limit codes, and the class of a status 429 without a known code."""

    @property
    def retry_after(self) -> float | None:
        """Seconds to wait, from the header ``Retry-After``; None without it."""
        return retry_after(self.headers)


@frozen(str=False)
class RateLimitExceededError(RateLimitError):
    """``RATELIMIT_EXCEEDED`` 频率超限: too many requests of this merchant to this endpoint."""


@frozen(str=False)
class FrequencyLimitedError(RateLimitError):
    """``FREQUENCY_LIMITED``, ``FREQUENCY_LIMIT_EXCEED`` 频率限制: too many requests about this order, or this user."""


@frozen(str=False)
class ServiceSystemError(ServiceError):
    """``SYSTEM_ERROR`` 系统异常: ``outcome_unknown`` is True unless the call only reads."""


def _normalized(code: str) -> str:
    """A code without differences of spelling between APIs and pages: ``ORDER_PAID`` and ``ORDERPAID`` are the same."""
    return code.replace("_", "").replace(" ", "").upper()


_CLASSES: Final[dict[str, type[ServiceError]]] = {
    _normalized(code): kind
    for kind, codes in {
        ParamError: ("PARAM_ERROR", "PARAMETER_ERROR", "INVALID_PARAMETER", "INVALID_TRANSACTIONID"),
        InvalidRequestError: ("INVALID_REQUEST", "INVALID_ORDER_STATE", "ORDER_DONE"),
        SignError: ("SIGN_ERROR",),
        NoAuthError: ("NO_AUTH", "REQUEST_BLOCKED", "ACCOUNT_NOT_VERIFIED", "CONTRACT_NOT_CONFIRMED"),
        RuleLimitError: ("RULE_LIMIT",),
        ResourceNotExistsError: (
            *("RESOURCE_NOT_EXISTS", "RESOURCE_NOT_EXIST", "NOT_FOUND"),
            *("APPLYMENT_NOT_EXIST", "APPLYMENT_NOTEXIST"),
        ),
        ResourceAlreadyExistsError: ("RESOURCE_ALREADY_EXISTS", "ALREADY_EXISTS"),
        OrderNotExistError: ("ORDER_NOT_EXIST", "ORDER_NOT_EXISTS"),
        OrderPaidError: ("ORDER_PAID",),
        OrderClosedError: ("ORDER_CLOSED", "ORDER_CANCELED"),
        OrderReversedError: ("ORDER_REVERSED", "ORDER_REVOKED"),
        OutTradeNoUsedError: ("OUT_TRADE_NO_USED",),
        NotEnoughError: ("NOT_ENOUGH",),
        UserPayingError: ("USER_PAYING",),
        UserAccountAbnormalError: ("USER_ACCOUNT_ABNORMAL", "USER_ERROR"),
        AccountError: ("ACCOUNT_ERROR",),
        OpenidMismatchError: ("OPENID_MISMATCH",),
        AppidMchidNotMatchError: ("APPID_MCHID_NOT_MATCH",),
        MchNotExistsError: ("MCH_NOT_EXISTS", "MCHID_NOT_EXIST"),
        TradeError: ("TRADE_ERROR",),
        BankError: ("BANK_ERROR",),
        StatementNotExistError: ("NO_STATEMENT_EXIST", "NO_STATEMENT_EXISTS", "NO_BILL_EXIST"),
        StatementCreatingError: ("STATEMENT_CREATING", "BILL_CREATING"),
        RateLimitExceededError: ("RATELIMIT_EXCEEDED", "RATELIMIT_EXCEED", "RATE_LIMIT_EXCEEDED", "RATE_LIMITED"),
        FrequencyLimitedError: ("FREQUENCY_LIMITED", "FREQUENCY_LIMIT", "FREQUENCY_LIMIT_EXCEED"),
        ServiceSystemError: ("SYSTEM_ERROR", "OPERATION_FAILED", "BIZ_ERR_NEED_RETRY"),
    }.items()
    for code in codes
}

#: Hints for the codes that have one remedy.
_HINTS: Final[dict[type[ServiceError], str]] = {
    NoAuthError: "enable the product (商户平台-产品中心), and bind the appid to this merchant",
    OrderPaidError: "query the order instead of paying it again",
    OrderClosedError: "place a new order with a new out_trade_no",
    OrderReversedError: "place a new order with a new out_trade_no",
    OutTradeNoUsedError: "send the same data as the first time under this number, or use a new number",
    UserPayingError: "query the order until it is paid or failed",
    StatementNotExistError: "there is no bill of that day and type: there were no transactions, or the date is wrong",
    StatementCreatingError: "the bills of a day are ready after 10:00 (Beijing) of the next one",
    BankError: "query the order",
}


def error_class(code: str, status: int = 0) -> type[ServiceError]:
    """The class of a code, in APIv3's or APIv2's spelling; ServiceError for one without its own class."""
    known_class = _CLASSES.get(_normalized(code))
    if known_class is None:
        return RateLimitError if status == 429 else ServiceError
    return known_class


def refusal_v3(operation: Operation | None, response: RawResponse) -> SdkError:
    """The error of an APIv3 response with an error status."""
    error = json_error(operation, response)
    if not isinstance(error, ServiceError):
        return error
    kind = error_class(error.code, error.status)
    return kind(
        error.operation,
        error.status,
        error.code,
        error.message,
        error.detail,
        error.request_id,
        error.headers,
        error.body,
        error.hint or _HINTS.get(kind, ""),
        error.outcome_unknown or (not response.safe and issubclass(kind, UserPayingError)),
    )


def explain_refusal(exchange: Exchange, error: SdkError) -> SdkError:
    """The error, and for a SignError a hint: which line of the signed message differs from what the service saw."""
    if not isinstance(error, SignError):
        return error
    return evolve(error, hint=explain(exchange.signed_message, error.detail) or error.hint)
