"""Settings whose values are secret, masked while they are checked: error trackers send the variables of each frame."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from wxpay_dsl.core.errors import ConfigurationError
from wxpay_dsl.core.secrets import Secret
from wxpay_dsl.wechat.crypto.pem import file_of

from .options import NAMES

__all__ = ["loaded", "masked", "revealed"]

T = TypeVar("T")

#: Secret as they stand: keys and passwords, and URLs with a password in them.
_TEXTS: Final = (
    "apiv3_key",
    "apiv2_key",
    "wecom_secret",
    "p12_password",
    "brand_api_key",
    "proxy",
    "certificate_store",
)
#: Secret where they are the key itself, and not the name of its file.
_MATERIAL: Final = ("private_key", "p12", "brand_private_key")


class _SecretBytes(Secret):
    """Bytes, which :func:`revealed` gives back as bytes."""

    __slots__ = ()


def masked(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings, with a :class:`Secret` for each value that is secret. What is masked already stays."""
    return {name: _mask(name, value) for name, value in settings.items()}


def revealed(value: Any) -> Any:
    """The value itself. To be used within an expression, and not kept in a variable."""
    if isinstance(value, _SecretBytes):
        return value.reveal().encode("latin-1")
    return value.reveal() if isinstance(value, Secret) else value


def loaded(load: Callable[[], T], setting: str = "") -> T:
    """What ``load`` makes of a secret. Raises its ConfigurationError, after the setting's name."""
    try:
        return load()
    except ConfigurationError as error:
        said = str(error)
    # Raised here, it does not hold on to the frames below, whose variables are the secret.
    raise ConfigurationError(f"`{setting}`: {said}" if setting else said)


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
