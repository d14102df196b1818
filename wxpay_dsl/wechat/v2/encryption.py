"""Encrypts the sensitive fields (敏感信息) of APIv2 requests.

``/mmpaysptrans/pay_bank`` uses the key from ``/risk/getpublickey`` for ``enc_bank_no`` and ``enc_true_name``. An
operation with the field ``cert_serial_number`` uses the platform certificate that this field names.

https://pay.weixin.qq.com/wiki/doc/api/tools/mch_pay_yhk.php?chapter=24_7&index=4
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from wxpay_dsl.core.errors import FieldError, ValidationError
from wxpay_dsl.core.specs.transform import any_field, rewrite
from wxpay_dsl.wechat.crypto.ciphers import oaep_encrypt

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    from wxpay_dsl.core.dialect import Encrypt
    from wxpay_dsl.core.messages import Sections
    from wxpay_dsl.core.specs.model import Operation, Schema
    from wxpay_dsl.wechat.crypto.platform_key import Keyring

    from .cached_value import CachedValue

__all__ = ["encrypt_v2"]

#: The field that names the platform certificate (平台证书序列号) that the others are encrypted with.
_SERIAL: Final = "cert_serial_number"


def encrypt_v2(bank_key: CachedValue[RSAPublicKey], keyring: Keyring) -> Encrypt:
    """The function that encrypts the fields that a spec marks as ``encrypted``, on a copy.

    ``bank_key`` is the key from ``/risk/getpublickey``, fetched when it is first needed. The function raises
    ValidationError for an unknown platform certificate and for a value that is not text,
    EncryptionError for a value that is too long, and what fetching a key raises.
    """

    async def encrypt(operation: Operation, sections: Sections) -> Sections:
        schema, body = operation.body, sections.get("body")
        if schema is None or not isinstance(body, Mapping) or not _has_encrypted(schema, body):
            return sections
        serial = None
        if _SERIAL in schema.properties:
            serial, key = await _platform_key(operation, body, keyring)
        else:
            key = await bank_key.get()

        def encrypt(field: Schema, value: Any, path: str) -> Any:
            if value is None or value == "":
                return value
            if not isinstance(value, str):
                # A value that is not encrypted would be sent in the clear.
                message = f"it is encrypted, so it must be text, not {type(value).__name__}"
                raise ValidationError(operation.name, (FieldError(path, message),))
            return oaep_encrypt(str.__str__(value), key)

        encrypted = rewrite(schema, body, _is_encrypted, encrypt, "body")
        return {**sections, "body": encrypted if serial is None else {**encrypted, _SERIAL: serial}}

    return encrypt


async def _platform_key(operation: Operation, body: Mapping[str, Any], keyring: Keyring) -> tuple[str, RSAPublicKey]:
    named = body.get(_SERIAL)
    key = await keyring.find(str(named)) if named else await keyring.preferred()
    if key is None:
        message = f"{str(named)[:80]!r} is not a loaded platform key: leave it out, and the client names one"
        raise ValidationError(operation.name, (FieldError(f"body.{_SERIAL}", message),))
    return key.id, key.rsa


def _has_encrypted(schema: Schema, body: Mapping[str, Any]) -> bool:
    return any(any_field(below, _is_encrypted) and body.get(name) for name, below in schema.properties.items())


def _is_encrypted(schema: Schema) -> bool:
    return schema.encrypted
