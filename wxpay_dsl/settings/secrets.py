"""Masks secret settings while they are checked, because error trackers send the variables of each frame."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from wxpay_dsl.core.errors import ConfigurationError
from wxpay_dsl.core.secrets import Secret
from wxpay_dsl.wechat.crypto.pem import file_of

from .options import NAMES

__all__ = ["blanks_hint", "loaded", "masked", "revealed", "symmetric_key"]

T = TypeVar("T")

#: Settings that are secret: keys, passwords, and URLs that may contain a password.
_TEXTS: Final = (
    "apiv3_key",
    "apiv2_key",
    "wecom_secret",
    "p12_password",
    "brand_api_key",
    "proxy",
    "certificate_store",
)
#: Settings that are secret if they are the key itself, and not the name of its file.
_MATERIAL: Final = ("private_key", "p12", "brand_private_key")


class _SecretBytes(Secret):
    """A secret that :func:`revealed` returns as bytes."""

    __slots__ = ()


def masked(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings with each secret value as a :class:`Secret`. Values that are masked already stay."""
    return {name: _mask(name, value) for name, value in settings.items()}


def revealed(value: Any) -> Any:
    """The plain value. Use it within an expression; do not keep it in a variable."""
    if isinstance(value, _SecretBytes):
        return value.reveal().encode("latin-1")
    return value.reveal() if isinstance(value, Secret) else value


def loaded(load: Callable[[], T], setting: str = "") -> T:
    """The result of ``load``. Raises its ConfigurationError, prefixed with the setting's name."""
    try:
        return load()
    except ConfigurationError as error:
        message = str(error)
    # Raised outside the handler, so that it does not refer to frames whose variables contain the secret.
    raise ConfigurationError(f"`{setting}`: {message}" if setting else message)


def symmetric_key(settings: Mapping[str, Any], name: str, rule: str) -> bytes | None:
    """A masked setting as the 32 bytes of an AES key; None if it is absent.

    Raises ConfigurationError, which quotes ``rule`` (``(APIv3密钥) is 32 bytes``), for another length or type.
    """
    value = settings.get(name)
    if value is None:
        return None
    size = len(_utf8(revealed(value))) if isinstance(value, Secret) else -1
    if size != 32:
        length = f"{size} bytes{blanks_hint(value)}" if size >= 0 else "empty" if value == "" else type(value).__name__
        raise ConfigurationError(f"`{name}` {rule}, not {length}")
    return _utf8(revealed(value))


def blanks_hint(value: Any) -> str:
    """A hint for a key of the wrong length that has white space around it."""
    return " (there are blanks or a line break around it)" if len(revealed(value).strip()) == 32 else ""


def _utf8(value: str | bytes) -> bytes:
    return value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value


def _mask(name: str, value: Any) -> Any:
    # A name that is no setting may be the misspelt name of a secret one.
    if (
        name in NAMES
        and name not in _TEXTS
        and (name not in _MATERIAL or (isinstance(value, str) and file_of(value) is not None))
    ):
        return value
    if isinstance(value, (bytes, bytearray)):
        return _SecretBytes(bytes(value).decode("latin-1"))
    return Secret(value) if isinstance(value, str) and value else value
