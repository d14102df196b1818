"""An operation as a readable page of plain text: what ``help(node)`` and the command line show."""

from __future__ import annotations

from collections.abc import Iterator

from .model import ABSENT, SECTIONS, Operation, Schema
from .tree import spelling

__all__ = ["describe", "dotted"]


def dotted(operation: Operation) -> str:
    """The chain that calls it: ``v3.eduPapay.contracts.presign.post``."""
    chain = ""
    for segment in operation.chain:
        name = spelling(segment)
        chain += name if name.startswith("[") else "." + name
    return f"{chain.removeprefix('.')}.{operation.verb}"


def describe(operation: Operation) -> str:
    """Title, path, chain, roles, official pages, and every field with its type, title and limits."""
    lines = [f"{operation.summary or operation.name} — {operation.name}"]
    if operation.description:
        lines.append(operation.description)
    lines.append(f"await {dotted(operation)}(…)")
    notes = []
    if operation.deprecated:
        notes.append("deprecated (已下线)")
    if operation.mutual_tls:
        notes.append("needs the client certificate (双向证书)")
    if not operation.verify:
        notes.append("its answer is not signed")
    if operation.host:
        notes.append(f"served by {operation.host}")
    if operation.roles:
        notes.append("roles: " + ", ".join(operation.roles))
    lines += [f"  {note}" for note in notes]
    lines += [f"  {page}" for page in operation.docs]
    for section in (*SECTIONS, "returns"):
        schema = operation.section(section) if section != "returns" else operation.returns
        if schema is not None and (schema.properties or schema.type != "object"):
            lines += ["", section, *_fields(schema, 1)]
    if operation.returns is None:
        lines += ["", f"returns {operation.produces or 'nothing'} ({operation.status})"]
    return "\n".join(lines)


def _fields(schema: Schema, depth: int) -> Iterator[str]:
    for name, below in schema.properties.items():
        optional = "" if name in schema.required else "?"
        yield f"{'  ' * depth}{name}{optional}: {_type(below)}{_about(below)}"
        inner = below
        while inner.items is not None:
            inner = inner.items
        yield from _fields(inner, depth + 1)


def _type(schema: Schema) -> str:
    if schema.type == "array":
        return f"array of {_type(schema.items) if schema.items is not None else 'any'}"
    return schema.type


def _about(schema: Schema) -> str:
    notes = []
    if schema.max_length is not None:
        notes.append(f"≤{schema.max_length}")
    if schema.enum:
        notes.append(" | ".join(map(str, schema.enum)))
    if schema.encrypted:
        notes.append("encrypted (敏感信息加密)")
    if schema.example is not ABSENT and schema.type not in ("object", "array"):
        notes.append(f"e.g. {schema.example}")
    title = f"  {schema.title}" if schema.title else ""
    return title + (f" ({'; '.join(notes)})" if notes else "")
