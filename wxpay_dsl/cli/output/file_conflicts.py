"""Checks that no file that a command writes is also another of its input or output files."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations
from pathlib import Path

import click

from wxpay_dsl.core.files.atomic_write import same_file

__all__ = ["check_file_conflicts", "input_files"]


def check_file_conflicts(written: Iterable[tuple[str, Path | None]], read: Iterable[tuple[str, Path | None]]) -> None:
    """Raises UsageError if a file in ``written`` is another file in ``written``, or one in ``read``.

    Each is ``(option, path)``, where the option is named in the error and a path of None is ignored. Symbolic links,
    hard links and other spellings of a path are resolved.
    """
    outputs = [(name, path) for name, path in written if path is not None]
    inputs = [(name, path) for name, path in read if path is not None]
    pairs = [*combinations(outputs, 2), *((output, given) for output in outputs for given in inputs)]
    for (name, path), (other_name, other) in pairs:
        if same_file(path, other):
            raise click.UsageError(
                f"{name} {path} is the file of {other_name}, which would be overwritten: give another file"
            )


def input_files(
    profile: Path | None, data: str | None = None, parameters: Sequence[str] = ()
) -> Iterator[tuple[str, Path]]:
    """``(option, path)`` of each file that a call reads: the profile, ``-d @FILE``, ``-p KEY=@FILE``."""
    chosen = profile or os.environ.get("WXPAY_PROFILE")
    if chosen:
        yield "--profile", Path(chosen)
    if data is not None and data.startswith("@"):
        yield "-d", Path(data[1:])
    for pair in parameters:
        key, _, value = pair.partition("=")
        if value.startswith("@"):
            yield f"-p {key}", Path(value[1:])
