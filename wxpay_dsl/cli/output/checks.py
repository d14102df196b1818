"""The steps of an examination: a line each with its mark, or JSON; and the exit code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from attrs import asdict
from rich.text import Text

from wxpay_dsl.diagnosis.check import Check

from .terminal import hanging, stdout, write_json

__all__ = ["show", "tell"]

_MARKS: Final = {True: ("✓", "green"), False: ("✗", "red"), None: ("·", "dim")}


def show(steps: Sequence[Check], *, as_json: bool = False, told: Mapping[str, Any] = {}) -> bool:
    """Prints all steps, in JSON beside what is ``told`` already; whether none of them is bad."""
    good = all(step.good is not False for step in steps)
    if as_json:
        write_json({**told, "good": good, "steps": [asdict(step) for step in steps]})
        return good
    width = max((len(step.title) for step in steps), default=0)
    for step in steps:
        tell(step, width)
    return good


def tell(step: Check, width: int) -> None:
    """Prints one step, its title in ``width`` columns."""
    line = Text.assemble(_MARKS[step.good], " ", (f"{step.title:{width}}", "bold"), " ", step.text)
    hanging(stdout(), line, width + 3)
    if step.mend:
        hanging(stdout(), Text.assemble(" " * (width + 3), ("→ ", "yellow"), step.mend), width + 5)
