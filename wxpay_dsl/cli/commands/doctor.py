"""``wxpay doctor``: checks a merchant's settings, and says how to fix what is wrong."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from wxpay_dsl.cli.input.options import json_option, profile_option

if TYPE_CHECKING:
    from wxpay_dsl.diagnosis.check import Check

__all__ = ["doctor", "run_checks"]

_HELP = """Check credentials, clock, network and platform keys, and say how to fix what is wrong. 体检

Key, certificate and serial must belong together; the service must be reachable and accept a signature (it calls GET
/v3/certificates, which changes nothing); its responses must verify; the APIv3 key must decrypt the certificates.

\b
Examples:
  wxpay doctor --profile wxpay.toml
  wxpay doctor --json | jq '.checks[] | select(.good == false)'

Exit code 0 if no check fails, 1 if one does.
"""


#: Columns of the longest title, ``platform key``.
_TITLE_WIDTH: Final = 12


@click.command(help=_HELP)
@profile_option
@json_option
def doctor(profile: Path | None, as_json: bool) -> int:  # noqa: FBT001 (a flag of the command line)
    return 0 if run_checks(profile, as_json=as_json) else 1


def run_checks(profile: Path | None, *, as_json: bool = False, extra: Mapping[str, Any] = {}) -> bool:
    """Runs all checks, prints each when it is done, and returns whether none failed; JSON has ``extra`` as well."""
    # The checks report what would be logged.
    logging.getLogger("wxpay_dsl").setLevel(logging.ERROR)
    checks = asyncio.run(_examine(profile, quiet=as_json))
    if as_json:
        from wxpay_dsl.cli.output.checks import print_checks

        return print_checks(checks, as_json=True, extra=extra)
    return all(check.good is not False for check in checks)


async def _examine(profile: Path | None, *, quiet: bool) -> list[Check]:
    from wxpay_dsl.cli.output.checks import print_check
    from wxpay_dsl.diagnosis.doctor import examine
    from wxpay_dsl.settings.spec_folders import PROFILE

    named = profile or os.environ.get(PROFILE) or None
    checks = []
    async for check in examine(os.environ, named):
        checks.append(check)
        if not quiet:
            print_check(check, _TITLE_WIDTH)
    return checks
