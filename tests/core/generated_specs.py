"""Hypothesis strategies for specs with every keyword, in the form in which YAML is read."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

__all__ = ["SPECS"]

NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,5}", fullmatch=True)
TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8)
FLAGS = st.booleans()
COUNTS = st.integers(0, 40)
NUMBERS = st.integers(-1000, 1000) | st.sampled_from([0.5, -2.25])
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner, max_size=2),
    max_leaves=4,
)

ROLES = st.lists(st.sampled_from(["merchant", "partner"]), min_size=1, unique=True)
CHECKED = st.fixed_dictionaries(
    {"source": st.sampled_from(["official", "sdk", "community"]), "date": st.dates().map(lambda day: day.isoformat())}
)
_ANNOTATIONS: dict[str, st.SearchStrategy[Any]] = {
    "title": TEXTS,
    "description": TEXTS,
    "example": JSON,
    "default": JSON,
    "nullable": FLAGS,
    "deprecated": FLAGS,
    "encrypted": FLAGS,
    "media": st.sampled_from(["id", "url"]),
    "encoded": FLAGS,
    "doubt": TEXTS,
    "roles": ROLES,
    "required_by": ROLES,
}


def _words(kind: str, **words: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    typed = st.just({"type": kind}) if kind in ("integer", "number", "boolean", "any") else st.just({})
    return st.builds(
        lambda first, rest: {**first, **rest}, typed, st.fixed_dictionaries({}, optional={**_ANNOTATIONS, **words})
    )


SCALARS = st.one_of(
    TEXTS,
    st.none(),
    _words(
        "string",
        format=st.sampled_from(["date", "date-time", "uri", "binary"]),
        enum=st.lists(TEXTS, min_size=1, max_size=3, unique=True),
        pattern=st.sampled_from(["^[0-9]+$", "a|b"]),
        minLength=COUNTS,
        maxLength=COUNTS,
        contentMediaType=st.just("application/json"),
        contentEncoding=st.just("base64"),
    ),
    _words("integer", minimum=NUMBERS, maximum=NUMBERS, enum=st.lists(st.integers(0, 9), min_size=1, unique=True)),
    _words("number", minimum=NUMBERS, maximum=NUMBERS),
    _words("boolean"),
    _words("any", enum=st.lists(st.integers(0, 9) | TEXTS, min_size=1, unique=True), minLength=COUNTS),
    st.just({"type": "object"}),
    st.just({"type": "array"}),
)


def _keys(names: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.builds(lambda name, optional: f"{name}?" if optional else name, names, FLAGS)


def _named(fields: st.SearchStrategy[Any], least: int = 0) -> st.SearchStrategy[dict[str, Any]]:
    """Fields by name, each name once."""
    return st.dictionaries(_keys(NAMES), fields, min_size=least, max_size=3).map(
        lambda found: {
            key: _agreeing(key, value) for key, value in found.items() if key.endswith("?") or f"{key}?" not in found
        }
    )


def _agreeing(key: str, value: Any) -> Any:
    """A field, without ``required_by`` if that contradicts its key or its roles."""
    if not isinstance(value, dict) or "required_by" not in value:
        return value
    if key.endswith("?") and set(value["required_by"]) <= set(value.get("roles", value["required_by"])):
        return value
    return {word: inner for word, inner in value.items() if word != "required_by"}


def _merged(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    return {**first, **second}


def _nested(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    some = inner.filter(lambda value: value is not None)
    annotated = st.fixed_dictionaries({}, optional=_ANNOTATIONS)
    return st.one_of(
        st.builds(_merged, annotated, st.fixed_dictionaries({"properties": _named(inner, 1)})),
        st.builds(
            _merged,
            annotated,
            st.fixed_dictionaries({"properties": _named(inner, 1), "additionalProperties": FLAGS | some}),
        ),
        st.builds(_merged, annotated, st.fixed_dictionaries({"type": st.just("object"), "additionalProperties": some})),
        st.just({"additionalProperties": False}),
        st.builds(
            _merged,
            st.fixed_dictionaries({}, optional={**_ANNOTATIONS, "minItems": COUNTS, "maxItems": COUNTS}),
            st.fixed_dictionaries({"items": some}),
        ),
    )


FIELDS = st.recursive(SCALARS, _nested, max_leaves=6)
DEFINITIONS = ("Money", "Order")
REFS = st.builds(
    lambda name, words: {"$ref": f"#/definitions/{name}", **words},
    st.sampled_from(DEFINITIONS),
    st.fixed_dictionaries(
        {},
        optional={"title": TEXTS, "roles": ROLES, "nullable": FLAGS, "properties": _named(FIELDS, 1)},
    ),
)
ANYWHERE = FIELDS | REFS
FIELD_SECTIONS = _named(ANYWHERE)
SECTIONS = st.one_of(FIELD_SECTIONS, REFS, st.builds(lambda field: {"$schema": field}, FIELDS))
PARAMETERS = FIELD_SECTIONS | st.just(
    {"$schema": {"additionalProperties": True, "properties": {"known?": "known", "other": {"type": "integer"}}}}
)

_HEAD: dict[str, st.SearchStrategy[Any]] = {
    "summary": TEXTS,
    "description": TEXTS,
    "docs": st.lists(st.sampled_from(["https://a.example/1", "https://b.example/2"]), unique=True, max_size=2),
    "roles": st.lists(TEXTS, unique=True, max_size=2),
    "tags": st.lists(TEXTS, unique=True, max_size=2),
    "deprecated": FLAGS,
    "checked": CHECKED,
}
OPERATIONS = st.one_of(
    *(
        st.fixed_dictionaries(
            {},
            optional={
                **_HEAD,
                "host": st.sampled_from(["https://a.example", "https://b.example"]),
                "mutual_tls": FLAGS,
                "verify": FLAGS,
                "digest_header": TEXTS,
                "sign": FLAGS,
                "nonce": FLAGS,
                "sign_type": FLAGS,
                "outcome": st.just("query"),
                "idempotent": FLAGS,
                "updated": TEXTS,
                "version": TEXTS,
                "status": st.sampled_from([200, 201, 204]),
                "produces": st.sampled_from(["application/pdf", "text/plain"]),
                "query": PARAMETERS,
                "header": PARAMETERS,
                "returns": SECTIONS,
                body: content,
            },
        )
        for body, content in (("body", SECTIONS), ("form", FIELD_SECTIONS))
    )
)
EVENTS = st.fixed_dictionaries(
    {}, optional={**_HEAD, "algorithm": TEXTS, "body": SECTIONS, "resource": SECTIONS, "returns": SECTIONS}
)


def _with_path(operations: dict[str, Any], fields: Any) -> dict[str, Any]:
    """The sections of an operation; the field of a path template may be left out."""
    return {verb: {**words, **({"path": {"order_id": fields}} if fields else {})} for verb, words in operations.items()}


VERBS = st.sampled_from(["get", "post", "put", "patch", "delete"])
PATHS = st.fixed_dictionaries(
    {"/orders/{order_id}": st.builds(_with_path, st.dictionaries(VERBS, OPERATIONS, min_size=1), SCALARS)},
    optional={
        "": st.dictionaries(VERBS, OPERATIONS, min_size=1),
        "/orders/": st.dictionaries(VERBS, OPERATIONS, min_size=1),
    },
)
#: Objects, so that a section may be one, and fields may be added to it.
DEFINED = st.fixed_dictionaries(
    {
        name: st.fixed_dictionaries({"properties": _named(FIELDS, 1)}, optional={"title": TEXTS, "example": JSON})
        for name in DEFINITIONS
    }
)
SPECS = st.fixed_dictionaries(
    {"path": st.just("/v1/shop"), "operations": PATHS, "definitions": DEFINED},
    optional={
        "title": TEXTS,
        "dialect": st.sampled_from(["json", "old"]),
        "events": st.dictionaries(NAMES, EVENTS, max_size=2),
    },
)
