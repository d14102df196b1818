"""What APIv2 answers when it says no, in the same tree as APIv3's errors.

https://pay.weixin.qq.com/doc/v2/merchant/4011985891
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from attrs import field, frozen

from wxpay_dsl.core.errors import ServiceError

from .errors import SignatureError

__all__ = ["MissingSignError", "ResultCodeError", "ReturnCodeError", "hint"]

#: Parts of ``return_msg`` or error codes that have one usual cause, and its mend.
_HINTS: Final = (
    ("签名错误", "compare `secret` (APIv2密钥) with the merchant platform's: APIv2 has a key of its own"),
    ("SIGNERROR", "compare `secret` (APIv2密钥) with the merchant platform's: APIv2 has a key of its own"),
    (
        "证书",
        "the service did not accept the client certificate (商户API证书): give `p12`, or `certificate` and its key",
    ),
    ("NOAUTH", "the product is not switched on for this merchant, or the appid is not bound to it (商户平台-产品中心)"),
    ("USERPAYING", "the user is typing the password: query the order until it is paid or failed, then reverse it"),
    ("SYSTEMERROR", "the outcome is unknown: query it, or send it again with the same numbers"),
)


@frozen(str=False)
class ReturnCodeError(ServiceError):
    """``return_code`` FAIL (通信标识): the call was not understood. Such an answer has no signature.

    ``code`` is the answer's ``error_code`` where it has one, else ``FAIL``; ``message`` is ``return_msg``.
    """


@frozen(str=False)
class ResultCodeError(ServiceError):
    """``result_code`` FAIL (业务结果): the call was understood and refused. Its signature was verified.

    ``code`` is ``err_code``, ``message`` is ``err_code_des``, ``fields`` holds all fields of the answer.
    """

    fields: Mapping[str, Any] = field(factory=dict, repr=False)


@frozen(str=False)
class MissingSignError(SignatureError):
    """An answer without ``sign`` where the service signs; ``body`` is all of it, and none of it is to be believed."""

    body: bytes = field(default=b"", repr=False)


def hint(code: str, message: str) -> str:
    """What to do about an error that has one usual cause, or nothing."""
    return next((text for part, text in _HINTS if part == code or part in message), "")
