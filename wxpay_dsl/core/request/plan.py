"""Everything that requests of an operation need from its spec, computed once for each operation."""

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

#: A section, its schema, its check, and whether the check must run when the request has no fields of the section.
SectionCheck = tuple[str, Schema, Check, bool]


@frozen
class Plan:
    """The facts of an operation in the form that building a request needs."""

    operation: Operation = field(repr=False)
    name: str
    method: str
    path: str
    #: Whether ``path`` has no parameters, so that it is the URL's path as it stands.
    fixed: bool
    #: The section of positional data.
    main: str
    #: The spec describes no fields (``{post: {}}``), so any fields may be sent.
    open: bool
    idempotent: bool
    sections: Mapping[str, Schema] = field(repr=False)
    #: ``{keyword: (section, name)}`` of all fields; the linter refuses an operation that uses a name twice.
    places: Mapping[str, tuple[str, str]] = field(repr=False)
    #: The keywords that are fields of ``main`` under the same name.
    main_names: frozenset[str] = field(repr=False)
    #: The checks of all sections, for each role of the operation; one item if the fields are the same for all roles.
    checks: tuple[tuple[SectionCheck, ...], ...] = field(repr=False)
    #: Whether the facts of the operation were compared with the official pages.
    official: bool
    #: The body's schema if one of its fields holds JSON as text, which may be given as a value; None otherwise.
    embedded: Schema | None = field(repr=False)
    #: Whether fields of the request must be encrypted, and whether fields of the response arrive encrypted.
    encrypts: bool
    decrypts: bool


@memo
def plan_of(operation: Operation) -> Plan:
    """The plan of an operation, cached with it."""
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
        main_names=frozenset(name for name, place in places.items() if place == (main, name)),
        checks=_checks(operation, sections),
        official=is_official(operation.checked),
        embedded=operation.body if operation.body is not None and any_field(operation.body, is_embedded) else None,
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
    """The section of positional data for a verb, where no spec declares it."""
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
