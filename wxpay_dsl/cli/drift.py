"""``wxpay drift``: what answers and notifications had that the specs do not know, from what a client recorded."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import IO, TYPE_CHECKING, Any, Final

import click
from attrs import asdict, frozen

from .options import json_option

if TYPE_CHECKING:
    from wxpay_dsl.core.drift import Drift

__all__ = ["drift"]

_HELP = """Show in what answers and notifications differed from the specs. 接口与定义的差异

LOG is what `Wechatpay(on_drift="drift.jsonl")` or `drift_log` wrote; - reads stdin. The report holds names of
operations, fields and types, and no value: it can be sent to the project as it is.

\b
Examples:
  wxpay drift drift.jsonl
  wxpay drift logs/*.jsonl --json > report.json
"""

#: What each word of a record may be: whatever else stands in a log does not come into the report.
_FORMS: Final[Mapping[str, re.Pattern[str]]] = {
    "operation": re.compile(r"(?:[A-Z]+ /[A-Za-z0-9_./{}:~-]{0,255}|[A-Za-z0-9_./-]{1,100})\Z"),
    "path": re.compile(r"(?:returns|resource)(?:\.(?:[A-Za-z_$][A-Za-z0-9_$.-]{0,63}|\*)|\[\]){0,40}\Z"),
    "kind": re.compile(r"(?:unknown|missing|type|enum)\Z"),
    "expected": re.compile(r"(?:any|string|integer|number|boolean|object|array|)\Z"),
    "found": re.compile(r"(?:null|string|integer|number|boolean|object|array|)\Z"),
}
_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\+00:00\Z")
_VERSION: Final = re.compile(r"[A-Za-z0-9.+!-]{0,40}\Z")
#: Bytes of one line that are read.
_LONGEST: Final = 4096
_SAID: Final = {
    "unknown": "a field that no spec knows",
    "missing": "a field that is not there",
    "type": "another type",
    "enum": "a value that is not in `enum`",
}


@frozen
class _Record:
    """One difference: how often it was recorded, when first and last, and by which versions."""

    drift: Drift
    count: int
    first: str
    last: str
    versions: tuple[str, ...]


@click.command(help=_HELP)
@click.argument("logs", metavar="LOG...", nargs=-1, required=True, type=click.File("rb"))
@json_option
def drift(logs: Sequence[IO[bytes]], as_json: bool) -> None:  # noqa: FBT001 (a flag of the command line)
    from .terminal import note, write_json

    skipped: list[int] = []
    records = _aggregate(_read(logs, skipped))
    if as_json:
        write_json({"differences": [_as_data(record) for record in records], "skipped": len(skipped)})
        return
    _show(records)
    if skipped:
        note(f"{len(skipped)} lines are no records of `on_drift`, and were skipped")
    if not records:
        note("no differences")


def _read(logs: Iterable[IO[bytes]], skipped: list[int]) -> Iterator[tuple[Drift, str, str]]:
    """``(difference, time, version)`` of each record; the numbers of lines that are none go to ``skipped``."""
    from wxpay_dsl.core.drift import Drift

    for log in logs:
        number = 0
        while line := log.readline(_LONGEST):
            number += 1
            words = _words(line)
            if words is None:
                skipped.append(number)
                continue
            given = {name: words.get(name, "") for name in _FORMS}
            time, version = words.get("time", ""), words.get("version", "")
            yield Drift(**given), time if _TIME.match(time) else "", version if _VERSION.match(version) else ""


def _words(line: bytes) -> dict[str, str] | None:
    try:
        data = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(data, dict) or not all(isinstance(value, str) for value in data.values()):
        return None
    return data if all(form.match(data.get(name, "")) for name, form in _FORMS.items()) else None


def _aggregate(found: Iterable[tuple[Drift, str, str]]) -> list[_Record]:
    times: dict[Drift, list[tuple[str, str]]] = {}
    for difference, time, version in found:
        times.setdefault(difference, []).append((time, version))
    return [
        _Record(
            difference,
            len(seen),
            min(time for time, _ in seen),
            max(time for time, _ in seen),
            tuple(sorted({version for _, version in seen if version})),
        )
        for difference, seen in sorted(times.items())
    ]


def _as_data(record: _Record) -> dict[str, Any]:
    return {
        **asdict(record.drift),
        "count": record.count,
        "first": record.first,
        "last": record.last,
        "versions": list(record.versions),
    }


def _show(records: Sequence[_Record]) -> None:
    from rich.text import Text

    from .terminal import hanging, stdout

    console = stdout()
    operation = ""
    for record in records:
        found = record.drift
        if found.operation != operation:
            operation = found.operation
            console.print(Text(operation, style="bold"))
        said = _SAID[found.kind]
        if found.kind == "type":
            said += f": {found.found} for {found.expected}"
        elif found.kind == "unknown":
            said += f": {found.found}"
        times = f"  ({record.count}, {record.first[:10]} … {record.last[:10]})" if record.first else ""
        hanging(console, Text.assemble("  ", (found.path, "cyan"), "  ", said, (times, "dim")), 6)
