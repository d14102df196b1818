"""An operation as plain text: what ``help(node)`` shows, and the parts that the command line and other pages use.

The text is English. A vocabulary may pass its own ``terms``, which are shown in brackets after the English ones:
``{"encrypted": "…"}`` gives ``encrypted (…)``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from wxpay_dsl.core.specs.model import ABSENT, SECTIONS, Checked, Operation, Schema

from .tree import spelling

__all__ = [
    "FieldEntry",
    "certainty",
    "chain_text",
    "describe",
    "dotted",
    "fields",
    "heading",
    "remarks",
    "role_notes",
    "sections",
    "web_links",
]

#: The keys of ``terms``, and the English that a vocabulary's own term is shown after.
_ENGLISH: Final[Mapping[str, str]] = {
    "official": "the official pages",
    "sdk": "two public SDKs",
    "community": "users' descriptions",
    "unchecked": "no official page",
    "mutual_tls": "the client certificate",
    "deprecated_operation": "deprecated",
    "deprecated_field": "deprecated",
    "encrypted": "encrypted",
    "doubt": "uncertain",
}
_NO_TERMS: Final[Mapping[str, str]] = {}
_WARNS: Final = "a mismatch is a warning, and the request is sent"


def _term(key: str, terms: Mapping[str, str]) -> str:
    """The English term, followed by the vocabulary's own."""
    return f"{_ENGLISH[key]} ({terms[key]})" if key in terms else _ENGLISH[key]


def dotted(operation: Operation) -> str:
    """The chain that calls an operation: ``v3.eduPapay.contracts.presign.post``."""
    return chain_text(operation.chain, operation.verb)


def chain_text(segments: Iterable[str], verb: str) -> str:
    """The chain that calls a path, from its segments and the verb."""
    chain = ""
    for segment in segments:
        name = spelling(segment)
        chain += name if name.startswith("[") else "." + name
    return f"{chain.removeprefix('.')}.{verb}"


def describe(operation: Operation, terms: Mapping[str, str] = _NO_TERMS) -> str:
    """Title, path, chain, roles, official pages, and every field with its type, title and limits."""
    lines = [f"{operation.summary or operation.name} — {operation.name}"]
    if operation.description:
        lines.append(operation.description)
    lines.append(f"await {dotted(operation)}(…)")
    lines += [f"  {remark}" for remark in remarks(operation, terms)]
    lines += [f"  {page}" for page in operation.docs]
    for section, schema in sections(operation):
        lines += ["", heading(section, schema), *(_line(entry) for entry in fields(schema, terms))]
    if operation.returns is None:
        lines += ["", f"returns {operation.produces or 'nothing'} ({operation.status})"]
    return "\n".join(lines)


def web_links(docs: Iterable[str]) -> list[str]:
    """The pages of ``docs`` that may be linked to: http and https only, since a spec may hold a ``javascript:`` URL."""
    return [page for page in docs if page.startswith(("https://", "http://"))]


def remarks(operation: Operation, terms: Mapping[str, str] = _NO_TERMS) -> list[str]:
    """What a caller should know beside the fields, one sentence each."""
    found = []
    if operation.deprecated:
        found.append(_term("deprecated_operation", terms))
    if operation.mutual_tls:
        found.append(f"needs {_term('mutual_tls', terms)}")
    if operation.digest_header:
        found.append(f"the signature covers a digest of the response ({operation.digest_header})")
    elif not operation.verify:
        found.append("the response is not signed")
    if operation.outcome == "query":
        found.append("any response but a success leaves the outcome unknown: query it")
    if operation.host:
        found.append(f"served by {operation.host}")
    if operation.roles:
        found.append("roles: " + ", ".join(operation.roles))
    if any(operation.section(name) for name in SECTIONS if name != "path") or operation.returns is not None:
        found.append(certainty(operation.checked, terms))
    return found


def certainty(checked: Checked | None, terms: Mapping[str, str] = _NO_TERMS) -> str:
    """What the fields of an operation or event were compared with and when, and what a mismatch means."""
    if checked is None:
        return f"unchecked: compared with {_term('unchecked', terms)}; {_WARNS}"
    text = f"checked: compared with {_term(checked.source, terms)} on {checked.date}"
    return text if checked.source == "official" else f"{text}; {_WARNS}"


def sections(operation: Operation) -> Iterator[tuple[str, Schema]]:
    """``(name, schema)`` of each section of the request, and of ``returns``, that has fields or is no object."""
    for name in (*SECTIONS, "returns"):
        schema = operation.section(name) if name != "returns" else operation.returns
        if schema is not None and (schema.properties or schema.type != "object"):
            yield name, schema


def heading(section: str, schema: Schema) -> str:
    """The section's name, with its type unless that is an object."""
    return section if schema.type == "object" else f"{section}: {_type(schema)}"


class FieldEntry(NamedTuple):
    """One field of a section; ``depth`` is 0 for a field of the section itself, 1 for a field inside that."""

    depth: int
    name: str
    optional: bool
    type: str
    title: str
    notes: tuple[str, ...]


def fields(schema: Schema, terms: Mapping[str, str] = _NO_TERMS, depth: int = 0) -> Iterator[FieldEntry]:
    """Every field of an object, or of an array's objects; a field is followed by the fields inside it."""
    while schema.items is not None:
        schema = schema.items
    for name, below in schema.properties.items():
        yield FieldEntry(depth, name, name not in schema.required, _type(below), below.title, _notes(below, terms))
        yield from fields(below, terms, depth + 1)


def _line(entry: FieldEntry) -> str:
    line = f"{'  ' * (entry.depth + 1)}{entry.name}{'?' if entry.optional else ''}: {entry.type}"
    if entry.title:
        line += f"  {entry.title}"
    return line + (f" ({'; '.join(entry.notes)})" if entry.notes else "")


def _type(schema: Schema) -> str:
    if schema.type == "array":
        return f"array of {_type(schema.items) if schema.items is not None else 'any'}"
    return schema.type


def _notes(schema: Schema, terms: Mapping[str, str]) -> tuple[str, ...]:
    notes = []
    if schema.max_length is not None:
        notes.append(f"≤{schema.max_length}")
    if schema.minimum is not None or schema.maximum is not None:
        notes.append(f"{_limit(schema.minimum)}…{_limit(schema.maximum)}")
    if schema.enum:
        notes.append(" | ".join(map(str, schema.enum)))
    notes += role_notes(schema)
    if schema.encrypted:
        notes.append(_term("encrypted", terms))
    if schema.media:
        notes.append(f"{schema.media} of an uploaded file")
    if schema.deprecated:
        notes.append(_term("deprecated_field", terms))
    if schema.doubt:
        notes.append(f"{_term('doubt', terms)}: {schema.doubt}")
    if schema.example is not ABSENT and schema.type not in ("object", "array"):
        notes.append(f"e.g. {schema.example}")
    return tuple(notes)


def role_notes(schema: Schema) -> list[str]:
    """Which roles have a field, and which must give it, where that is not every role of the operation."""
    notes = []
    if schema.roles:
        notes.append(f"{', '.join(schema.roles)} only")
    if schema.required_by:
        notes.append(f"required of {'these' if schema.required_by == schema.roles else ', '.join(schema.required_by)}")
    return notes


def _limit(value: float | None) -> str:
    return "" if value is None else f"{value}"
