"""Encrypts sensitive fields (敏感信息) of requests with a platform key, and decrypts those of responses.

Fields that a spec marks as ``encrypted`` are found at any depth, in lists too. They are changed on a copy, once a call,
so that retries send the same bytes. The header ``Wechatpay-Serial`` names the key.

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
#: The sections of a request that can have sensitive fields.
_SECTIONS: Final = ("path", "query", "body", "form")
#: Values that are decrypted before other tasks of the event loop may run: about 2 ms.
_BATCH: Final = 8


class Ciphertext(str):
    """A value that is already encrypted; it is sent unchanged.

    ``serial`` names the platform key it was encrypted with. All other sensitive fields of the call are then encrypted
    with the same key, since a request can name only one. Without ``serial``, the client's preferred key is named.
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
    """A decrypted value: ordinary text whose ``repr``, which may end up in logs and tracebacks, is masked."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


def padding(operation: Operation) -> Padding:
    """The RSA padding of an operation's sensitive fields: PKCS#1 v1.5 below ``/v3/global``, OAEP everywhere else."""
    return "pkcs1" if operation.path.startswith("/v3/global/") else "oaep"


def encrypt_sensitive(keyring: Keyring) -> Encrypt:
    """The function that encrypts a request's sensitive fields with the preferred key, or the one that the call names.

    It raises ValidationError, with all field errors, for values that cannot be encrypted and for a key that is not in
    the keyring, and what the keyring raises. Errors never show a value.
    """

    async def encrypt(operation: Operation, sections: Sections) -> Sections:
        declared = _sensitive_sections(operation)
        if not declared:
            return sections
        sensitive = [name for name in declared if sections.get(name)]
        values = [value for name in sensitive for _, value in _values(operation.section(name), sections[name], name)]
        if not values:
            return sections
        key = await _encryption_key(operation, sections, values, keyring)
        public_key = key.rsa
        rsa_encrypt = pkcs1_encrypt if padding(operation) == "pkcs1" else oaep_encrypt
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
                return rsa_encrypt(value, public_key)
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
    """The function that decrypts the sensitive fields of a response, which must be verified before."""

    async def decrypt(operation: Operation, data: Any) -> Any:
        if operation.returns is None or not _holds_encrypted(operation.returns):
            return data
        return await decrypt_fields(operation.returns, data, decryptor, padding(operation), operation.name)

    return decrypt


async def decrypt_fields(schema: Schema, data: Any, decryptor: Decryptor, how: Padding, subject: str) -> Any:
    """A copy of ``data`` with its sensitive fields decrypted, as :class:`SensitiveText`.

    ``how`` is the padding; ``subject`` names the call in logs. A value that does not decrypt is logged and stays, as a
    :class:`Ciphertext`: a verified response reports what has happened, so it must not be lost to an error.
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
            reason = error if isinstance(error, SdkError) else "it is not base64, or its plaintext is not text"
            _log.warning("%s: %s stays encrypted: %s", subject, path.removeprefix("."), reason)
            plain[path] = Ciphertext(value)

    def put(schema: Schema, value: Any, path: str) -> Any:
        return plain.get(path, value)

    return rewrite(schema, data, _is_encrypted, put, "")


async def _encryption_key(operation: Operation, sections: Sections, values: list[Any], keyring: Keyring) -> PlatformKey:
    """The one key that a request is encrypted with."""
    given = {value.serial for value in values if isinstance(value, Ciphertext) and value.serial}
    named = sections.get("header", {}).get(_header_name(sections))
    if named:
        given.add(str(named))
    if not given:
        return await keyring.preferred()
    where = f"header.{_SERIAL}"
    if len(given) > 1:
        message = (
            f"sensitive fields are encrypted with different keys, {', '.join(sorted(given))}; a request can name one"
        )
        raise ValidationError(operation.name, (FieldError(where, message),))
    serial = given.pop()
    key = await keyring.find(serial)
    if key is None:
        loaded = ", ".join(keyring.key_ids()) or "none"
        message = f"{serial[:80]!r} is not a loaded platform key (loaded: {loaded})"
        raise ValidationError(operation.name, (FieldError(where, message),))
    return key


def _header_name(sections: Sections) -> str:
    """The header's name as the caller spelled it, so that it is not sent twice."""
    given: Mapping[str, Any] = sections.get("header", {})
    return next((name for name in given if name.lower() == _SERIAL.lower()), _SERIAL)


def _values(schema: Schema | None, data: Any, path: str) -> list[tuple[str, Any]]:
    """The path and value of each sensitive field in ``data``."""
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
