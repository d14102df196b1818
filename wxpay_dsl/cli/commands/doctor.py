"""``wxpay doctor``: what is wrong with a merchant's settings, and how to mend it."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from wxpay_dsl.cli.input.options import json_option, profile_option

if TYPE_CHECKING:
    from wxpay_dsl.diagnosis.check import Check

__all__ = ["doctor", "examined"]

_HELP = """Check credentials, clock, network and platform keys, and say how to mend what is wrong. 体检

Key, certificate and serial must belong together; the service must be reached and take a signature (GET /v3/certificates
is called, which changes nothing); its answers must verify; the APIv3 key must decrypt what it is for.

\b
Examples:
  wxpay doctor --profile wxpay.toml
  wxpay doctor --json | jq '.steps[] | select(.good == false)'

Exit code 0 if nothing is wrong, 1 if something is.
"""


@click.command(help=_HELP)
@profile_option
@json_option
def doctor(profile: Path | None, as_json: bool) -> int:  # noqa: FBT001 (a flag of the command line)
    return 0 if examined(profile, as_json=as_json) else 1


def examined(profile: Path | None, *, as_json: bool = False, told: Mapping[str, Any] = {}) -> bool:
    """Examines and shows each step as it is taken; whether nothing is wrong. ``told`` goes into the JSON too."""
    # What it would log, the steps say.
    logging.getLogger("wxpay_dsl").setLevel(logging.ERROR)
    steps = asyncio.run(_examine(profile, quiet=as_json))
    if as_json:
        from wxpay_dsl.cli.output.checks import show

        return show(steps, as_json=True, told=told)
    return all(step.good is not False for step in steps)


async def _examine(profile: Path | None, *, quiet: bool) -> list[Check]:
    from wxpay_dsl.cli.output.checks import tell
    from wxpay_dsl.diagnosis.doctor import examine
    from wxpay_dsl.settings.spec_folders import PROFILE

    named = profile or os.environ.get(PROFILE) or None
    steps = []
    async for step in examine(os.environ, named):
        steps.append(step)
        if not quiet:
            tell(step, _WIDTH)
    return steps


#: Columns of the longest title, ``platform key``.
_WIDTH = 12
