"""Options that several commands share: ``--profile``, ``--json``, ``--debug``."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

__all__ = ["add_common", "json_option", "profile_option", "wants_json"]

_JSON: Final = "--json"
_JSON_HELP: Final = "Print one JSON document on stdout, for an error too."

profile_option = click.option(
    "--profile",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="TOML file of credentials and options; by default WXPAY_PROFILE, or WXPAY_MCHID … in the environment.",
)

json_option = click.option(_JSON, "as_json", is_flag=True, help=_JSON_HELP)


def add_common(command: click.Command) -> None:
    """Adds ``--json`` and ``--debug`` to a command, or to all commands of a group.

    The values are not passed to the command: ``program.run`` looks for them in the raw arguments, since an error may
    occur before they are parsed.
    """
    if isinstance(command, click.Group):
        for below in command.commands.values():
            add_common(below)
    if isinstance(command, click.Group) and not command.invoke_without_command:
        return
    if not any(_JSON in option.opts for option in command.params):
        # The command prints JSON anyway, or nothing; this makes its errors JSON too.
        command.params.append(click.Option([_JSON], is_flag=True, expose_value=False, help=_JSON_HELP))
    debug = click.Option(["--debug"], is_flag=True, expose_value=False, help="Show the traceback of an error.")
    command.params.append(debug)


def wants_json(arguments: list[str]) -> bool:
    """Whether the raw arguments, which may be invalid, contain ``--json``."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    return _JSON in arguments[:end]
