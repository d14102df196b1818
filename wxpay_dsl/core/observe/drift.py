"""Detects drift: differences between the responses of a service and its specs, while a program runs.

Each difference is reported once per client, operation, path and kind. A report contains names of fields and types,
and never a value.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from attrs import asdict, frozen

from wxpay_dsl.core.specs.model import Operation, Schema

from .hooks import Call, Hook

__all__ = ["KINDS", "Drift", "OnDrift", "Reporter", "Shape", "differences", "drift_log", "watch"]

#: The kinds of differences: an undeclared field, a missing field, another type, an undeclared value.
KINDS: Final = ("unknown", "missing", "type", "enum")
_log: Final = logging.getLogger(__name__)
#: The usual form of a field name. A key of another form might be a value, so it is reported as ``*``.
_NAME: Final = re.compile(r"[A-Za-z_$][A-Za-z0-9_$.-]{0,63}\Z")
#: The most differences that are searched for in one response, and that are remembered by one client.
_MOST: Final = 200
_MOST_REPORTED: Final = 10_000
_TYPES: Final = ((bool, "boolean"), (str, "string"), (int, "integer"), (float, "number"), (Mapping, "object"))
_NOTHING: Final[AbstractContextManager[None]] = nullcontext()


@frozen(order=True)
class Drift:
    """One difference between a response and its spec."""

    #: ``POST /v3/pay/transactions/native``, or the type of a notification: ``TRANSACTION.SUCCESS``.
    operation: str
    #: ``returns.amount.total``, ``resource.promotion_detail[].scope``; ``[]`` stands for each item of a list.
    path: str
    #: One of :data:`KINDS`.
    kind: str
    #: For ``type``: the JSON type in the spec.
    expected: str = ""
    #: For ``type`` and ``unknown``: the JSON type in the response.
    found: str = ""


#: Called with each difference. An exception that it raises is logged.
OnDrift = Callable[[Drift], None]
#: Returns the schema that a response is compared with, and the data to compare; None if it is not compared.
Shape = Callable[[Operation, Any], "tuple[Schema, Any] | None"]


def differences(operation: str, schema: Schema, value: Any, path: str) -> Iterator[Drift]:
    """The differences between ``value``, which is at ``path``, and ``schema``."""
    if value is None:
        if not schema.nullable and schema.type != "any":
            yield Drift(operation, path, "type", schema.type, "null")
        return
    found = _type(value)
    if schema.type not in ("any", found) and (found, schema.type) != ("integer", "number"):
        yield Drift(operation, path, "type", schema.type, found)
    elif isinstance(value, Mapping) and schema.type == "object":
        yield from _fields(operation, schema, value, path)
    elif isinstance(value, (list, tuple)) and schema.items is not None:
        for item in value:
            yield from differences(operation, schema.items, item, f"{path}[]")
    elif schema.enum and value not in schema.enum:
        yield Drift(operation, path, "enum")


def _fields(operation: str, schema: Schema, value: Mapping[str, Any], path: str) -> Iterator[Drift]:
    for name, item in value.items():
        below = schema.properties.get(name, schema.additional)
        place = f"{path}.{name if name in schema.properties or _NAME.match(str(name)) else '*'}"
        if below is None:
            yield Drift(operation, place, "unknown", found=_type(item))
        else:
            yield from differences(operation, below, item, place)
    for name in schema.properties:
        if name in schema.required and name not in value and not schema.properties[name].doubt:
            yield Drift(operation, f"{path}.{name}", "missing")


def _type(value: Any) -> str:
    if value is None:
        return "null"
    return next((name for kind, name in _TYPES if isinstance(value, kind)), "array")


class Reporter:
    """Reports each difference once. Errors in doing so are logged and never raised to the call."""

    def __init__(self, on_drift: OnDrift) -> None:
        self._on_drift = on_drift
        self._reported: set[Drift] = set()

    def compare(self, operation: str, schema: Schema, value: Any, path: str) -> None:
        """Compares a response, or the data of a notification, and reports new differences."""
        try:
            for count, drift in enumerate(differences(operation, schema, value, path)):
                if count >= _MOST or len(self._reported) >= _MOST_REPORTED:
                    return
                if drift not in self._reported:
                    self._reported.add(drift)
                    self._on_drift(drift)
        except Exception:  # noqa: BLE001 (code of the caller, whose failure must not lose the response)
            _log.exception("%s: a difference from the spec could not be reported", operation)


def watch(reporter: Reporter, shape: Shape) -> Hook:
    """A hook that compares the response of each successful call whose response was verified."""

    def hook(call: Call) -> AbstractContextManager[None]:
        operation = call.request.operation
        if operation is None or not (operation.verify or operation.digest_header):
            return _NOTHING
        return _ComparedCall(reporter, shape, operation, call)

    return hook


class _ComparedCall:
    """Compares the response of one call. A class rather than a generator, for speed."""

    __slots__ = ("_call", "_operation", "_reporter", "_shape")

    def __init__(self, reporter: Reporter, shape: Shape, operation: Operation, call: Call) -> None:
        self._reporter, self._shape, self._operation, self._call = reporter, shape, operation, call

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        response = self._call.response
        if response is None or isinstance(response.data, (bytes, bytearray)):
            return
        found = self._shape(self._operation, response.data)
        if found is not None:
            self._reporter.compare(self._operation.name, *found, "returns")


def drift_log(path: str | Path, version: str = "") -> OnDrift:
    """An ``on_drift`` that appends a line of JSON to a file for each difference, which the command ``drift`` reads.

    A line is ``{"time", "version", "operation", "path", "kind", "expected", "found"}``; ``version`` is that of the
    specs. Raises OSError if the file cannot be written; errors of later writes are logged.
    """
    file = Path(path)
    file.open("a", encoding="utf-8").close()

    def write(drift: Drift) -> None:
        line = {"time": datetime.now(UTC).isoformat(timespec="seconds"), "version": version, **asdict(drift)}
        # A single unbuffered write, so that lines of several processes do not mix.
        with file.open("ab", buffering=0) as log:
            log.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")

    return write
