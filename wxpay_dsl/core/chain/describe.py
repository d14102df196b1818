"""An operation as a readable page of plain text: what ``help(node)`` and the command line show."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
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
    "role_notes",
    "remarks",
    "sections",
    "web_links",
]

_CERTAINTY: Final = {
    "official": "checked: compared with the official pages (官方文档) on {day}",
    "sdk": "checked: compared with two public SDKs (公开 SDK) on {day}; what differs is warned of and sent",
    "community": "checked: compared with users' descriptions (社区资料) on {day}; what differs is warned of and sent",
}
_UNCHECKED: Final = "unchecked: compared with no official page (未核对); what differs is warned of and sent"


def dotted(operation: Operation) -> str:
    """The chain that calls it: ``v3.eduPapay.contracts.presign.post``."""
    return chain_text(operation.chain, operation.verb)


def chain_text(segments: Iterable[str], verb: str) -> str:
    """A chain as it is written, from its segments and the verb."""
    chain = ""
    for segment in segments:
        name = spelling(segment)
        chain += name if name.startswith("[") else "." + name
    return f"{chain.removeprefix('.')}.{verb}"


def describe(operation: Operation) -> str:
    """Title, path, chain, roles, official pages, and every field with its type, title and limits."""
    lines = [f"{operation.summary or operation.name} — {operation.name}"]
    if operation.description:
        lines.append(operation.description)
    lines.append(f"await {dotted(operation)}(…)")
    lines += [f"  {remark}" for remark in remarks(operation)]
    lines += [f"  {page}" for page in operation.docs]
    for section, schema in sections(operation):
        lines += ["", heading(section, schema), *(_line(entry) for entry in fields(schema))]
    if operation.returns is None:
        lines += ["", f"returns {operation.produces or 'nothing'} ({operation.status})"]
    return "\n".join(lines)


def web_links(docs: Iterable[str]) -> list[str]:
    """Those of an operation's pages that may be linked to: a spec may say anything, a script's URL too."""
    return [page for page in docs if page.startswith(("https://", "http://"))]


def remarks(operation: Operation) -> list[str]:
    """What a caller should know beside the fields."""
    found = []
    if operation.deprecated:
        found.append("deprecated (已下线)")
    if operation.mutual_tls:
        found.append("needs the client certificate (双向证书)")
    if operation.digest_header:
        found.append(f"the digest of its answer is signed ({operation.digest_header})")
    elif not operation.verify:
        found.append("its answer is not signed")
    if operation.outcome == "query":
        found.append("any other answer than success leaves the outcome unknown: query it")
    if operation.host:
        found.append(f"served by {operation.host}")
    if operation.roles:
        found.append("roles: " + ", ".join(operation.roles))
    if any(operation.section(name) for name in SECTIONS if name != "path") or operation.returns is not None:
        found.append(certainty(operation.checked))
    return found


def certainty(checked: Checked | None) -> str:
    """How sure the fields of an operation or event are: what they were compared with, and when."""
    if checked is None:
        return _UNCHECKED
    return _CERTAINTY[checked.source].format(day=checked.date)


def sections(operation: Operation) -> Iterator[tuple[str, Schema]]:
    """``(name, schema)`` of each place that fields travel in, and of ``returns``, where there is something to say."""
    for name in (*SECTIONS, "returns"):
        schema = operation.section(name) if name != "returns" else operation.returns
        if schema is not None and (schema.properties or schema.type != "object"):
            yield name, schema


def heading(section: str, schema: Schema) -> str:
    """The section's name, and what it is where that is no object of fields."""
    return section if schema.type == "object" else f"{section}: {_type(schema)}"


class FieldEntry(NamedTuple):
    """One field of a page. ``depth`` is 0 for a field of the section itself."""

    depth: int
    name: str
    optional: bool
    type: str
    title: str
    notes: tuple[str, ...]


def fields(schema: Schema, depth: int = 0) -> Iterator[FieldEntry]:
    """Every field of an object, or of an array's objects, those inside a field after it."""
    while schema.items is not None:
        schema = schema.items
    for name, below in schema.properties.items():
        yield FieldEntry(depth, name, name not in schema.required, _type(below), below.title, _notes(below))
        yield from fields(below, depth + 1)


def _line(entry: FieldEntry) -> str:
    line = f"{'  ' * (entry.depth + 1)}{entry.name}{'?' if entry.optional else ''}: {entry.type}"
    if entry.title:
        line += f"  {entry.title}"
    return line + (f" ({'; '.join(entry.notes)})" if entry.notes else "")


def _type(schema: Schema) -> str:
    if schema.type == "array":
        return f"array of {_type(schema.items) if schema.items is not None else 'any'}"
    return schema.type


def _notes(schema: Schema) -> tuple[str, ...]:
    notes = []
    if schema.max_length is not None:
        notes.append(f"≤{schema.max_length}")
    if schema.minimum is not None or schema.maximum is not None:
        notes.append(f"{_limit(schema.minimum)}…{_limit(schema.maximum)}")
    if schema.enum:
        notes.append(" | ".join(map(str, schema.enum)))
    notes += role_notes(schema)
    if schema.encrypted:
        notes.append("encrypted (敏感信息加密)")
    if schema.media:
        notes.append("an uploaded file's " + schema.media)
    if schema.deprecated:
        notes.append("deprecated (已废弃)")
    if schema.doubt:
        notes.append(f"uncertain (待核实): {schema.doubt}")
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
