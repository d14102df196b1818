"""The words between the DSL and OpenAPI: which vendor word stands for which of ours, and what an import had to leave
behind.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any, Final

from attrs import field, frozen

__all__ = ["EVENT_VENDOR", "FIELD_VENDOR", "GENERIC", "OPERATION_VENDOR", "SPREAD", "Losses", "Lost", "Vocabulary"]

#: Words of a field that OpenAPI lacks, and the vendor words they are exported as.
FIELD_VENDOR: Final[Mapping[str, str]] = {
    "encrypted": "x-encrypted",
    "media": "x-media",
    "encoded": "x-encoded",
    "roles": "x-roles",
    "required_by": "x-required-by",
    "doubt": "x-doubt",
    # Only where OpenAPI's own way, a second type, cannot say it.
    "nullable": "x-nullable",
}
#: The same of an operation. `family` and `product` are a file's words; each operation says them in OpenAPI.
OPERATION_VENDOR: Final[Mapping[str, str]] = {
    "family": "x-family",
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
#: Of a parameter: its fields travel by their own names, and its own name does not.
SPREAD: Final = "x-spread"
EVENT_VENDOR: Final[Mapping[str, str]] = {
    "family": "x-family",
    "product": "x-product",
    "docs": "x-docs",
    "roles": "x-roles",
    "checked": "x-checked",
    "algorithm": "x-algorithm",
    "resource": "x-resource",
}


@frozen
class Vocabulary:
    """What a document's vendor words mean.

    ``words`` maps a vendor word to the DSL's; ``values`` translates what a DSL word then holds, item by item of a list
    (``{"roles": {"shop": "merchant"}}``); ``silent`` names vendor words that carry nothing and need not be reported.
    """

    words: Mapping[str, str]
    values: Mapping[str, Mapping[Any, Any]] = field(factory=dict)
    silent: frozenset[str] = frozenset()

    def known(self, raw: Mapping[str, Any], words: Container[str]) -> dict[str, Any]:
        """The DSL words among ``words`` that the vendor words of ``raw`` say."""
        pairs = ((self.words.get(vendor, ""), value) for vendor, value in raw.items())
        return {word: self._translated(word, value) for word, value in pairs if word in words}

    def unknown(self, raw: Mapping[str, Any], words: Container[str]) -> list[str]:
        """The vendor words of ``raw`` that mean nothing here."""
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
            # Two words of theirs may be one of ours.
            return list(dict.fromkeys(table.get(item, item) for item in value))
        return table.get(value, value)


#: The vendor words that an export of ours has.
GENERIC: Final = Vocabulary(
    {vendor: word for table in (EVENT_VENDOR, OPERATION_VENDOR, FIELD_VENDOR) for word, vendor in table.items()}
)


@frozen
class Lost:
    """Something that an import could not carry over: where in the document (a JSON pointer), and what."""

    place: str
    what: str

    def __str__(self) -> str:
        return f"{self.place}: {self.what}"


class Losses:
    """What has been lost so far."""

    def __init__(self) -> None:
        self.all: list[Lost] = []

    def add(self, at: tuple[str, ...], what: str) -> None:
        """One more; ``at`` is the way to it from the document's root."""
        self.all.append(Lost("#/" + "/".join(part.replace("~", "~0").replace("/", "~1") for part in at), what))
