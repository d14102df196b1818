"""Finds the folders of specs that a client reads after the package's own. Light, as ``import wxpay_dsl`` needs it.

They come from ``WXPAY_SPECS=dir[:dir]``, ``specs = […]`` in a profile, or ``Wechatpay(specs=[…])``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

__all__ = ["PROFILE", "SPECS", "as_list", "at_import", "beside"]

#: Environment variables that name spec folders, and a profile, which may name some.
SPECS: Final = "WXPAY_SPECS"
PROFILE: Final = "WXPAY_PROFILE"


def as_list(value: str | Path | Sequence[str | Path]) -> list[str]:
    """The folders in the setting ``specs``: a list, one path, or text with the system's path separator."""
    if isinstance(value, str):
        value = [part for part in value.split(os.pathsep) if part]
    elif isinstance(value, Path):
        value = [value]
    return [os.fspath(folder) for folder in value]


def beside(profile: Path, value: Any) -> list[str]:
    """The folders that a profile names, resolved against the profile's folder."""
    folder = profile.resolve().parent
    return [str(folder / Path(named).expanduser()) for named in as_list(value)]


def at_import(environment: Mapping[str, str]) -> list[str]:
    """The folders for a client that has not loaded its settings.

    Raises nothing, because an import must not fail: errors are raised when the settings are loaded.
    """
    folders: list[str] = []
    if environment.get(SPECS):
        folders = as_list(environment[SPECS])
    elif environment.get(PROFILE):
        import tomllib

        profile = Path(environment[PROFILE])
        try:
            folders = beside(profile, tomllib.loads(profile.read_text("utf-8-sig")).get("specs", ()))
        except (OSError, ValueError, TypeError, RecursionError):
            folders = []
    return [folder for folder in folders if os.path.isdir(folder)]  # noqa: PTH112 (Path's raises for long names)
