"""Prints the checks of ``wxpay doctor``, ``explain`` and ``notify verify``: one line each, or JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from attrs import asdict
from rich.text import Text

from wxpay_dsl.diagnosis.check import Check

from .terminal import print_wrapped, stdout, write_json

__all__ = ["print_check", "print_checks"]

_MARKS: Final = {True: ("✓", "green"), False: ("✗", "red"), None: ("·", "dim")}


def print_checks(checks: Sequence[Check], *, as_json: bool = False, extra: Mapping[str, Any] = {}) -> bool:
    """Prints all checks and returns whether none of them failed; JSON has the members of ``extra`` as well."""
    good = all(check.good is not False for check in checks)
    if as_json:
        write_json({**extra, "good": good, "checks": [asdict(check) for check in checks]})
        return good
    width = max((len(check.title) for check in checks), default=0)
    for check in checks:
        print_check(check, width)
    return good


def print_check(check: Check, width: int) -> None:
    """Prints one check, its title padded to ``width`` columns, and below it how to fix what is wrong."""
    line = Text.assemble(_MARKS[check.good], " ", (f"{check.title:{width}}", "bold"), " ", check.text)
    print_wrapped(stdout(), line, width + 3)
    if check.mend:
        print_wrapped(stdout(), Text.assemble(" " * (width + 3), ("→ ", "yellow"), check.mend), width + 5)
