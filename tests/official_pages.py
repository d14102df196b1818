"""Holds operations and events against what the official pages print, and names each contradiction.

The facts are ``tests/cases/official_facts.json.gz``: for each operation its pages, each of one role, with the fields of
each section (``type``, ``items``, ``maxLength``, ``required``, ``enum``, ``encrypted``, ``fields``), and for each event
the resources of its pages. A page is one of merchants or of partners, whatever their kinds; pages of one role that
disagree bind to what all of them say.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from wxpay_dsl.core.specs.model import SECTIONS, Event, Operation, Schema
from wxpay_dsl.wechat.roles import plays

__all__ = ["Contradiction", "compare_event", "compare_operation", "facts", "path_key"]

Facts = Mapping[str, Any]
#: The fields of one object on one page, and the page's role.
Table = tuple[str, Facts]


class Contradiction(NamedTuple):
    """Where specs and pages disagree: a field with its section (``body.amount.total``), and in what.

    ``unknown``: a page has it, the specs do not; ``required``: the specs demand of a role what one of its pages does
    not; ``optional``: every page of a role demands what the specs do not, or every page what they demand of some roles;
    ``type``, ``maxLength``, ``enum``, ``encrypted``, ``status``: the pages' is another, or reaches further.
    """

    field: str
    kind: str


@cache
def facts() -> Facts:
    """What the pages print: ``date``, ``operations`` by verb and path, ``events`` by name."""
    text = gzip.decompress((Path(__file__).parent / "cases" / "official_facts.json.gz").read_bytes())
    read: Facts = json.loads(text)
    return read


def path_key(name: str) -> str:
    """Verb and path, whatever the templates are called: ``POST /a/{}``.

    A page's path may end in a slash that others lack, or in a remark.
    """
    verb, path = name.split(maxsplit=1)
    return f"{verb} {re.sub('{[^}]*}', '{}', path.split()[0]).rstrip('/')}"


def compare_operation(operation: Operation, name: str, pages: Sequence[Facts]) -> Iterator[Contradiction]:
    """All in which an operation and its pages, of the operation ``name``, disagree."""
    names = dict(zip(re.findall(r"\{([^}]*)\}", name), re.findall(r"\{([^}]*)\}", operation.path), strict=True))
    for section in (*SECTIONS, "returns"):
        schema = operation.returns if section == "returns" else operation.section(section)
        # A page that prints no query prints that there is none; one without an answer may have left it out.
        silent = section in ("query", "body", "form") and any(section in page for page in pages)
        tables = [
            (
                page["role"],
                {names.get(field, field) if section == "path" else field: fact for field, fact in table.items()},
            )
            for page in pages
            if (table := page.get(section, {})) or silent
        ]
        if tables:
            yield from _object(schema, tables, section)
    statuses = {page["status"] for page in pages if "status" in page}
    if statuses and operation.status not in statuses:
        yield Contradiction("", "status")


def compare_event(event: Event, pages: Sequence[Facts]) -> Iterator[Contradiction]:
    """All in which an event's resource and its pages disagree."""
    yield from _object(event.resource, [(page["role"], page["resource"]) for page in pages], "resource")


def _object(schema: Schema | None, tables: Sequence[Table], path: str) -> Iterator[Contradiction]:
    if schema is not None and schema.type == "array":
        schema = schema.items
    if schema is not None and schema.additional is not None and not schema.properties:
        return
    fields = schema.properties if schema is not None else {}
    for name in dict.fromkeys(name for _, table in tables for name in table):
        own = fields.get(name) or _other_case(fields, name, path)
        if own is None:
            yield Contradiction(f"{path}.{name}", "unknown")
        else:
            yield from _field(own, [(role, table[name]) for role, table in tables if name in table], f"{path}.{name}")
    if schema is not None:
        for name, field in fields.items():
            yield from _demanded(name in schema.required, name, field, tables, path)


def _other_case(fields: Mapping[str, Schema], name: str, path: str) -> Schema | None:
    found = (field for known, field in fields.items() if known.lower() == name.lower())
    return next(found, None) if path == "header" else None


def _demanded(always: bool, name: str, field: Schema, tables: Sequence[Table], path: str) -> Iterator[Contradiction]:
    demands = [(role, bool(table.get(name, {}).get("required"))) for role, table in tables]
    if not always and all(demanded for _, demanded in demands):
        yield Contradiction(f"{path}.{name}", "optional")
        return
    for role in dict.fromkeys(role for role, _ in demands):
        ours = always or any(plays(word, "merchant") == (role == "merchant") for word in field.required_by)
        its = all(demanded for whose, demanded in demands if whose == role)
        if ours != its:
            yield Contradiction(f"{path}.{name}", "required" if ours else "optional")


def _field(own: Schema, said: Sequence[Table], path: str) -> Iterator[Contradiction]:
    inner = own.items or own if own.type == "array" else own
    embedded = own.type == "string" and bool(own.media_type)
    typed = [fact for _, fact in said if "type" in fact]
    if typed and not embedded and not any(_same_type(own, inner, fact) for fact in typed):
        yield Contradiction(path, "type")
    if any("encrypted" in fact for _, fact in said) and not (own.encrypted or inner.encrypted):
        yield Contradiction(path, "encrypted")
    if inner.type == "string" and any(fact.get("maxLength", 0) > (inner.max_length or 0) for _, fact in said):
        yield Contradiction(path, "maxLength")
    if inner.enum and any(member not in map(str, inner.enum) for _, fact in said for member in fact.get("enum", ())):
        yield Contradiction(path, "enum")
    below = [(role, fact["fields"]) for role, fact in said if "fields" in fact]
    if below and not embedded:
        yield from _object(own, below, path)


def _same_type(own: Schema, inner: Schema, fact: Facts) -> bool:
    if own.type == "any":
        return True
    return own.type == fact["type"] and (own.type != "array" or inner.type == fact.get("items", inner.type))
