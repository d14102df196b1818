"""The files that a command reads and writes: none of them may be another one of them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations
from pathlib import Path

import click

from wxpay_dsl.core.files.atomic_write import same_file

__all__ = ["check_places", "inputs"]


def check_places(written: Iterable[tuple[str, Path | None]], read: Iterable[tuple[str, Path | None]]) -> None:
    """Raises UsageError where a file that is written is another that is written, or one that is read.

    Each is given with the name by which an error calls it; None is no file. Links, hard links and other spellings of
    a path are seen through.
    """
    outputs = [(name, path) for name, path in written if path is not None]
    inputs = [(name, path) for name, path in read if path is not None]
    pairs = [*combinations(outputs, 2), *((output, given) for output in outputs for given in inputs)]
    for (name, path), (other_name, other) in pairs:
        if same_file(path, other):
            raise click.UsageError(
                f"{name} {path} is the file of {other_name}, which would be overwritten: name another file"
            )


def inputs(profile: Path | None, data: str | None = None, parameters: Sequence[str] = ()) -> Iterator[tuple[str, Path]]:
    """The files that a call reads, with the options that name them: the profile, ``-d @FILE``, ``-p KEY=@FILE``."""
    chosen = profile or os.environ.get("WXPAY_PROFILE")
    if chosen:
        yield "--profile", Path(chosen)
    if data is not None and data.startswith("@"):
        yield "-d", Path(data[1:])
    for pair in parameters:
        key, _, value = pair.partition("=")
        if value.startswith("@"):
            yield f"-p {key}", Path(value[1:])
