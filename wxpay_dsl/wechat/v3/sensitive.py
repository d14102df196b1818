"""Sensitive fields (敏感信息): encrypted under a platform key on the way out, decrypted with one's own on the way in.

What a spec marks as ``encrypted`` is found at any depth, in lists too, and changed on a copy, once: an attempt that is
repeated sends the same bytes. The request then carries the name of the key, ``Wechatpay-Serial``.

https://pay.weixin.qq.com/doc/v3/partner/4013059053
"""

from __future__ import annotations

import asyncio
import logging
from binascii import Error as Base64Error
from binascii import a2b_base64
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Self

from wxpay_dsl.core.errors import FieldError, SdkError, ValidationError
from wxpay_dsl.core.specs.memo import memo
from wxpay_dsl.core.specs.transform import any_field, rewrite
from wxpay_dsl.wechat.crypto.ciphers import EncryptionError, oaep_encrypt, pkcs1_encrypt

if TYPE_CHECKING:
    from wxpay_dsl.core.dialect import Decrypt, Encrypt
    from wxpay_dsl.core.messages import Sections
    from wxpay_dsl.core.specs.model import Operation, Schema
    from wxpay_dsl.wechat.crypto.decryptor import Decryptor, Padding
    from wxpay_dsl.wechat.crypto.platform_key import Keyring, PlatformKey

__all__ = [
    "Ciphertext",
    "SensitiveText",
    "decrypt_fields",
    "decrypt_sensitive",
    "encrypt_sensitive",
    "padding",
]

_log: Final = logging.getLogger(__name__)
_SERIAL: Final = "Wechatpay-Serial"
#: Where fields of a request can be sensitive.
_SECTIONS: Final = ("path", "query", "body", "form")
#: Values that are decrypted before other tasks of the loop have their turn: 2 ms.
_BATCH: Final = 8


class Ciphertext(str):
    """A value that is encrypted already: sent as it is.

    ``serial`` names the platform key it was encrypted for; all other sensitive fields of the call are then encrypted
    for the same one, since a request can name one key only. Without it the client's own choice is named.
    """

    __slots__ = ("serial",)

    serial: str

    def __new__(cls, value: str, serial: str = "") -> Self:
        self = super().__new__(cls, value)
        self.serial = serial
        return self

    def __repr__(self) -> str:
        return f"Ciphertext({str(self)[:12]!r}…)" if len(self) > 12 else f"Ciphertext({str(self)!r})"


class SensitiveText(str):
    """A decrypted value. It is the text it is; only its ``repr``, which ends up in logs and tracebacks, is masked."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


def padding(operation: Operation) -> Padding:
    """How an operation's sensitive fields are padded: PKCS#1 v1.5 below ``/v3/global``, RSA-OAEP everywhere else."""
    return "pkcs1" if operation.path.startswith("/v3/global/") else "oaep"


def encrypt_sensitive(keyring: Keyring) -> Encrypt:
    """Encrypts the sensitive fields of a request under the keyring's preferred key, or the one that the call names.

    Raises ValidationError, all field_errors at once, for values that cannot be encrypted or a key that is not known here,
    and what finding a key raises. Nothing of a value is in an error.
    """

    async def encrypt(operation: Operation, sections: Sections) -> Sections:
        declared = _sensitive_sections(operation)
        if not declared:
            return sections
        sensitive = [name for name in declared if sections.get(name)]
        values = [value for name in sensitive for _, value in _values(operation.section(name), sections[name], name)]
        if not values:
            return sections
        key = await _key(operation, sections, values, keyring)
        public_key = key.rsa
        seal = pkcs1_encrypt if padding(operation) == "pkcs1" else oaep_encrypt
        field_errors: list[FieldError] = []

        def encrypt(schema: Schema, value: Any, path: str) -> Any:
            if value is None:
                return None
            if isinstance(value, Ciphertext):
                return str(value)
            if not isinstance(value, str):
                field_errors.append(FieldError(path, f"expected string, got {type(value).__name__} (not shown)"))
                return value
            try:
                return seal(value, public_key)
            except EncryptionError as error:
                field_errors.append(FieldError(path, str(error)))
                return value

        changed = dict(sections)
        for name in sensitive:
            schema = operation.section(name)
            if schema is not None:
                changed[name] = rewrite(schema, sections[name], _is_encrypted, encrypt, name)
        if field_errors:
            raise ValidationError(operation.name, tuple(field_errors))
        changed["header"] = {**sections.get("header", {}), _header_name(sections): key.id}
        return changed

    return encrypt


def decrypt_sensitive(decryptor: Decryptor) -> Decrypt:
    """Decrypts the sensitive fields of an answer. It was verified before."""

    async def decrypt(operation: Operation, data: Any) -> Any:
        if operation.returns is None or not _holds_encrypted(operation.returns):
            return data
        return await decrypt_fields(operation.returns, data, decryptor, padding(operation), operation.name)

    return decrypt


async def decrypt_fields(schema: Schema, data: Any, decryptor: Decryptor, how: Padding, subject: str) -> Any:
    """``data`` with its sensitive fields as :class:`SensitiveText`, on a copy.

    A value that does not decrypt stays, as a :class:`Ciphertext`, and is logged: an answer that was verified tells of
    something that has happened, and is never refused.
    """
    plain: dict[str, str] = {}
    for position, (path, value) in enumerate(_values(schema, data, "")):
        if not isinstance(value, str) or not value:
            continue
        if position and position % _BATCH == 0:
            await asyncio.sleep(0)
        try:
            plain[path] = SensitiveText((await decryptor.decrypt(a2b_base64(value), how)).decode())
        except (SdkError, Base64Error, ValueError) as error:
            reason = error if isinstance(error, SdkError) else "it is not base64, or what is inside is not text"
            _log.warning("%s: %s stays encrypted: %s", subject, path.removeprefix("."), reason)
            plain[path] = Ciphertext(value)

    def put(schema: Schema, value: Any, path: str) -> Any:
        return plain.get(path, value)

    return rewrite(schema, data, _is_encrypted, put, "")


async def _key(operation: Operation, sections: Sections, values: list[Any], keyring: Keyring) -> PlatformKey:
    """The one key that a request can be encrypted for."""
    given = {value.serial for value in values if isinstance(value, Ciphertext) and value.serial}
    named = sections.get("header", {}).get(_header_name(sections))
    if named:
        given.add(str(named))
    if not given:
        return await keyring.preferred()
    where = f"header.{_SERIAL}"
    if len(given) > 1:
        message = f"the sensitive fields are encrypted for different keys, {', '.join(sorted(given))}; one can be named"
        raise ValidationError(operation.name, (FieldError(where, message),))
    serial = given.pop()
    key = await keyring.find(serial)
    if key is None:
        known = ", ".join(keyring.key_ids()) or "none"
        message = f"{serial[:80]!r} is no platform key that is known here (known: {known})"
        raise ValidationError(operation.name, (FieldError(where, message),))
    return key


def _header_name(sections: Sections) -> str:
    """The header as the caller spelled it, so that it is not sent twice."""
    given: Mapping[str, Any] = sections.get("header", {})
    return next((name for name in given if name.lower() == _SERIAL.lower()), _SERIAL)


def _values(schema: Schema | None, data: Any, path: str) -> list[tuple[str, Any]]:
    """Path and value of each sensitive field that is given."""
    found: list[tuple[str, Any]] = []

    def note(schema: Schema, value: Any, path: str) -> Any:
        found.append((path, value))
        return value

    if schema is not None:
        rewrite(schema, data, _is_encrypted, note, path)
    return found


def _is_encrypted(schema: Schema) -> bool:
    return schema.encrypted


@memo
def _holds_encrypted(schema: Schema) -> bool:
    return any_field(schema, _is_encrypted)


@memo
def _sensitive_sections(operation: Operation) -> tuple[str, ...]:
    sections = ((name, operation.section(name)) for name in _SECTIONS)
    return tuple(name for name, schema in sections if schema is not None and _holds_encrypted(schema))
