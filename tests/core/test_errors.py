"""The errors: all below SdkError, frozen, picklable, each with a message that says what to do."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
from attrs import fields
from attrs.exceptions import FrozenInstanceError
from multidict import CIMultiDict

from wxpay_dsl.core import errors
from wxpay_dsl.core.errors import (
    ClosedError,
    ConnectionFailedError,
    FieldError,
    ResponseDecodeError,
    ResponseTruncatedError,
    SdkError,
    ServiceError,
    SpecError,
    TransportError,
    UndeclaredPathError,
    ValidationError,
)

EXAMPLES: list[tuple[SdkError, str]] = [
    (SpecError("a tab", "a.yaml", 3, 1), "a.yaml:3:1: a tab"),
    (SpecError("cannot be read", "a.yaml"), "a.yaml: cannot be read"),
    (SpecError("a tab"), "a tab"),
    (
        ValidationError("POST /a", (FieldError("body.b", "missing"), FieldError("", "no path"))),
        "POST /a: body.b: missing; no path",
    ),
    (
        UndeclaredPathError("GET /boks", "/books"),
        "GET /boks: no spec declares this path; the nearest declared path is /books",
    ),
    (UndeclaredPathError("GET /boks"), "GET /boks: no spec declares this path"),
    (ClosedError(), "the client is closed: make calls inside its `async with`, or before `close()`"),
    (ConnectionFailedError("GET /a", "no connection: refused"), "GET /a: no connection: refused"),
    (
        TransportError("POST /a", "lost", outcome_unknown=True),
        "POST /a: lost; the outcome is unknown: query it, or send it again with the same numbers",
    ),
    (ResponseTruncatedError("GET /a", "ended early", body=b"{"), "GET /a: ended early"),
    (ResponseDecodeError("GET /a", "not JSON", body=b"<html>"), "GET /a: not JSON: '<html>'"),
    (ResponseDecodeError("GET /a", "not JSON", body=b"x" * 300), f"GET /a: not JSON: '{'x' * 200}' … (300 bytes)"),
    (ResponseDecodeError("GET /a", "not JSON"), "GET /a: not JSON: (empty)"),
    (
        ServiceError("POST /a", 400, "PARAM_ERROR", "错了", {"field": "b"}, "id-1"),
        "POST /a: 400 PARAM_ERROR 错了 (detail: {'field': 'b'}) [Request-ID id-1]",
    ),
    (
        ServiceError("POST /a", 502, body=b"<html>Bad Gateway</html>"),
        "POST /a: 502 with a body that is not the service's own: '<html>Bad Gateway</html>'",
    ),
    (ServiceError("POST /a", 404, "NOT_FOUND", hint="look again"), "POST /a: 404 NOT_FOUND; look again"),
]


@pytest.mark.parametrize(("error", "sentence"), EXAMPLES, ids=lambda value: type(value).__name__)
def test_what_an_error_says(error: SdkError, sentence: str) -> None:
    assert str(error) == sentence
    assert isinstance(error, SdkError)


@pytest.mark.parametrize("error", [error for error, _ in EXAMPLES], ids=lambda error: type(error).__name__)
def test_an_error_survives_pickling_and_copying(error: SdkError) -> None:
    for other in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):  # noqa: S301 (our own)
        assert type(other) is type(error)
        assert str(other) == str(error)
        for attribute in fields(type(error)):
            assert getattr(other, attribute.name) == getattr(error, attribute.name)


def test_headers_survive_pickling_whatever_their_case() -> None:
    error = ServiceError("GET /a", 500, headers=CIMultiDict({"Request-ID": "1"}), body=b"\xff")
    other = pickle.loads(pickle.dumps(error))  # noqa: S301 (our own)
    assert other.headers["request-id"] == "1"
    assert other.body == b"\xff"


def test_an_error_is_frozen_and_can_be_raised_all_the_same() -> None:
    error = ServiceError("GET /a", 500)
    with pytest.raises(FrozenInstanceError):
        error.status = 200  # type: ignore[misc]  # what is tested
    cause = KeyError("x")
    with pytest.raises(ServiceError) as raised:
        raise error from cause
    assert raised.value is error
    assert error.__cause__ is cause
    assert error.__traceback__ is not None
    error.add_note("seen twice")


def test_a_repr_holds_no_body_and_no_headers() -> None:
    error = ServiceError("GET /a", 500, headers={"Authorization": "secret"}, body=b"apiv2_key")
    assert "secret" not in repr(error)


def test_every_error_is_public() -> None:
    def below(kind: type[Any]) -> set[type[Any]]:
        return {kind}.union(*(below(sub) for sub in kind.__subclasses__()))

    here = {kind for kind in below(SdkError) if kind.__module__ == errors.__name__}
    assert {kind.__name__ for kind in here} <= set(errors.__all__)
