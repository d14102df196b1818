"""Decides which mismatches of a request are errors, which refuse it, and which are warnings, with which it is sent.

Published facts about an API go out of date and contradict each other, and must never block a valid payment. So a call
is refused only for what is certain: a value that JSON cannot represent, a float in place of an integer, or a sensitive
value that would be sent unencrypted; and, for an operation whose facts were compared with the official pages
(``checked``), a missing field that every role must give, or a name that no page has.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Final

from wxpay_dsl.core.dialect import Dialect
from wxpay_dsl.core.errors import FieldError
from wxpay_dsl.core.messages import Validate
from wxpay_dsl.core.specs.transform import rewrite

from .files import Upload
from .forms import file_size_errors
from .mismatch import Kind, Mismatch
from .plan import Plan, SectionCheck

__all__ = ["OPTIONS", "classify", "compare", "is_refused", "is_valid"]


#: The keywords of a call that are options rather than fields.
OPTIONS: Final = ("headers", "query", "timeout", "validate", "undeclared")
#: The kinds that refuse a call of any operation.
_CERTAIN: Final = frozenset({Kind.FLOAT, Kind.UNENCODABLE, Kind.CLEAR})
#: The kinds that refuse a call only if the facts of its operation were compared with the official pages.
_COMPARED: Final = frozenset({Kind.MISSING, Kind.UNKNOWN})


def is_refused(kind: Kind, *, official: bool) -> bool:
    """Whether a mismatch of this kind refuses a request.

    ``official``: the facts of the operation were compared with the official pages.
    """
    return kind in _CERTAIN or (official and kind in _COMPARED)


def is_valid(plan: Plan, sections: Mapping[str, Any], dialect: Dialect) -> bool:
    """Fast path: whether a request has no mismatch at all. If False, :func:`classify` finds out what it has."""
    if "form" in sections or (plan.encrypts and dialect.encrypt is None):
        return False
    for section, schema, holds, needed in plan.checks[0]:
        given = sections.get(section)
        if given is None:
            if needed or (section == "body" and schema.type != "object"):
                return False
        elif holds(given):
            return False
    return plan.open or sections.keys() <= plan.sections.keys()


def classify(
    plan: Plan, sections: Mapping[str, Any], dialect: Dialect, unplaced: Sequence[str], validate: Validate
) -> tuple[list[FieldError], list[Mismatch]]:
    """The errors that refuse a request, and the mismatches that are only warned of.

    An operation of several roles is compared for each of them, and the role that fits best counts. ``unplaced``:
    keywords that no section declares. ``validate``: ``"strict"`` makes every mismatch an error; False only looks for
    sensitive values, which must never be sent unencrypted.
    """
    if validate is False:
        return _unencrypted(plan, sections, dialect), []
    field_errors: list[FieldError] = []
    form = sections.get("form")
    if form is not None and "form" in plan.sections:
        field_errors += file_size_errors(plan.sections["form"], form)
        plain = {name: "" if isinstance(value, Upload) else value for name, value in form.items()}
        sections = {**sections, "form": plain}
    best = compare(plan, sections, dialect.auto_fields)
    if plan.encrypts and dialect.encrypt is None:
        field_errors += _unencrypted(plan, sections, dialect)
    if not best:
        return field_errors, best
    best = _name_keywords(plan, best, unplaced, sections)
    refused_ones = [m for m in best if validate == "strict" or is_refused(m.kind, official=plan.official)]
    field_errors += [FieldError(mismatch.path, mismatch.message) for mismatch in refused_ones]
    return field_errors, [] if validate == "strict" else [m for m in best if m not in refused_ones]


def compare(plan: Plan, sections: Mapping[str, Any], auto_fields: Container[str] = frozenset()) -> list[Mismatch]:
    """Every mismatch between a request and its spec, for the role that the request fits best.

    ``auto_fields``: names of fields, in lower case, that may be omitted since the client fills them in.
    """
    best: list[Mismatch] = []
    cost: tuple[int, int] | None = None
    for checks in plan.checks:
        found = _mismatches(plan, checks, sections, auto_fields)
        if not found:
            return []
        refused = sum(is_refused(mismatch.kind, official=plan.official) for mismatch in found)
        if cost is None or (refused, len(found)) < cost:
            best, cost = found, (refused, len(found))
    return best


def _mismatches(
    plan: Plan, checks: Iterable[SectionCheck], sections: Mapping[str, Any], auto_fields: Container[str]
) -> list[Mismatch]:
    """Every mismatch for one role."""
    all_found: list[Mismatch] = []
    for section, schema, holds, needed in checks:
        given = sections.get(section)
        if given is None:
            if section == "body" and schema.type != "object":
                all_found.append(Mismatch(section, f"missing: expected {schema.type}", Kind.MISSING))
            if not needed:
                continue
            given = {}
        found = holds(given)
        if not found:
            continue
        for below, message, kind in found:
            name = below.removeprefix(".")
            # A field that the client fills in may be omitted.
            if name.lower() not in auto_fields or name in given:
                all_found.append(Mismatch(section + below, message, kind))
        if isinstance(given, Mapping) and schema.additional is None:
            hint = _hint(plan, section, [name for name in given if name not in schema.properties])
            if hint:
                all_found.append(Mismatch(section, hint.removeprefix(": "), Kind.UNKNOWN))
    if not plan.open:
        for section, given in sections.items():
            if given and section not in plan.sections:
                message = f"{plan.name} takes no {section}{_hint(plan, section, given)}"
                all_found.append(Mismatch(section, message, Kind.UNKNOWN))
    return all_found


def _name_keywords(
    plan: Plan, found: Sequence[Mismatch], unplaced: Sequence[str], sections: Mapping[str, Any]
) -> list[Mismatch]:
    """The mismatches; those of unknown keywords are named after the keyword, with the nearest known name."""
    if not unplaced:
        return list(found)
    keywords = {f"{plan.main}.{name}": name for name in unplaced}
    named: list[Mismatch] = []
    for mismatch in found:
        keyword = keywords.get(mismatch.path)
        if mismatch.kind is Kind.UNKNOWN and keyword is not None:
            named.append(Mismatch(keyword, f"no such field{_nearest(keyword, plan.places)}", mismatch.kind))
        elif mismatch.path == plan.main and plan.main not in plan.sections:
            given = sections.get(plan.main) or {}
            named += [Mismatch(name, f"no such field{_nearest(name, plan.places)}", Kind.UNKNOWN) for name in unplaced]
            if any(name not in unplaced for name in given):
                named.append(mismatch)
        else:
            named.append(mismatch)
    return sorted(named, key=lambda mismatch: mismatch.path not in unplaced)


def _unencrypted(plan: Plan, sections: Mapping[str, Any], dialect: Dialect) -> list[FieldError]:
    """An error for each sensitive value that would be sent unencrypted."""
    if not plan.encrypts:
        return []
    field_errors: list[FieldError] = []

    def note(schema: Any, value: Any, path: str) -> Any:
        if value is not None and value != "":
            message = f"is sensitive, and no encryption is configured for operations of {dialect.name!r}"
            field_errors.append(FieldError(path, message))
        return value

    for section, schema, holds, _ in plan.checks[0]:
        given = sections.get(section)
        if given is None:
            continue
        if dialect.encrypt is None:
            rewrite(schema, given, lambda below: below.encrypted, note, section)
        else:
            found = holds(given) or ()
            field_errors += [
                FieldError(section + below, message) for below, message, kind in found if kind is Kind.CLEAR
            ]
    return field_errors


def _hint(plan: Plan, section: str, names: Iterable[Any]) -> str:
    """A hint which of the names belong to another section than ``section``."""
    places = plan.places
    other = {name: places[name][0] for name in names if isinstance(name, str) and name in places}
    words = [f"{name} belongs to the {place}" for name, place in other.items() if place != section]
    return f": {', '.join(words)} (give it by keyword)" if words else ""


def _nearest(name: str, words: Iterable[str]) -> str:
    close = get_close_matches(name, [*words, *OPTIONS], n=1)
    return f"; did you mean {close[0]!r}?" if close else ""
