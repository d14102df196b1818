"""The APIv3 dialect: JSON, signed in headers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wxpay_dsl.core.dialect import Dialect, decode_json
from wxpay_dsl.core.redaction import mask_fields
from wxpay_dsl.wechat.chains import AUTO_FIELDS, CHAINS, SECRET_FIELDS

from .errors import explain_refusal, refusal_v3
from .statements import statement_content
from .uploads import META, prepare_files

if TYPE_CHECKING:
    from wxpay_dsl.core.dialect import Decrypt, Encrypt
    from wxpay_dsl.core.messages import RawResponse
    from wxpay_dsl.core.specs.model import Operation

__all__ = ["decode", "v3"]


def v3(encrypt: Encrypt | None = None, decrypt: Decrypt | None = None) -> Dialect:
    """The dialect of APIv3. ``encrypt`` and ``decrypt`` process the sensitive fields (敏感信息) of a call."""
    mask_fields(SECRET_FIELDS)
    return Dialect(
        "v3",
        chain=CHAINS["v3"],
        decode=decode,
        auto_fields=AUTO_FIELDS["v3"],
        encrypt=encrypt,
        decrypt=decrypt,
        parse_error=refusal_v3,
        explain=explain_refusal,
        prepare_files=prepare_files,
        signed_field=META,
    )


def decode(operation: Operation | None, response: RawResponse) -> Any:
    """The data of a successful response: its JSON, or the bytes of a file; an overseas statement is decompressed.

    Raises ResponseDecodeError for what cannot be decoded, BadSignatureError for a statement without the signed digest.
    """
    if operation is not None and operation.digest_header:
        return statement_content(operation, response)
    return decode_json(operation, response)
