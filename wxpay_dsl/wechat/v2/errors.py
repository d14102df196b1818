"""Errors of APIv2, in the same class hierarchy as those of APIv3.

``return_code`` FAIL raises a ReturnCodeError, ``result_code`` FAIL a ResultCodeError. The latter is also an instance of
APIv3's class for the code, so that ``except OrderPaidError`` catches the errors of both APIs.

https://pay.weixin.qq.com/doc/v2/merchant/4011985891
"""

from __future__ import annotations

from collections.abc import Mapping
from types import new_class
from typing import TYPE_CHECKING, Any, Final, TypeVar

from attrs import field, frozen

from wxpay_dsl.core.errors import ServiceError
from wxpay_dsl.wechat.errors import VerificationError
from wxpay_dsl.wechat.v3.errors import (
    BankError,
    ServiceSystemError,
    StatementCreatingError,
    StatementNotExistError,
    UserPayingError,
    error_class,
)

if TYPE_CHECKING:
    from wxpay_dsl.core.messages import RawResponse

__all__ = ["MissingSignError", "ResultCodeError", "ReturnCodeError", "result_code_error", "return_code_error"]

#: After these errors the outcome of a call that may change something is unknown.
_DOUBTFUL: Final = (BankError, ServiceSystemError, UserPayingError)
#: Hints by code, or by part of ``return_msg``, for errors with one usual cause.
_HINTS: Final = (
    ("签名错误", "compare `apiv2_key` (APIv2密钥) with the merchant platform's: APIv2 has its own key"),
    ("SIGNERROR", "compare `apiv2_key` (APIv2密钥) with the merchant platform's: APIv2 has its own key"),
    ("API证书", "the service did not accept the client certificate: give `p12`, or `certificate` and its key"),
    ("商户证书", "the service did not accept the client certificate: give `p12`, or `certificate` and its key"),
    ("NOAUTH", "enable the product (商户平台-产品中心), and bind the appid to this merchant"),
    ("USERPAYING", "query the order until it is paid or failed, then reverse it"),
    ("No Bill Exist", "there is no bill of that day and type: there were no transactions, or the date is wrong"),
    ("Bill Creating", "the bills of a day are ready after 10:00 (Beijing) of the next one"),
)


@frozen(str=False)
class ReturnCodeError(ServiceError):
    """``return_code`` FAIL (通信标识): the service did not process the request. Such a response has no signature.

    ``code`` is the response's ``error_code`` if it has one, otherwise ``FAIL``; ``message`` is ``return_msg``.
    """


@frozen(str=False)
class ResultCodeError(ServiceError):
    """``result_code`` FAIL (业务结果): the service rejected the request. Verified if the operation's responses are.

    ``code`` is ``err_code``, ``message`` is ``err_code_des``, ``fields`` has all fields of the response.
    """

    fields: Mapping[str, Any] = field(factory=dict, repr=False)


@frozen(str=False)
class MissingSignError(VerificationError):
    """A response without ``sign`` to an operation whose responses are signed. ``body`` is complete, but unverified."""


def return_code_error(response: RawResponse, code: str, message: str) -> ReturnCodeError:
    """The error of a response whose ``return_code`` or ``error_code`` is ``code``."""
    kinds = (error_class(text) for text in (code, message))
    # The response is unsigned, so it must not raise a class by which programs decide that an order is paid or closed.
    kind = next((kind for kind in kinds if kind in _UNSIGNED), ServiceError)
    common = _common(response, code, message)
    return _combined_class(kind, ReturnCodeError)(**common, outcome_unknown=_in_doubt(response, code, message))


def result_code_error(response: RawResponse, code: str, message: str, fields: Mapping[str, Any]) -> ResultCodeError:
    """The error of a response whose ``err_code`` is ``code``: a ResultCodeError that is also of the code's class."""
    kind = error_class(code)
    common = _common(response, code, message)
    return _combined_class(kind, ResultCodeError)(**common, outcome_unknown=_in_doubt(response, code), fields=fields)


def _in_doubt(response: RawResponse, *texts: str) -> bool:
    """Whether the call may have been executed although the response reports an error."""
    return not response.safe and any(issubclass(error_class(text), _DOUBTFUL) for text in texts)


def _common(response: RawResponse, code: str, message: str) -> dict[str, Any]:
    return {
        "operation": response.name,
        "status": response.status,
        "code": code,
        "message": message,
        "request_id": response.headers.get("Request-ID", ""),
        "headers": response.headers,
        "body": response.body,
        "hint": next((text for part, text in _HINTS if part == code or part.lower() in message.lower()), ""),
    }


_Either = TypeVar("_Either", ReturnCodeError, ResultCodeError)
#: Suffixes of the names of combined classes, after the name of the code's class.
_SUFFIXES: Final = {"V2": ResultCodeError, "V2Return": ReturnCodeError}
#: The classes that an unsigned response may raise.
_UNSIGNED: Final = (StatementNotExistError, StatementCreatingError)


def _combined_class(kind: type[ServiceError], base: type[_Either]) -> type[_Either]:
    """The subclass of ``kind`` and ``base``: created once, and kept in this module so that pickle finds it."""
    if kind is ServiceError:
        return base
    name = kind.__name__ + next(suffix for suffix, of in _SUFFIXES.items() if of is base)
    cached: type[_Either] | None = globals().get(name)
    if cached is None:
        namespace_values: dict[str, Any] = {"__module__": __name__, "__qualname__": name, "__doc__": kind.__doc__}
        created = new_class(name, (kind, base), exec_body=lambda namespace: namespace.update(namespace_values))
        cached = frozen(str=False)(created)
        globals()[name] = cached
    return cached


def __getattr__(name: str) -> Any:
    """Creates a combined class by its name, for a process that unpickles an error of a class it has not created yet."""
    from wxpay_dsl.wechat.v3 import errors as service_errors

    for suffix, base in _SUFFIXES.items():
        kind = getattr(service_errors, name.removesuffix(suffix), None) if name.endswith(f"Error{suffix}") else None
        if kind is not None:
            return _combined_class(kind, base)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
