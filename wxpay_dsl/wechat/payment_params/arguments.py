"""Checks of the arguments of payment parameters: each gives the error message of one argument, or None."""

from __future__ import annotations

from urllib.parse import urlsplit

from wxpay_dsl.core.errors import FieldError, ValidationError
from wxpay_dsl.core.origins import LOOPBACK
from wxpay_dsl.wechat.v2 import signing as signing_v2

__all__ = ["optional_errors", "prepay_id_error", "require", "text_error", "url_error"]


def require(operation: str, **messages: str | None) -> None:
    """Raises ValidationError if any argument has an error message; ``messages`` maps names to messages or None."""
    errors = tuple(FieldError(name, message) for name, message in messages.items() if message)
    if errors:
        raise ValidationError(operation, errors)


def text_error(value: object) -> str | None:
    """The message for ``value`` unless it is a text that can be signed: not empty, no white space, no ``&name=``."""
    if not isinstance(value, str) or not value:
        return "expected a text that is not empty"
    if signing_v2.ambiguous(value):
        return "contains &name=, so that its signature would be valid for forged fields too"
    return "contains white space or a line break" if any(map(str.isspace, value)) else None


def optional_errors(timestamp: int | None, nonce: str | None) -> dict[str, str | None]:
    """The messages for the two arguments that have a default."""
    return {
        "timestamp": None if timestamp is None or type(timestamp) is int else "expected whole seconds",
        "nonce": None if not nonce else text_error(nonce),
    }


def prepay_id_error(value: object) -> str | None:
    """The message for ``value`` unless it is a bare prepay id."""
    if isinstance(value, str) and value.startswith("prepay_id="):
        return "give the bare id, without prepay_id="
    return text_error(value)


def url_error(url: str, *schemes: str) -> str | None:
    """The message for ``url`` unless it is absolute, of one of ``schemes``, or of ``http`` on a loopback address."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "not a valid URL"
    if parts.scheme in schemes and parts.netloc:
        return None
    if parts.scheme == "http" and parts.hostname in LOOPBACK:
        return None
    return f"expected an absolute {' or '.join(schemes)} URL"
