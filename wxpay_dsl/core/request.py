"""From what a caller gave to the one request that is sent: fields sorted, checked, and encoded once.

Everything wrong is found before anything is sent, and reported at once in one :class:`ValidationError`.
"""

from __future__ import annotations

import json
import keyword
import math
import re
import warnings
from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal
from urllib.parse import quote
from weakref import WeakKeyDictionary

from attrs import field, frozen

from . import chain
from .errors import Fault, ValidationError
from .family import Family
from .files import Upload
from .forms import file_fields, has_files, size_faults
from .model import SECTIONS, Operation, Schema
from .multipart import Form
from .multipart import encode as encode_form
from .rewrite import any_field, rewrite
from .validate import check

__all__ = ["MAX_BODY", "OPTIONS", "Options", "Request", "Sections", "SpecWarning", "build", "collect"]

#: ``{section: {name: value}}`` of one call.
Sections = dict[str, Any]
#: Bytes of a request's body; what is larger is a file, and goes by upload.
MAX_BODY: Final = 1024 * 1024
#: The keywords of a call that are options rather than fields.
OPTIONS: Final = ("headers", "query", "timeout", "validate")
Validate = Literal[True, False, "strict"]

_ENCODED: Final = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})+\Z")
_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
_HEADER_VALUE: Final = re.compile(r"[\t\x20-\x7e\x80-\xff]*\Z")


class SpecWarning(UserWarning):
    """A value that the published limits do not know; it is sent all the same (``validate="strict"`` refuses it)."""


@frozen
class Options:
    """What a single call may set beside its fields."""

    headers: Mapping[str, str] = field(factory=dict)
    #: Added to the query as it is, unvalidated.
    query: Mapping[str, Any] = field(factory=dict)
    #: Seconds for the whole call, retries included; None for the client's own.
    timeout: float | None = None
    #: None for the client's own.
    validate: Validate | None = None


@frozen
class Request:
    """One request, whole: what is signed and what is sent."""

    #: ``POST /v3/…``: the operation for errors and logs, templates unfilled.
    name: str
    method: str
    #: Already percent-encoded.
    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    operation: Operation | None
    family: str
    #: The fields as they were encoded, by section.
    sections: Sections = field(repr=False)
    options: Options = field(repr=False)
    #: Sending it twice cannot do anything twice.
    safe: bool = False
    #: The body where it is an upload; then ``body`` is empty.
    form: Form | None = field(default=None, repr=False)

    @property
    def signed_body(self) -> bytes:
        """What a signature covers of the body: all of it, or the field of an upload that describes its file."""
        return self.body if self.form is None else self.form.signed


def collect(
    target: chain.Target, operation: Operation | None, data: Any, given: Mapping[str, Any]
) -> tuple[Sections, Options, list[Fault]]:
    """Sorts positional data and keywords into sections and options; the faults are names with no place."""
    faults: list[Fault] = []
    options: dict[str, Any] = {}
    # A path parameter given as a literal segment comes filled.
    sections: Sections = {"path": dict(target.bound)} if target.bound else {}
    reads = target.verb in ("get", "delete")
    main = "query" if reads else "body"
    if operation is not None:
        main = next((name for name in ("body", "form") if operation.section(name) is not None), main)
    if data is not None:
        if isinstance(data, Mapping):
            sections[main] = dict(data)
        elif operation is not None and operation.body is not None and operation.body.type != "object":
            sections[main] = data
        elif len(files := file_fields(operation)) == 1:
            sections[main] = {files[0]: data}
        else:
            faults.append(Fault(main, f"expected an object of fields, got {type(data).__name__}"))
    places = _places(operation) if operation is not None else _template_places(target.segments)
    for keyword_name, value in given.items():
        place = places.get(keyword_name)
        if place is None and keyword_name in OPTIONS:
            options[keyword_name] = value
            continue
        if place is None:
            name = keyword_name.removesuffix("_") if keyword.iskeyword(keyword_name[:-1]) else keyword_name
            if operation is not None and not _open(operation):
                faults.append(Fault(keyword_name, f"no such field{_nearest(keyword_name, places)}"))
                continue
            place = main, name
        section, name = place
        fields = sections.setdefault(section, {})
        if not isinstance(fields, dict) or name in fields:
            faults.append(Fault(f"{section}.{name}", "given twice, in the data and by keyword"))
            continue
        fields[name] = value
    if (operation is None or _open(operation)) and has_files(sections.get("body")):
        sections["form"] = sections.pop("body")
    return sections, _options(options, faults), faults


def build(
    target: chain.Target,
    operation: Operation | None,
    sections: Sections,
    options: Options,
    family: Family,
    base_url: str,
    faults: list[Fault],
    validate: Validate,
) -> Request:
    """The request, or a ValidationError that holds all ``faults``, those found before included."""
    pairs = _pairs(target, operation, family)
    name = operation.name if operation else f"{target.verb.upper()} /{'/'.join(segment for segment, _ in pairs)}"
    if operation is not None and validate is not False:
        _validate(operation, sections, family, faults, strict=validate == "strict")
    url_path = _fill(pairs, sections.get("path", {}), operation, faults)
    query = _query({**sections.get("query", {}), **options.query}, faults)
    headers = _headers({**sections.get("header", {}), **options.headers}, faults)
    form = _form(operation, sections, family, faults)
    body = _body(operation, sections, family, target.verb, faults) if form is None else b""
    if faults:
        raise ValidationError(name, tuple(faults))
    if form is not None:
        # A caller's own could not know the boundary.
        headers = {header: value for header, value in headers.items() if header.lower() != "content-type"}
        headers["Content-Type"] = form.content_type
    elif body:
        headers.setdefault("Content-Type", family.content_type)
    headers.setdefault("Accept", (operation.produces if operation else "") or family.accept)
    return Request(
        name=name,
        method=target.verb.upper(),
        url=base_url + url_path + query,
        headers=headers,
        body=body,
        operation=operation,
        family=family.name,
        sections=sections,
        options=options,
        safe=operation.safe_to_repeat if operation else target.verb == "get",
        form=form,
    )


def _validate(operation: Operation, sections: Sections, family: Family, faults: list[Fault], *, strict: bool) -> None:
    doubtful: list[Fault] = []
    for section in SECTIONS:
        schema = operation.section(section)
        given = sections.get(section)
        if schema is None:
            if given and not _open(operation):
                faults.append(Fault(section, f"{operation.name} takes no {section}"))
            continue
        if given is None:
            if not schema.required:
                continue
            given = {}
        if section == "form":
            faults += size_faults(schema, given)
            given = {name: "" if isinstance(value, Upload) else value for name, value in given.items()}
        errors, doubts = check(schema, given, section)
        faults += [fault for fault in errors if not _supplied(fault, family)]
        doubtful += doubts
    if doubtful and strict:
        faults += doubtful
    elif doubtful:
        for fault in doubtful:
            warnings.warn(f"{operation.name}: {fault}", SpecWarning, stacklevel=2)


def _supplied(fault: Fault, family: Family) -> bool:
    """Whether only a field is missing that the client itself will fill in."""
    return fault.message.startswith("missing") and fault.path.partition(".")[2].lower() in family.supplied


def _fill(
    pairs: list[tuple[str, str]], given: Mapping[str, Any], operation: Operation | None, faults: list[Fault]
) -> str:
    """The URL's path, from pairs of a segment as declared and as the chain has it."""
    filled = []
    for segment, written in pairs:
        if segment.startswith("{") and not isinstance(segment, chain.Literal):
            name = segment[1:-1]
            encoded = operation is not None and operation.parameters.properties[name].encoded
            if name in given:
                filled.append(_parameter(name, given[name], faults, encoded=encoded))
            elif not any(fault.path == f"path.{name}" for fault in faults):
                faults.append(Fault(f"path.{name}", f"missing: fill it by keyword, {name}=…"))
        elif isinstance(written, chain.Literal):
            filled.append(_parameter(written, str(written), faults))
        else:
            filled.append(segment)
    return "/" + "/".join(filled)


def _parameter(name: str, value: Any, faults: list[Fault], *, encoded: bool = False) -> str:
    path = f"path.{name}"
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        if not any(fault.path == path for fault in faults):
            faults.append(Fault(path, f"expected a string, got {type(value).__name__}"))
        return ""
    text = str(value)
    if not text:
        faults.append(Fault(path, "empty: the path would be another"))
    elif any(part in (".", "..") for part in re.split(r"[/\\]|%2[fF]|%5[cC]", text)):
        faults.append(Fault(path, f"{text[:60]!r} climbs out of the path"))
    elif encoded:
        if _ENCODED.match(text):
            return text
        faults.append(Fault(path, f"{text[:60]!r} must come percent-encoded, as the service gave it"))
    elif len(text) > 1024:
        faults.append(Fault(path, f"{len(text)} characters are too long for a path"))
    else:
        try:
            return quote(text, safe="")
        except UnicodeEncodeError:
            faults.append(Fault(path, "holds half a character (a lone surrogate)"))
    return ""


def _query(given: Mapping[str, Any], faults: list[Fault]) -> str:
    pairs = []
    for name, value in given.items():
        for item in value if isinstance(value, (list, tuple)) else (value,):
            if not isinstance(item, (str, int, float)) or (isinstance(item, float) and not math.isfinite(item)):
                path = f"query.{name}"
                if not any(fault.path == path for fault in faults):
                    faults.append(Fault(path, f"expected a string or a number, got {_kind(item)}"))
                continue
            try:
                pairs.append(f"{quote(str(name), safe='')}={quote(_query_text(item), safe='')}")
            except UnicodeEncodeError:
                faults.append(Fault(f"query.{name}", "holds half a character (a lone surrogate)"))
    query = "?" + "&".join(pairs) if pairs else ""
    if len(query) > 8192:
        faults.append(Fault("query", f"{len(query)} characters are too long for a URL"))
    return query


def _query_text(value: str | float) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _headers(given: Mapping[str, Any], faults: list[Fault]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in given.items():
        # A line break in a value would begin a header, or a request, of somebody else's making.
        if not _HEADER_NAME.match(str(name)):
            faults.append(Fault(f"header.{name!r}", "is no name of a header"))
        elif not isinstance(value, str) or not _HEADER_VALUE.match(value) or len(value) > 4096:
            faults.append(Fault(f"header.{name}", "expected one line of text of at most 4096 characters"))
        else:
            headers[str(name)] = value
    return headers


def _form(operation: Operation | None, sections: Sections, family: Family, faults: list[Fault]) -> Form | None:
    fields = sections.get("form")
    if not isinstance(fields, Mapping) or (operation is not None and operation.form is None and not has_files(fields)):
        return None
    signed = fields.get(family.signed_field, "")
    schema = operation.form if operation is not None else None
    return encode_form(schema, fields, signed.encode() if isinstance(signed, str) else b"", faults)


def _body(operation: Operation | None, sections: Sections, family: Family, verb: str, faults: list[Fault]) -> bytes:
    if "body" not in sections:
        if operation is None or operation.body is None or verb in ("get", "delete"):
            return b""
        sections["body"] = {}
    data = sections["body"]
    if operation is not None and operation.body is not None and _embeds(operation.body):
        data = rewrite(operation.body, data, _is_embedded, _embed, "body")
    try:
        body = family.encode(operation, data)
    except (TypeError, ValueError, RecursionError) as error:
        found = list(_unencodable(data, "body", 0)) or [Fault("body", str(error))]
        known = {fault.path for fault in faults}
        faults += [fault for fault in found if fault.path not in known]
        return b""
    if len(body) > MAX_BODY:
        faults.append(Fault("body", f"{len(body)} bytes; at most {MAX_BODY} are sent (files go by upload)"))
    return body


def _unencodable(value: Any, path: str, depth: int) -> Iterator[Fault]:
    """Where, in data that would not encode, the reason is."""
    if depth > 100:
        yield Fault(path[:200], "nested more than 100 levels deep, or inside itself")
    elif isinstance(value, Mapping):
        for name, item in value.items():
            if isinstance(name, str):
                yield from _unencodable(item, f"{path}.{name}", depth + 1)
            else:
                yield Fault(f"{path}.{name!r}", "a field's name is text")
    elif isinstance(value, (list, tuple)):
        for position, item in enumerate(value):
            yield from _unencodable(item, f"{path}[{position}]", depth + 1)
    elif isinstance(value, float) and not math.isfinite(value):
        yield Fault(path, f"{value} is no JSON number")
    elif isinstance(value, str):
        if any("\ud800" <= character <= "\udfff" for character in value):
            yield Fault(path, "holds half a character (a lone surrogate)")
    elif value is not None and not isinstance(value, (bool, int, float)):
        yield Fault(path, f"{_kind(value)} is no JSON value")


def _is_embedded(schema: Schema) -> bool:
    return schema.media_type == "application/json" and schema.type == "string"


def _embed(schema: Schema, value: Any, path: str) -> Any:
    """A value for a field that holds JSON as text; text is taken for that JSON already."""
    if isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return value


_embedding: WeakKeyDictionary[Schema, bool] = WeakKeyDictionary()
_placed: WeakKeyDictionary[Operation, dict[str, tuple[str, str]]] = WeakKeyDictionary()


def _embeds(schema: Schema) -> bool:
    found = _embedding.get(schema)
    if found is None:
        found = _embedding[schema] = any_field(schema, _is_embedded)
    return found


def _places(operation: Operation) -> dict[str, tuple[str, str]]:
    """``{keyword: (section, name)}`` of all fields: no operation uses a name twice, which the linter holds."""
    places = _placed.get(operation)
    if places is None:
        places = {}
        for section in reversed(SECTIONS):
            schema = operation.section(section)
            for name in schema.properties if schema is not None else ():
                places[name] = section, name
                alias = name.lower().replace("-", "_") if section == "header" else name
                places.setdefault(alias + "_" if keyword.iskeyword(alias) else alias, (section, name))
        _placed[operation] = places
    return places


def _template_places(segments: tuple[str, ...]) -> dict[str, tuple[str, str]]:
    templates = (segment for segment in segments if segment.startswith("{") and not isinstance(segment, chain.Literal))
    return {segment[1:-1]: ("path", segment[1:-1]) for segment in templates}


def _pairs(target: chain.Target, operation: Operation | None, family: Family) -> list[tuple[str, str]]:
    segments, prefix = target.segments, family.chain
    if segments[: len(prefix)] == prefix:
        segments = segments[len(prefix) :]
    declared = operation.path.split("/")[1:] if operation else segments
    return list(zip(declared, segments, strict=True))


def _open(operation: Operation) -> bool:
    """Whether the spec says nothing of the request (``{post: {}}``), so that anything may be sent."""
    return not any((operation.query, operation.header, operation.body, operation.form, operation.returns))


def _options(given: dict[str, Any], faults: list[Fault]) -> Options:
    timeout = given.get("timeout")
    if timeout is not None and (isinstance(timeout, bool) or not isinstance(timeout, (int, float)) or not timeout > 0):
        faults.append(Fault("timeout", f"expected seconds above 0, got {timeout!r}"))
        given["timeout"] = None
    if given.get("validate") not in (None, True, False, "strict"):
        faults.append(Fault("validate", f"expected True, False or 'strict', got {given['validate']!r}"))
        given["validate"] = True
    for name in ("headers", "query"):
        if not isinstance(given.get(name, {}), Mapping):
            faults.append(Fault(name, f"expected a mapping, got {type(given[name]).__name__}"))
            given[name] = {}
    return Options(**given)


def _nearest(name: str, words: Mapping[str, Any]) -> str:
    from difflib import get_close_matches

    close = get_close_matches(name, [*words, *OPTIONS], n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _kind(value: Any) -> str:
    return "null" if value is None else type(value).__name__
