"""Signs APIv2's only upload form, ``/secapi/mch/uploadmedia``; one of the signed fields is the file's MD5.

https://pay.weixin.qq.com/wiki/doc/api/xiaowei.php?chapter=19_9
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wxpay_dsl.core.request.files import Upload

from . import fields as fields_v2
from . import signing as signing_v2
from .signer import EnvironmentV2, complete, refuse_hidden_codes

if TYPE_CHECKING:
    from wxpay_dsl.core.dialect import PrepareFiles
    from wxpay_dsl.core.errors import FieldError
    from wxpay_dsl.core.specs.model import Operation

__all__ = ["prepare_files_v2"]


def prepare_files_v2(mchid: str, environment: EnvironmentV2) -> PrepareFiles:
    """The function that adds ``media_hash``, the merchant's id and the signature to an upload form.

    It raises ValidationError for another merchant's id, and ConfigurationError without an APIv2 key.
    """

    async def prepare_files(
        operation: Operation | None, fields: dict[str, Any], field_errors: list[FieldError]
    ) -> dict[str, Any]:
        schema = operation.form if operation is not None else None
        file = next((value for value in fields.values() if isinstance(value, Upload)), None)
        given = dict(fields)
        if file is not None and not given.get("media_hash") and (schema is None or "media_hash" in schema.properties):
            given["media_hash"] = await file.digest("md5")
        texts = fields_v2.written({name: value for name, value in given.items() if not isinstance(value, Upload)})
        name = operation.name if operation is not None else "upload"
        refuse_hidden_codes(texts, name)
        nonce = schema is not None and "nonce_str" in schema.properties
        signed = complete(texts, schema, mchid, name, nonce=nonce)
        secret = await environment.secret(operation.path if operation is not None else "")
        signed["sign"] = signing_v2.sign(signed, secret, signed.get("sign_type") or signing_v2.MD5)
        return {**fields, **signed}

    return prepare_files
