"""Other serialisations of a JSON document, to find out how signed bytes were changed by serialising them again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

__all__ = ["serialisations"]

_COMPACT: Final = (",", ":")
_SPACED: Final = (", ", ": ")
#: Each style, and the arguments of ``json.dumps`` for it.
_STYLES: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    ("compact", {"separators": _COMPACT, "ensure_ascii": False}),
    ("compact, Chinese as \\u escapes", {"separators": _COMPACT, "ensure_ascii": True}),
    ("a space after commas and colons", {"separators": _SPACED, "ensure_ascii": False}),
    ("a space after commas and colons, Chinese as \\u escapes", {"separators": _SPACED, "ensure_ascii": True}),
    ("indented by 2", {"indent": 2, "ensure_ascii": False}),
    ("indented by 2, Chinese as \\u escapes", {"indent": 2, "ensure_ascii": True}),
    ("indented by 4", {"indent": 4, "ensure_ascii": False}),
    ("indented by 4, Chinese as \\u escapes", {"indent": 4, "ensure_ascii": True}),
)


def serialisations(body: bytes) -> Iterator[tuple[str, bytes]]:
    """Yields the name and the bytes of each other serialisation of the JSON in ``body``; nothing if it is not JSON."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return
    seen = {body}
    for order in (False, True):
        for style, settings in _STYLES:
            written = json.dumps(document, sort_keys=order, **settings)
            for form, escaped in ((style, written), (f"{style}, / as \\/", written.replace("/", "\\/"))):
                # JSON can escape a lone surrogate, which UTF-8 cannot encode; replaced, it matches no signed bytes.
                data = escaped.encode("utf-8", "replace")
                if data not in seen:
                    seen.add(data)
                    yield (f"{form}, names sorted" if order else form), data
