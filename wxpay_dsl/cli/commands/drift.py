"""``wxpay drift``: a report of recorded differences between the specs and responses or notifications."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import IO, TYPE_CHECKING, Any, Final

import click
from attrs import asdict, frozen

from wxpay_dsl.cli.input.options import json_option

if TYPE_CHECKING:
    from wxpay_dsl.core.observe.drift import Drift

__all__ = ["drift"]

_HELP = """Show how responses and notifications differed from the specs. 接口与定义的差异

LOG is a file that `Wechatpay(on_drift="drift.jsonl")` or `drift_log` wrote; - is stdin. The report holds names of
operations, fields and types, but no values: it can be sent to the project unchanged.

\b
Examples:
  wxpay drift drift.jsonl
  wxpay drift logs/*.jsonl --json > report.json
"""

#: The pattern of each member of a record; a line that does not match is skipped, so that no value gets into the report.
_PATTERNS: Final[Mapping[str, re.Pattern[str]]] = {
    "operation": re.compile(r"(?:[A-Z]+ /[A-Za-z0-9_./{}:~-]{0,255}|[A-Za-z0-9_./-]{1,100})\Z"),
    "path": re.compile(r"(?:returns|resource)(?:\.(?:[A-Za-z_$][A-Za-z0-9_$.-]{0,63}|\*)|\[\]){0,40}\Z"),
    "kind": re.compile(r"(?:unknown|missing|type|enum)\Z"),
    "expected": re.compile(r"(?:any|string|integer|number|boolean|object|array|)\Z"),
    "found": re.compile(r"(?:null|string|integer|number|boolean|object|array|)\Z"),
}
_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\+00:00\Z")
_VERSION: Final = re.compile(r"[A-Za-z0-9.+!-]{0,40}\Z")
#: Bytes of one line that are read.
_MAX_LINE: Final = 4096
_DESCRIPTIONS: Final = {
    "unknown": "a field that the spec does not declare",
    "missing": "a required field is missing",
    "type": "another type",
    "enum": "a value that is not in `enum`",
}


@frozen
class _Record:
    """One difference: how often it was recorded, first and last time (ISO 8601), and package versions."""

    drift: Drift
    count: int
    first: str
    last: str
    versions: tuple[str, ...]


@click.command(help=_HELP)
@click.argument("logs", metavar="LOG...", nargs=-1, required=True, type=click.File("rb"))
@json_option
def drift(logs: Sequence[IO[bytes]], as_json: bool) -> None:  # noqa: FBT001 (a flag of the command line)
    from wxpay_dsl.cli.output.terminal import note, write_json

    skipped: list[int] = []
    records = _aggregate(_read(logs, skipped))
    if as_json:
        write_json({"differences": [_as_data(record) for record in records], "skipped": len(skipped)})
        return
    _show(records)
    if skipped:
        note(f"{len(skipped)} lines are not records of `on_drift`, and were skipped")
    if not records:
        note("no differences")


def _read(logs: Iterable[IO[bytes]], skipped: list[int]) -> Iterator[tuple[Drift, str, str]]:
    """``(difference, time, version)`` of each record; adds the numbers of other lines to ``skipped``."""
    from wxpay_dsl.core.observe.drift import Drift

    for log in logs:
        number = 0
        while line := log.readline(_MAX_LINE):
            number += 1
            record = _record(line)
            if record is None:
                skipped.append(number)
                continue
            given = {name: record.get(name, "") for name in _PATTERNS}
            time, version = record.get("time", ""), record.get("version", "")
            yield Drift(**given), time if _TIME.match(time) else "", version if _VERSION.match(version) else ""


def _record(line: bytes) -> dict[str, str] | None:
    """The members of a record; None if the line is not one."""
    try:
        data = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(data, dict) or not all(isinstance(value, str) for value in data.values()):
        return None
    return data if all(pattern.match(data.get(name, "")) for name, pattern in _PATTERNS.items()) else None


def _aggregate(differences: Iterable[tuple[Drift, str, str]]) -> list[_Record]:
    times: dict[Drift, list[tuple[str, str]]] = {}
    for difference, time, version in differences:
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

    from wxpay_dsl.cli.output.terminal import print_wrapped, stdout

    console = stdout()
    operation = ""
    for record in records:
        difference = record.drift
        if difference.operation != operation:
            operation = difference.operation
            console.print(Text(operation, style="bold"))
        description = _DESCRIPTIONS[difference.kind]
        if difference.kind == "type":
            description += f": {difference.found} for {difference.expected}"
        elif difference.kind == "unknown":
            description += f": {difference.found}"
        times = f"  ({record.count}, {record.first[:10]} … {record.last[:10]})" if record.first else ""
        print_wrapped(console, Text.assemble("  ", (difference.path, "cyan"), "  ", description, (times, "dim")), 6)
