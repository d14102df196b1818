"""``wxpay spec schema``: prints the JSON Schema of specs; ``schema_findings`` validates files with it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from wxpay_dsl.client import SPECS

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

    from wxpay_dsl.core.errors import SpecError

__all__ = ["print_schema", "schema_findings"]

_HELP = """Print the JSON Schema of spec files, for completion and checks in editors. 编辑器用的 JSON Schema

\b
Example:
  wxpay spec schema > my-specs/spec.schema.json
  # then, as the first line of a spec:  # yaml-language-server: $schema=spec.schema.json
"""


@click.command("schema", help=_HELP)
def print_schema() -> None:
    sys.stdout.write(_schema().read_text("utf-8"))


def _schema() -> Path:
    return Path(SPECS, "spec.schema.json")


def schema_findings(files: Sequence[Path]) -> Iterator[SpecError]:
    """The schema errors of the files, each with file, line and column; invalid YAML is left to the loader."""
    from jsonschema import Draft202012Validator

    from wxpay_dsl.core.errors import SpecError
    from wxpay_dsl.core.specs import yaml12

    validator = Draft202012Validator(json.loads(_schema().read_bytes()))
    for file in files:
        text = file.read_bytes()
        try:
            data = yaml12.read(text, str(file))
        except SpecError:
            continue
        for error in validator.iter_errors(data):
            yield _located(error, text, file)


def _located(error: ValidationError, text: bytes, file: Path) -> SpecError:
    from jsonschema.exceptions import best_match

    from wxpay_dsl.core.errors import SpecError
    from wxpay_dsl.core.specs import yaml12

    # If several forms are possible, report the error of the form that fits best.
    deepest: Any = best_match([error]) or error
    path = (*deepest.absolute_path, *_unknown_key(deepest))
    line, column = yaml12.locate(text, path, str(file))
    return SpecError(f"{deepest.message} (spec.schema.json)", str(file), line, column)


def _unknown_key(error: Any) -> list[str]:
    """The first unknown key, if the error is an unknown key; else nothing."""
    if error.validator != "additionalProperties":
        return []
    return [key for key in error.instance if key not in error.schema.get("properties", {})][:1]
