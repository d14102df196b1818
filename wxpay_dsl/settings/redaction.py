"""Shows the values of settings in error messages without revealing secrets."""

from __future__ import annotations

__all__ = ["shown"]


def shown(value: object) -> str:
    """The value of a setting for an error message. A text that could be a misplaced secret is only described."""
    if not isinstance(value, str):
        return f"{value!r:.40}" if isinstance(value, (int, float, type(None))) else f"a value of {type(value).__name__}"
    short = len(value) <= 20 or (value.isascii() and "://" in value and "@" not in value)
    return f"{value!r:.80}" if short else f"a text of {len(value)} characters"
