"""Builds the request of a call from its arguments: sorts them into sections, validates them, and encodes them once.

Everything that is wrong is found before anything is sent, and reported in one :class:`ValidationError`.
"""

from __future__ import annotations

import keyword
import re
import sys
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from wxpay_dsl.core.chain import node as chain
from wxpay_dsl.core.dialect import Dialect
from wxpay_dsl.core.errors import FieldError, ValidationError
from wxpay_dsl.core.messages import Options, Request, Sections, Validate
from wxpay_dsl.core.specs.model import Operation

from .body import MAX_BODY, body_of
from .forms import file_fields, has_files
from .mismatch import Mismatch
from .multipart import Form
from .multipart import encode as encode_form
from .params import headers_of, path_of, query_of
from .plan import Plan, main_section
from .severity import OPTIONS, classify, is_valid

__all__ = [
    "MAX_BODY",
    "OPTIONS",
    "Collected",
    "SpecWarning",
    "Warned",
    "build",
    "collect",
]

#: ``(name of the operation, path, kind)`` of each mismatch that was warned of already.
Warned = set[tuple[str, str, str]]

_POSITION: Final = re.compile(r"\[\d+\]")
#: The most mismatches that a client remembers as warned of.
_MOST_WARNED: Final = 10_000
#: The longest timeout of a call, in seconds.
_LONGEST_TIMEOUT: Final = 86400
#: The folder of this package: a warning names the first caller outside it.
_PACKAGE: Final = str(Path(__file__).parents[2])


class SpecWarning(UserWarning):
    """A mismatch between a request and its spec; the request is sent unless ``validate="strict"`` is set.

    A client warns once for each kind of mismatch in each field of an operation.
    """


#: The sorted arguments of a call: sections, options, errors, and the keywords that no section declares (their values
#: are in the main section). A tuple, since it is created for every call.
Collected = tuple[Sections, Options, list[FieldError], Sequence[str]]


def collect(target: chain.Target, plan: Plan | None, data: Any, given: Mapping[str, Any]) -> Collected:
    """Sorts the arguments of a call, ``data`` (positional) and ``given`` (keywords), into sections and options.

    Positional data is the body, the form, or the query of a GET or DELETE. Keywords go to the section that declares
    them, and unknown keywords to the section of positional data.
    """
    field_errors: list[FieldError] = []
    options: dict[str, Any] = {}
    # Path parameters that the chain gave as literal segments are already filled in.
    sections: Sections = {"path": dict(target.bound)} if target.bound else {}
    main = plan.main if plan is not None else main_section(target.verb)
    if data is not None:
        if isinstance(data, Mapping):
            sections[main] = dict(data)
        elif _is_body(plan, data, main):
            sections[main] = data
        elif len(files := file_fields(plan.operation if plan is not None else None)) == 1:
            sections[main] = {files[0]: data}
        else:
            field_errors.append(FieldError(main, f"expected an object of fields, got {type(data).__name__}"))
    if not given and plan is not None and not plan.open:
        return sections, _NO_OPTIONS, field_errors, ()
    if plan is not None and data is None and given and given.keys() <= plan.main_names:
        sections[main] = dict(given)
        return sections, _NO_OPTIONS, field_errors, ()
    unplaced: list[str] = []
    places = plan.places if plan is not None else _template_places(target.segments)
    for keyword_name, value in given.items():
        place = places.get(keyword_name)
        if place is None and keyword_name in OPTIONS:
            options[keyword_name] = value
            continue
        if place is None:
            name = keyword_name.removesuffix("_") if keyword.iskeyword(keyword_name[:-1]) else keyword_name
            unplaced.append(name)
            place = main, name
        section, name = place
        fields = sections.setdefault(section, {})
        if not isinstance(fields, dict):
            field_errors.append(
                FieldError(f"{section}.{name}", f"the {section} was already given as {type(fields).__name__}")
            )
        elif name in fields:
            field_errors.append(FieldError(f"{section}.{name}", "given twice"))
        else:
            fields[name] = value
    if (plan is None or plan.open) and has_files(sections.get("body")):
        sections["form"] = sections.pop("body")
    return sections, _options(options, field_errors) if options else _NO_OPTIONS, field_errors, unplaced


def build(
    target: chain.Target,
    plan: Plan | None,
    collected: Collected,
    dialect: Dialect,
    base_url: str,
    validate: Validate | None,
    warned: Warned,
) -> Request:
    """Builds the request. Raises ValidationError with all errors, including those that :func:`collect` found.

    ``plan``: None for an undeclared path. ``validate``: None for fields that were validated before. ``warned``: the
    mismatches that are not warned of again; new ones are added.
    """
    sections, options, field_errors, unplaced = collected
    operation = plan.operation if plan is not None else None
    pairs = [] if plan is not None and plan.fixed else _pairs(target, operation, dialect)
    name = plan.name if plan is not None else f"{target.verb.upper()} /{_undeclared_name(pairs)}"
    to_warn: Sequence[Mismatch] = ()
    if plan is not None and validate is not None and (validate is False or not is_valid(plan, sections, dialect)):
        refused, to_warn = classify(plan, sections, dialect, unplaced, validate)
        field_errors += refused
    if plan is not None and plan.fixed:
        url_path = plan.path
    else:
        url_path = path_of(pairs, sections.get("path", {}), operation, field_errors)
    query = headers = None
    if "query" in sections or options.query:
        query = query_of(_joined("query", sections.get("query", {}), options.query, field_errors), field_errors)
    if "header" in sections or options.headers:
        headers = headers_of(_joined("header", sections.get("header", {}), options.headers, field_errors), field_errors)
    form = _form(operation, sections, dialect, field_errors) if "form" in sections else None
    if form is not None:
        body = b""
    elif "body" in sections:
        body = body_of(operation, sections["body"], dialect, field_errors, plan.embedded if plan is not None else None)
    else:
        body = _empty(operation, sections, dialect, target.verb, field_errors)
    if field_errors:
        raise ValidationError(name, tuple(field_errors))
    for mismatch in to_warn:
        _warn(name, mismatch, warned)
    accept = (operation.produces if operation else "") or dialect.accept
    if headers is None:
        headers = {"Content-Type": form.content_type if form is not None else dialect.content_type, "Accept": accept}
    else:
        if form is not None:
            # A Content-Type from the caller cannot contain the right boundary.
            headers = {header: value for header, value in headers.items() if header.lower() != "content-type"}
            headers["Content-Type"] = form.content_type
        else:
            _default(headers, "Content-Type", dialect.content_type)
        _default(headers, "Accept", accept)
    return Request(
        name=name,
        method=target.verb.upper() if plan is None else plan.method,
        url=base_url + url_path + (query or ""),
        headers=headers,
        body=body,
        operation=operation,
        dialect=dialect.name,
        sections=sections,
        options=options,
        safe=_is_read_only(target.verb, operation, dialect),
        form=form,
        idempotent=plan is not None and plan.idempotent,
    )


def _is_read_only(verb: str, operation: Operation | None, dialect: Dialect) -> bool:
    """Whether an operation changes nothing: by its verb, or by the dialect where every operation is a POST."""
    if verb == "get":
        return operation is None or operation.idempotent is not False
    return operation is not None and dialect.is_read_only is not None and dialect.is_read_only(operation)


def _undeclared_name(pairs: list[tuple[str, str]]) -> str:
    """An undeclared path as errors and logs name it: on one line, with its segments shortened."""
    shown = (segment[:80] for segment, _ in pairs)
    return "/".join(segment if segment.isprintable() else ascii(segment)[1:-1] for segment in shown)


def _warn(name: str, mismatch: Mismatch, warned: Warned) -> None:
    """Warns of a mismatch, unless the same kind was warned of in the same field."""
    place = name, _POSITION.sub("[]", mismatch.path), mismatch.kind
    if place in warned:
        return
    warnings.warn(f"{name}: {FieldError(mismatch.path, mismatch.message)}", SpecWarning, stacklevel=_callers_level())
    if len(warned) >= _MOST_WARNED:
        # Unknown names come from callers without limit, so the memory for them is bounded.
        warned.clear()
    warned.add(place)


def _joined(
    section: str, fields: Mapping[str, Any], extra: Mapping[str, Any], field_errors: list[FieldError]
) -> Mapping[str, Any]:
    """The fields of a section and those of the option ``headers`` or ``query``, which may only add fields."""
    if not extra:
        return fields
    names = {str(name).lower() if section == "header" else name for name in fields}
    twice = [name for name in extra if (str(name).lower() if section == "header" else name) in names]
    field_errors += [FieldError(f"{section}.{name}", "given twice, as a field and as an option") for name in twice]
    return {**fields, **extra}


def _default(headers: dict[str, str], name: str, value: str) -> None:
    if not any(header.lower() == name.lower() for header in headers):
        headers[name] = value


def _callers_level() -> int:
    """The ``stacklevel`` of a warning, so that it names the caller's line rather than one of this package."""
    level, frame = 1, sys._getframe(1)  # noqa: SLF001 (what `warnings` itself does)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        level, frame = level + 1, frame.f_back
    return level


def _form(
    operation: Operation | None, sections: Sections, dialect: Dialect, field_errors: list[FieldError]
) -> Form | None:
    fields = sections.get("form")
    if not isinstance(fields, Mapping) or (operation is not None and operation.form is None and not has_files(fields)):
        return None
    signed = fields.get(dialect.signed_field, "")
    schema = operation.form if operation is not None else None
    return encode_form(schema, fields, signed.encode() if isinstance(signed, str) else b"", field_errors)


def _empty(
    operation: Operation | None, sections: Sections, dialect: Dialect, verb: str, field_errors: list[FieldError]
) -> bytes:
    """The body of a request without body fields: an empty object if the spec declares an object, else nothing."""
    schema = operation.body if operation is not None else None
    if schema is None or schema.type != "object" or verb in ("get", "delete"):
        return b""
    sections["body"] = {}
    return body_of(operation, sections["body"], dialect, field_errors)


_NO_OPTIONS: Final = Options()


def _is_body(plan: Plan | None, data: Any, main: str) -> bool:
    """Whether positional data that is not a mapping is a body."""
    if plan is not None and plan.operation.body is not None:
        return plan.operation.body.type != "object"
    return main == "body" and isinstance(data, (list, tuple)) and (plan is None or plan.open)


def _template_places(segments: tuple[str, ...]) -> dict[str, tuple[str, str]]:
    templates = (segment for segment in segments if segment.startswith("{") and not isinstance(segment, chain.Literal))
    return {segment[1:-1]: ("path", segment[1:-1]) for segment in templates}


def _pairs(target: chain.Target, operation: Operation | None, dialect: Dialect) -> list[tuple[str, str]]:
    segments, prefix = target.segments, dialect.chain
    if segments[: len(prefix)] == prefix:
        segments = segments[len(prefix) :]
    declared = operation.path.split("/")[1:] if operation else segments
    return list(zip(declared, segments, strict=True))


def _options(given: dict[str, Any], field_errors: list[FieldError]) -> Options:
    timeout = given.get("timeout")
    if timeout is not None and (
        isinstance(timeout, bool) or not isinstance(timeout, (int, float)) or not 0 < timeout <= _LONGEST_TIMEOUT
    ):
        field_errors.append(
            FieldError("timeout", f"expected seconds above 0 and up to {_LONGEST_TIMEOUT}, got {timeout!r:.40}")
        )
        given["timeout"] = None
    if given.get("validate") not in (None, True, False, "strict"):
        field_errors.append(FieldError("validate", f"expected True, False or 'strict', got {given['validate']!r:.40}"))
        given["validate"] = True
    if not isinstance(given.get("undeclared", False), bool):
        field_errors.append(FieldError("undeclared", f"expected True or False, got {given['undeclared']!r:.40}"))
        given["undeclared"] = False
    for name in ("headers", "query"):
        if not isinstance(given.get(name, {}), Mapping):
            field_errors.append(FieldError(name, f"expected a mapping, got {type(given[name]).__name__}"))
            given[name] = {}
    return Options(**given)
