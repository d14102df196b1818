"""Differences between what a service answers and what its specs say, noticed while a program runs; never a value.

Each difference is reported once for each client: by operation, path and
kind. A report holds names of fields and of types, and nothing that was in them.
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

from .hooks import Call, Hook
from .model import Operation, Schema

__all__ = ["KINDS", "Drift", "OnDrift", "Reporter", "Shape", "differences", "drift_log", "watch"]

#: In what way an answer differs: a field that no spec knows, one that is not there, another type, another value.
KINDS: Final = ("unknown", "missing", "type", "enum")
_log: Final = logging.getLogger(__name__)
#: A name as APIs have them. What is used as a key and is none might be a value.
_NAME: Final = re.compile(r"[A-Za-z_$][A-Za-z0-9_$.-]{0,63}\Z")
#: Differences that are looked for in one answer, and remembered by one client.
_MOST: Final = 200
_MOST_TOLD: Final = 10_000
_TYPES: Final = ((bool, "boolean"), (str, "string"), (int, "integer"), (float, "number"), (Mapping, "object"))
_NOTHING: Final[AbstractContextManager[None]] = nullcontext()


@frozen(order=True)
class Drift:
    """One difference."""

    #: ``POST /v3/pay/transactions/native``, or the type of a notification: ``TRANSACTION.SUCCESS``.
    operation: str
    #: ``returns.amount.total``, ``resource.promotion_detail[].scope``; ``[]`` stands for each item of a list.
    path: str
    #: One of :data:`KINDS`.
    kind: str
    #: Of ``type``: the JSON type that the spec says.
    expected: str = ""
    #: Of ``type`` and ``unknown``: the JSON type that came.
    found: str = ""


#: What is called with each difference. What it raises is logged.
OnDrift = Callable[[Drift], None]
#: The schema that an answer is compared with, and the data to compare; None for what is not compared.
Shape = Callable[[Operation, Any], "tuple[Schema, Any] | None"]


def differences(operation: str, schema: Schema, value: Any, path: str) -> Iterator[Drift]:
    """In what ``value`` differs from ``schema``; ``path`` is where it stands."""
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
    """Reports each difference once. Whatever goes wrong is logged, and never reaches the call."""

    def __init__(self, on_drift: OnDrift) -> None:
        self._on_drift = on_drift
        self._told: set[Drift] = set()

    def compare(self, operation: str, schema: Schema, value: Any, path: str) -> None:
        """Compares an answer, or what a notification carries."""
        try:
            for count, drift in enumerate(differences(operation, schema, value, path)):
                if count >= _MOST or len(self._told) >= _MOST_TOLD:
                    return
                if drift not in self._told:
                    self._told.add(drift)
                    self._on_drift(drift)
        except Exception:  # noqa: BLE001 (the caller's own code, and no reason to lose an answer)
            _log.exception("%s: a difference from the spec could not be reported", operation)


def watch(reporter: Reporter, shape: Shape) -> Hook:
    """A hook that compares the answer of each call that succeeds and whose answer was verified."""

    def hook(call: Call) -> AbstractContextManager[None]:
        operation = call.request.operation
        if operation is None or not (operation.verify or operation.digest_header):
            return _NOTHING
        return _Watched(reporter, shape, operation, call)

    return hook


class _Watched:
    """Compares one call: a class, as :class:`~wxpay_dsl.core.hooks.observed` is."""

    __slots__ = ("_call", "_operation", "_reporter", "_shape")

    def __init__(self, reporter: Reporter, shape: Shape, operation: Operation, call: Call) -> None:
        self._reporter, self._shape, self._operation, self._call = reporter, shape, operation, call

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        reply = self._call.reply
        if reply is None or isinstance(reply.data, (bytes, bytearray)):
            return
        found = self._shape(self._operation, reply.data)
        if found is not None:
            self._reporter.compare(self._operation.name, *found, "returns")


def drift_log(path: str | Path, version: str = "") -> OnDrift:
    """An ``on_drift`` that adds a line of JSON to a file for each difference: what the command ``drift`` reads.

    A line is ``{"time", "version", "operation", "path", "kind", "expected", "found"}``; ``version`` is that of the
    specs. Raises OSError for a file that cannot be written; later, what goes wrong is logged.
    """
    file = Path(path)
    file.open("a", encoding="utf-8").close()

    def write(drift: Drift) -> None:
        line = {"time": datetime.now(UTC).isoformat(timespec="seconds"), "version": version, **asdict(drift)}
        # One write: lines of several processes do not mix.
        with file.open("ab", buffering=0) as log:
            log.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")

    return write
