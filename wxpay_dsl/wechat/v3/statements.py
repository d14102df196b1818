"""Overseas statements (境外对账单), whose signature covers the SHA-1 of the file instead of the response body.

The signed content is ``{"sha1":"<Wechatpay-Statement-Sha1>"}``; the decompressed file must have that digest.

https://pay.weixin.qq.com/wiki/doc/api/wxpay/ch/fusion_wallet_ch/QuickPay/chapter8_5.shtml
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from wxpay_dsl.core.http.decoding import Digest, FileDecodeError, FileDecoder
from wxpay_dsl.core.http.transport import MAX_RESPONSE
from wxpay_dsl.wechat.errors import BadSignatureError, MissingHeaderError

if TYPE_CHECKING:
    from wxpay_dsl.core.messages import RawResponse
    from wxpay_dsl.core.specs.model import Operation

__all__ = ["digest_of", "signed_body", "statement_content"]

_SHA1: Final = re.compile(r"[0-9a-fA-F]{40}\Z")
#: The largest decompressed statement that is not streamed, in bytes.
_LIMIT: Final = 8 * MAX_RESPONSE


def digest_of(operation: Operation, headers: Mapping[str, str]) -> Digest:
    """The digest in a response's headers. Raises MissingHeaderError if it is missing or malformed."""
    value = headers.get(operation.digest_header, "")
    if not _SHA1.match(value):
        problem = "not a SHA-1" if value else "missing"
        message = f"the header {operation.digest_header} is {problem}, so this file cannot be verified"
        raise MissingHeaderError(operation.name, message, header=operation.digest_header)
    return Digest("SHA1", value)


def signed_body(digest: Digest) -> bytes:
    """The content that is signed instead of the file."""
    return f'{{"sha1":"{digest.value}"}}'.encode()


def statement_content(operation: Operation, response: RawResponse) -> bytes:
    """The statement, decompressed. Raises BadSignatureError unless it has the signed digest."""
    decoder = FileDecoder(digest_of(operation, response.headers), _LIMIT)
    try:
        return b"".join((*decoder.feed(response.body), *decoder.finish()))
    except FileDecodeError as error:
        status, headers, body = response.status, response.headers, response.body
        message = str(error)
        raise BadSignatureError(operation.name, message, status=status, headers=headers, body=body) from None
