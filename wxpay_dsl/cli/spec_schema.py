"""The JSON Schema of specs, ``spec.schema.json``, held against every file of a folder."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match

from wxpay_dsl.client import SPECS
from wxpay_dsl.core import yaml12
from wxpay_dsl.core.errors import SpecError

__all__ = ["schema_findings"]


def schema_findings(files: Sequence[Path]) -> Iterator[SpecError]:
    """What the schema refuses, each with file, line and column. Files that are no YAML are left to the loader."""
    validator = Draft202012Validator(json.loads(Path(SPECS, "spec.schema.json").read_bytes()))
    for file in files:
        text = file.read_bytes()
        try:
            data = yaml12.read(text, str(file))
        except SpecError:
            continue
        for error in validator.iter_errors(data):
            yield _located(error, text, file)


def _located(error: ValidationError, text: bytes, file: Path) -> SpecError:
    # Of a choice between forms, what is wrong with the form that fits best.
    deepest: Any = best_match([error]) or error
    path = (*deepest.absolute_path, *_unknown(deepest))
    line, column = yaml12.locate(text, path, str(file))
    return SpecError(f"{deepest.message} (spec.schema.json)", str(file), line, column)


def _unknown(error: Any) -> list[str]:
    """The key that should not be there, where that is what is wrong."""
    if error.validator != "additionalProperties":
        return []
    return [key for key in error.instance if key not in error.schema.get("properties", {})][:1]
