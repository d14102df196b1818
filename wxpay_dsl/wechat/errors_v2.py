"""What APIv2 answers when it says no, in the same tree as APIv3's errors.

``return_code`` FAIL is a ReturnCodeError, ``result_code`` FAIL a ResultCodeError; the latter is also an error of the
class that APIv3 has for the code, so that ``except OrderPaidError`` catches both.

https://pay.weixin.qq.com/doc/v2/merchant/4011985891
"""

from __future__ import annotations

from collections.abc import Mapping
from types import new_class
from typing import TYPE_CHECKING, Any, Final, TypeVar

from attrs import field, frozen

from wxpay_dsl.core.errors import ServiceError

from .errors import SignatureError
from .service_errors import (
    BankError,
    ServiceSystemError,
    StatementCreatingError,
    StatementNotExistError,
    UserPayingError,
    error_class,
)

if TYPE_CHECKING:
    from wxpay_dsl.core.exchange import Response

__all__ = ["MissingSignError", "ResultCodeError", "ReturnCodeError", "result_code_error", "return_code_error"]

#: After these a call that may have done something may have done it.
_DOUBTFUL: Final = (BankError, ServiceSystemError, UserPayingError)
#: Parts of ``return_msg``, or codes, that have one usual cause, and its mend.
_HINTS: Final = (
    ("签名错误", "compare `secret` (APIv2密钥) with the merchant platform's: APIv2 has a key of its own"),
    ("SIGNERROR", "compare `secret` (APIv2密钥) with the merchant platform's: APIv2 has a key of its own"),
    ("API证书", "the service did not accept the client certificate: give `p12`, or `certificate` and its key"),
    ("商户证书", "the service did not accept the client certificate: give `p12`, or `certificate` and its key"),
    ("NOAUTH", "switch the product on (商户平台-产品中心), and bind the appid to this merchant"),
    ("USERPAYING", "query the order until it is paid or failed, then reverse it"),
    ("No Bill Exist", "there is no bill of that day and type: nothing was traded, or the date is wrong"),
    ("Bill Creating", "the bills of a day are ready after 10:00 (Beijing) of the next one"),
)


@frozen(str=False)
class ReturnCodeError(ServiceError):
    """``return_code`` FAIL (通信标识): the call was not understood. Such an answer has no signature.

    ``code`` is the answer's ``error_code`` where it has one, else ``FAIL``; ``message`` is ``return_msg``.
    """


@frozen(str=False)
class ResultCodeError(ServiceError):
    """``result_code`` FAIL (业务结果): the call was understood and refused; verified, unless its spec has no signature.

    ``code`` is ``err_code``, ``message`` is ``err_code_des``, ``fields`` holds all fields of the answer.
    """

    fields: Mapping[str, Any] = field(factory=dict, repr=False)


@frozen(str=False)
class MissingSignError(SignatureError):
    """An answer without ``sign`` where the service signs; ``body`` is all of it, and none of it is to be believed."""


def return_code_error(response: Response, code: str, message: str) -> ReturnCodeError:
    """The error of an answer whose ``return_code`` is ``code``, or that has that ``error_code``."""
    kinds = (error_class(text) for text in (code, message))
    # Not signed: it raises no class of which a program believes that something was paid or closed.
    kind = next((kind for kind in kinds if kind in _UNSIGNED), ServiceError)
    common = _common(response, code, message)
    return _of_both(kind, ReturnCodeError)(**common, outcome_unknown=_in_doubt(response, code, message))


def result_code_error(response: Response, code: str, message: str, fields: Mapping[str, Any]) -> ResultCodeError:
    """The error of an answer whose ``err_code`` is ``code``: a ResultCodeError, and one of the code's own class."""
    kind = error_class(code)
    common = _common(response, code, message)
    return _of_both(kind, ResultCodeError)(**common, outcome_unknown=_in_doubt(response, code), fields=fields)


def _in_doubt(response: Response, *said: str) -> bool:
    """Whether the call may have been carried out: an answer's words can only make that more doubtful, never less."""
    return not response.safe and any(issubclass(error_class(text), _DOUBTFUL) for text in said)


def _common(response: Response, code: str, message: str) -> dict[str, Any]:
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
#: How the classes of a code and of the answer's own are called, after the code's.
_SUFFIXES: Final = {"V2": ResultCodeError, "V2Return": ReturnCodeError}
#: What an answer that nobody signed may raise.
_UNSIGNED: Final = (StatementNotExistError, StatementCreatingError)


def _of_both(kind: type[ServiceError], base: type[_Either]) -> type[_Either]:
    """The class of both, under the name of the code's own: made once, and found here again by pickle."""
    if kind is ServiceError:
        return base
    name = kind.__name__ + next(suffix for suffix, of in _SUFFIXES.items() if of is base)
    known: type[_Either] | None = globals().get(name)
    if known is None:
        words: dict[str, Any] = {"__module__": __name__, "__qualname__": name, "__doc__": kind.__doc__}
        made = new_class(name, (kind, base), exec_body=lambda namespace: namespace.update(words))
        known = frozen(str=False)(made)
        globals()[name] = known
    return known


def __getattr__(name: str) -> Any:
    """The class of a code and of an answer's, for a process that unpickles one before it made any."""
    from . import service_errors

    for suffix, base in _SUFFIXES.items():
        kind = getattr(service_errors, name.removesuffix(suffix), None) if name.endswith(f"Error{suffix}") else None
        if kind is not None:
            return _of_both(kind, base)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
