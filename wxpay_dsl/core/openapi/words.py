"""The vendor keywords (``x-…``) for keywords of specs that OpenAPI lacks, and the record of what an import lost."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any, Final

from attrs import field, frozen

__all__ = ["EVENT_VENDOR", "FIELD_VENDOR", "GENERIC", "OPERATION_VENDOR", "SPREAD", "Losses", "Lost", "Vocabulary"]

#: Keywords of a field that OpenAPI lacks, and the vendor keywords that they are exported as.
FIELD_VENDOR: Final[Mapping[str, str]] = {
    "encrypted": "x-encrypted",
    "media": "x-media",
    "encoded": "x-encoded",
    "roles": "x-roles",
    "required_by": "x-required-by",
    "doubt": "x-doubt",
    # Only where the type `any` leaves no place for OpenAPI's second type `null`.
    "nullable": "x-nullable",
}
#: The same for an operation. `dialect` and `product` are those of its file.
OPERATION_VENDOR: Final[Mapping[str, str]] = {
    "dialect": "x-dialect",
    "product": "x-product",
    "docs": "x-docs",
    "roles": "x-roles",
    "checked": "x-checked",
    "mutual_tls": "x-mutual-tls",
    "verify": "x-verify",
    "digest_header": "x-digest-header",
    "sign": "x-sign",
    "nonce": "x-nonce",
    "sign_type": "x-sign-type",
    "idempotent": "x-idempotent",
    "outcome": "x-outcome",
    "updated": "x-updated",
    "version": "x-version",
}
#: Of a parameter: its fields are sent under their own names, and its own name is not sent.
SPREAD: Final = "x-spread"
EVENT_VENDOR: Final[Mapping[str, str]] = {
    "dialect": "x-dialect",
    "product": "x-product",
    "docs": "x-docs",
    "roles": "x-roles",
    "checked": "x-checked",
    "algorithm": "x-algorithm",
    "resource": "x-resource",
}


@frozen
class Vocabulary:
    """The meanings of a document's vendor keywords.

    ``words`` maps a vendor keyword to that of specs; ``values`` translates its value, or each item of a list
    (``{"roles": {"shop": "merchant"}}``); ``silent`` names vendor keywords without information, which are not reported.
    """

    words: Mapping[str, str]
    values: Mapping[str, Mapping[Any, Any]] = field(factory=dict)
    silent: frozenset[str] = frozenset()

    def recognised(self, raw: Mapping[str, Any], words: Container[str]) -> dict[str, Any]:
        """The keywords among ``words`` for which ``raw`` has vendor keywords, with their values."""
        pairs = ((self.words.get(vendor, ""), value) for vendor, value in raw.items())
        return {word: self._translated(word, value) for word, value in pairs if word in words}

    def unrecognised(self, raw: Mapping[str, Any], words: Container[str]) -> list[str]:
        """The vendor keywords of ``raw`` without a meaning here."""
        return [
            key
            for key in raw
            if key.startswith("x-") and key not in self.silent and self.words.get(key, "") not in words
        ]

    def _translated(self, word: str, value: Any) -> Any:
        table = self.values.get(word)
        if table is None:
            return value
        if isinstance(value, list):
            # Two of their values may be translated to one.
            return list(dict.fromkeys(table.get(item, item) for item in value))
        return table.get(value, value)


#: The vendor keywords of :func:`.write.write_document`.
GENERIC: Final = Vocabulary(
    {vendor: word for table in (EVENT_VENDOR, OPERATION_VENDOR, FIELD_VENDOR) for word, vendor in table.items()}
)


@frozen
class Lost:
    """Something that an import could not convert: where in the document (a JSON pointer), and what."""

    place: str
    what: str

    def __str__(self) -> str:
        return f"{self.place}: {self.what}"


class Losses:
    """Collects what an import could not convert."""

    def __init__(self) -> None:
        self.all: list[Lost] = []

    def add(self, at: tuple[str, ...], what: str) -> None:
        """Adds an entry; ``at`` is its path from the document's root."""
        self.all.append(Lost("#/" + "/".join(part.replace("~", "~0").replace("/", "~1") for part in at), what))
