"""The options that several commands have in common."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

__all__ = ["add_common", "asks_for_json", "json_option", "profile_option"]

_JSON: Final = "--json"
_JSON_HELP: Final = "One JSON document on stdout, of an error too."

profile_option = click.option(
    "--profile",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="TOML file of credentials and options; else WXPAY_PROFILE, WXPAY_MCHID … of the environment.",
)

json_option = click.option(_JSON, "as_json", is_flag=True, help=_JSON_HELP)


def add_common(command: click.Command) -> None:
    """Gives a command what every one has, ``--json`` and ``--debug``, and the commands of a group likewise.

    Whoever runs the program looks for them on the line, since an error may come before a line is understood.
    """
    if isinstance(command, click.Group):
        for below in command.commands.values():
            add_common(below)
    if isinstance(command, click.Group) and not command.invoke_without_command:
        return
    if not any(_JSON in option.opts for option in command.params):
        # What it prints is JSON anyway, or nothing; its errors become JSON.
        command.params.append(click.Option([_JSON], is_flag=True, expose_value=False, help=_JSON_HELP))
    debug = click.Option(["--debug"], is_flag=True, expose_value=False, help="Show the traceback of an error.")
    command.params.append(debug)


def asks_for_json(arguments: list[str]) -> bool:
    """Whether a command line, understood or not, wants JSON."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    return _JSON in arguments[:end]
