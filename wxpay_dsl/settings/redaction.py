"""Values of settings as errors show them."""

from __future__ import annotations

__all__ = ["shown"]


def shown(value: object) -> str:
    """A setting's value in an error, unless it may be a secret in the wrong place."""
    if not isinstance(value, str):
        return f"{value!r:.40}" if isinstance(value, (int, float, type(None))) else f"a value of {type(value).__name__}"
    short = len(value) <= 20 or (value.isascii() and "://" in value and "@" not in value)
    return f"{value!r:.80}" if short else f"a text of {len(value)} characters"
