"""The other ways in which one JSON document is written: what a second serialisation turns signed bytes into."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

__all__ = ["serialisations"]

_COMPACT: Final = (",", ":")
_SPACED: Final = (", ", ": ")
#: Each style, and what ``json.dumps`` makes it with.
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
    """Each other way to write the JSON in ``body``, and what it is called. Nothing where there is no JSON in it."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return
    seen = {body}
    for order in (False, True):
        for style, settings in _STYLES:
            written = json.dumps(document, sort_keys=order, **settings)
            for form, escaped in ((style, written), (f"{style}, / as \\/", written.replace("/", "\\/"))):
                # Half a character, which JSON can escape and UTF-8 cannot say, is nobody's serialisation.
                data = escaped.encode("utf-8", "replace")
                if data not in seen:
                    seen.add(data)
                    yield (f"{form}, names sorted" if order else form), data
