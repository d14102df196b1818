"""What each request of an operation asks of its spec, found out once."""

from __future__ import annotations

import keyword
from collections.abc import Mapping

from attrs import field, frozen

from wxpay_dsl.core.specs.facts import is_official
from wxpay_dsl.core.specs.memo import memo
from wxpay_dsl.core.specs.model import SECTIONS, Operation, Schema
from wxpay_dsl.core.specs.transform import any_field

from .body import is_embedded
from .validate import Check, checker, has_roles

__all__ = ["Plan", "SectionCheck", "main_section", "plan_of"]

#: A section, its schema, its check, and whether that must run where nothing of the section is given.
SectionCheck = tuple[str, Schema, Check, bool]


@frozen
class Plan:
    """See the module."""

    operation: Operation = field(repr=False)
    name: str
    method: str
    path: str
    #: Whether ``path`` is the URL's as it is, with nothing to fill in.
    fixed: bool
    #: Where positional data goes.
    main: str
    #: The spec says nothing of the request (``{post: {}}``), so that anything may be sent.
    open: bool
    idempotent: bool
    sections: Mapping[str, Schema] = field(repr=False)
    #: ``{keyword: (section, name)}`` of all fields: no operation uses a name twice, which the linter holds.
    places: Mapping[str, tuple[str, str]] = field(repr=False)
    #: The keywords that are fields of ``main`` under their own names.
    plain: frozenset[str] = field(repr=False)
    #: The checks of all sections, for each role of the operation; one for all roles where its fields are the same.
    checks: tuple[tuple[SectionCheck, ...], ...] = field(repr=False)
    #: Whether its facts were compared with the official pages.
    official: bool
    #: The body's schema where a field of it holds JSON as text, to be written from values; None elsewhere.
    embeds: Schema | None = field(repr=False)
    #: Whether fields of the request are to be encrypted, and whether fields of the answer come encrypted.
    encrypts: bool
    decrypts: bool


@memo
def plan_of(operation: Operation) -> Plan:
    """The plan of an operation, kept with it."""
    sections = {name: schema for name in SECTIONS if (schema := operation.section(name)) is not None}
    main = next((name for name in ("body", "form") if name in sections), main_section(operation.verb))
    places = _places(sections)
    return Plan(
        operation=operation,
        name=operation.name,
        method=operation.verb.upper(),
        path=operation.path,
        fixed="{" not in operation.path,
        main=main,
        open=not any((operation.query, operation.header, operation.body, operation.form, operation.returns)),
        idempotent=operation.safe_to_repeat,
        sections=sections,
        places=places,
        plain=frozenset(name for name, place in places.items() if place == (main, name)),
        checks=_checks(operation, sections),
        official=is_official(operation.checked),
        embeds=operation.body if operation.body is not None and any_field(operation.body, is_embedded) else None,
        encrypts=any(any_field(schema, _is_encrypted) for schema in sections.values()),
        decrypts=operation.returns is not None and any_field(operation.returns, _is_encrypted),
    )


def _checks(operation: Operation, sections: Mapping[str, Schema]) -> tuple[tuple[SectionCheck, ...], ...]:
    differ = bool(operation.roles) and any(map(has_roles, sections.values()))
    return tuple(
        tuple(
            (name, schema, checker(schema, role), bool(schema.required) or differ) for name, schema in sections.items()
        )
        for role in (operation.roles if differ else ("",))
    )


def main_section(verb: str) -> str:
    """Where positional data goes, where no spec says."""
    return "query" if verb in ("get", "delete") else "body"


def _is_encrypted(schema: Schema) -> bool:
    return schema.encrypted


def _places(sections: Mapping[str, Schema]) -> dict[str, tuple[str, str]]:
    places: dict[str, tuple[str, str]] = {}
    for section, schema in reversed(list(sections.items())):
        for name in schema.properties:
            places[name] = section, name
            alias = name.lower().replace("-", "_") if section == "header" else name
            places.setdefault(alias + "_" if keyword.iskeyword(alias) else alias, (section, name))
    return places
