"""Decides what is wrong enough with a request's fields that it must not be sent; the rest is warned of and sent.

Facts about an API age and contradict each other, and a valid payment must never be blocked by one of them. So only
what is certain refuses a call: what no JSON can carry, a fraction where money is, a sensitive value that would leave
unencrypted; and, of an operation whose facts were compared with the official pages (``checked``), a field that
every role must give and that is missing, or a name that no page has.
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

__all__ = ["OPTIONS", "compare", "is_valid", "is_refused", "classify"]


#: The keywords of a call that are options rather than fields.
OPTIONS: Final = ("headers", "query", "timeout", "validate", "undeclared")
#: Kinds that refuse a call whatever is known of its operation.
_CERTAIN: Final = frozenset({Kind.FLOAT, Kind.UNENCODABLE, Kind.CLEAR})
#: Kinds that refuse a call of an operation whose facts were compared with the official pages.
_COMPARED: Final = frozenset({Kind.MISSING, Kind.UNKNOWN})


def is_refused(kind: Kind, *, official: bool) -> bool:
    """Whether a mismatch of this kind keeps a request from being sent."""
    return kind in _CERTAIN or (official and kind in _COMPARED)


def is_valid(plan: Plan, sections: Mapping[str, Any], dialect: Dialect) -> bool:
    """Whether a request is plainly right: most are, and :func:`classify` looks closely at the others."""
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
    """What must not be sent, and what is only to be warned of.

    An operation of several roles is checked for each of them; what counts is the role that fits best. ``unplaced``
    are keywords that no section declares. ``validate``: ``"strict"`` refuses everything; False looks for sensitive
    values alone, which must never leave unencrypted.
    """
    if validate is False:
        return _clear(plan, sections, dialect), []
    field_errors: list[FieldError] = []
    form = sections.get("form")
    if form is not None and "form" in plan.sections:
        field_errors += file_size_errors(plan.sections["form"], form)
        plain = {name: "" if isinstance(value, Upload) else value for name, value in form.items()}
        sections = {**sections, "form": plain}
    best = compare(plan, sections, dialect.auto_fields)
    if plan.encrypts and dialect.encrypt is None:
        field_errors += _clear(plan, sections, dialect)
    if not best:
        return field_errors, best
    best = _named(plan, best, unplaced, sections)
    refused_ones = [m for m in best if validate == "strict" or is_refused(m.kind, official=plan.official)]
    field_errors += [FieldError(mismatch.path, mismatch.message) for mismatch in refused_ones]
    return field_errors, [] if validate == "strict" else [m for m in best if m not in refused_ones]


def compare(plan: Plan, sections: Mapping[str, Any], auto_fields: Container[str] = frozenset()) -> list[Mismatch]:
    """Everything in which a request differs from its spec, as the role sees it that the request fits best.

    ``auto_fields``: fields, in lower case, that may be left out since the client fills them in.
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
    """The same, as one role sees it."""
    all_found: list[Mismatch] = []
    for section, schema, holds, needed in checks:
        given = sections.get(section)
        if given is None:
            if section == "body" and schema.type != "object":
                all_found.append(Mismatch(section, f"missing: it is one {schema.type}", Kind.MISSING))
            if not needed:
                continue
            given = {}
        found = holds(given)
        if not found:
            continue
        for below, message, kind in found:
            name = below.removeprefix(".")
            # What the client itself fills in may be left out.
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


def _named(
    plan: Plan, found: Sequence[Mismatch], unplaced: Sequence[str], sections: Mapping[str, Any]
) -> list[Mismatch]:
    """The mismatches, those of unknown keywords under the keyword and with its nearest name."""
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


def _clear(plan: Plan, sections: Mapping[str, Any], dialect: Dialect) -> list[FieldError]:
    """Sensitive values that nothing would encrypt."""
    if not plan.encrypts:
        return []
    field_errors: list[FieldError] = []

    def note(schema: Any, value: Any, path: str) -> Any:
        if value is not None and value != "":
            message = f"is sensitive, and operations of {dialect.name!r} have no means of encryption here"
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
    """Where the names belong that do not belong to ``section``."""
    places = plan.places
    other = {name: places[name][0] for name in names if isinstance(name, str) and name in places}
    words = [f"{name} belongs to the {place}" for name, place in other.items() if place != section]
    return f": {', '.join(words)} (give it by keyword)" if words else ""


def _nearest(name: str, words: Iterable[str]) -> str:
    close = get_close_matches(name, [*words, *OPTIONS], n=1)
    return f"; did you mean {close[0]!r}?" if close else ""
