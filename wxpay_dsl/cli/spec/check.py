"""``wxpay spec check``: lists the errors and warnings of spec files, each with file, line and column."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
from attrs import asdict

from wxpay_dsl.cli.input.options import json_option

if TYPE_CHECKING:
    from wxpay_dsl.core.lint.lint import Finding

__all__ = ["check_specs"]

_HELP = """Check specs and print problems as FILE:LINE:COLUMN: message. 检查接口定义

Without DIR: the specs of the package and the folders in WXPAY_SPECS. Exit code 1 if there is an error, or with --strict
a warning.

\b
Examples:
  wxpay spec check
  wxpay spec check my-specs
"""


@click.command("check", help=_HELP)
@click.argument("folders", metavar="[DIR]...", nargs=-1, type=click.Path(exists=True, file_okay=False))
@click.option("--strict", is_flag=True, help="Exit code 1 for warnings too.")
@json_option
@click.pass_context
def check_specs(
    context: click.Context,
    folders: tuple[str, ...],
    strict: bool,  # noqa: FBT001 (flags of the command line)
    as_json: bool,  # noqa: FBT001
) -> None:
    from wxpay_dsl.cli.output.terminal import note, plain, write_json
    from wxpay_dsl.client import SPECS

    checked = folders or (SPECS, *filter(None, os.environ.get("WXPAY_SPECS", "").split(os.pathsep)))
    findings = _findings(checked)
    if not as_json:
        for finding in findings:
            sys.stdout.write(f"{plain(str(finding))}\n")
    files = sum(1 for _ in _files(checked))
    errors = sum(finding.severity == "error" for finding in findings)
    note(
        f"{files} files: {errors} errors, {len(findings) - errors} warnings"
        if findings
        else f"{files} files, nothing wrong"
    )
    if as_json:
        write_json({"files": files, "errors": errors, "findings": [asdict(finding) for finding in findings]})
    if errors or (strict and findings):
        context.exit(1)


def _findings(folders: Sequence[str]) -> list[Finding]:
    from wxpay_dsl.client import SPECS, tree
    from wxpay_dsl.core.lint.lint import Finding, lint

    from .schema import schema_findings

    checked = lint(tree([folder for folder in folders if folder != SPECS]))
    own = [finding for finding in checked if any(Path(finding.file).is_relative_to(folder) for folder in folders)]
    # Skip a schema error on a line of which the loader has given a better message.
    reported = {(finding.file, finding.line) for finding in own}
    schema_errors = [
        Finding(error.file, error.line, error.column, error.message)
        for error in schema_findings(list(_files(folders)))
        if (error.file, error.line) not in reported
    ]
    return sorted([*own, *schema_errors])


def _files(folders: Sequence[str]) -> Iterator[Path]:
    for folder in folders:
        for path in sorted(Path(folder).rglob("*.y*ml")):
            hidden = any(part.startswith((".", "_")) for part in path.relative_to(folder).parts)
            if path.suffix in (".yaml", ".yml") and not hidden:
                yield path
