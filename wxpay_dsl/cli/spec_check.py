"""``wxpay spec check``: everything wrong with spec files, each with file, line and column."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from wxpay_dsl.core.errors import SpecError
    from wxpay_dsl.core.tree import Tree

__all__ = ["check_specs", "findings"]

_HELP = """Check specs and say what is wrong with them, as FILE:LINE:COLUMN: message. 检查接口定义

Without DIR: the package's own specs and the folders in WXPAY_SPECS. Exit code 1 when something is found.

\b
Examples:
  wxpay spec check
  wxpay spec check my-specs
"""


@click.command("check", help=_HELP)
@click.argument("folders", metavar="[DIR]...", nargs=-1, type=click.Path(exists=True, file_okay=False))
@click.pass_context
def check_specs(context: click.Context, folders: tuple[str, ...]) -> None:
    from wxpay_dsl.client import SPECS, tree

    from .terminal import note

    own = folders or (SPECS, *filter(None, os.environ.get("WXPAY_SPECS", "").split(os.pathsep)))
    checked = tree([folder for folder in own if folder != SPECS])
    found = sorted(findings(checked, own), key=lambda error: (error.file, error.line, error.column))
    for error in found:
        sys.stdout.write(f"{error}\n")
    files = sum(1 for _ in _files(own))
    note(f"{len(found)} findings in {files} files" if found else f"{files} files, nothing wrong")
    if found:
        context.exit(1)


def findings(tree: Tree, folders: Sequence[str]) -> Iterator[SpecError]:
    """Everything wrong with the files of ``folders``, which ``tree`` has loaded."""
    from wxpay_dsl.core.errors import SpecError

    from .spec_schema import schema_findings

    seen = set()
    for file in tree.files:
        if not any(Path(file.path).is_relative_to(folder) for folder in folders):
            continue
        try:
            file.product()
        except SpecError as error:
            seen.add((error.file, error.line))
            yield error
    for refused in schema_findings(list(_files(folders))):
        # What the loader says of a place it says better.
        if (refused.file, refused.line) not in seen:
            yield refused


def _files(folders: Sequence[str]) -> Iterator[Path]:
    for folder in folders:
        for path in sorted(Path(folder).rglob("*.y*ml")):
            if path.suffix in (".yaml", ".yml") and not any(
                part.startswith((".", "_")) for part in path.relative_to(folder).parts
            ):
                yield path
