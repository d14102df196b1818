"""Overseas statements (境外对账单): not the file is signed, but its SHA-1, which a header names.

The signed body is ``{"sha1":"<Wechatpay-Statement-Sha1>"}``; the file, unpacked, must then have that digest.

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

__all__ = ["content", "digest_of", "signed_body"]

_SHA1: Final = re.compile(r"[0-9a-fA-F]{40}\Z")
#: Bytes of a statement that is not streamed, unpacked.
_LIMIT: Final = 8 * MAX_RESPONSE


def digest_of(operation: Operation, headers: Mapping[str, str]) -> Digest:
    """The digest that an answer's headers name. Raises MissingHeaderError."""
    value = headers.get(operation.digest_header, "")
    if not _SHA1.match(value):
        what = "no SHA-1" if value else "missing"
        message = f"the header {operation.digest_header} is {what}, so nobody vouches for this file"
        raise MissingHeaderError(operation.name, message, header=operation.digest_header)
    return Digest("SHA1", value)


def signed_body(digest: Digest) -> bytes:
    """What is signed in the file's place."""
    return f'{{"sha1":"{digest.value}"}}'.encode()


def content(operation: Operation, response: RawResponse) -> bytes:
    """The statement, unpacked. Raises BadSignatureError unless it has the digest that was signed."""
    unpacker = FileDecoder(digest_of(operation, response.headers), _LIMIT)
    try:
        return b"".join((*unpacker.feed(response.body), *unpacker.finish()))
    except FileDecodeError as error:
        status, headers, body = response.status, response.headers, response.body
        message = str(error)
        raise BadSignatureError(operation.name, message, status=status, headers=headers, body=body) from None
