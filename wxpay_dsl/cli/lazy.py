"""A group of commands that are imported when they are named."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from importlib import import_module
from typing import Any

import click

from .input.options import add_common

__all__ = ["LazyGroup"]


class LazyGroup(click.Group):
    """Its commands are ``name: "module:function"``, modules of this package, with the options that all have."""

    def __init__(self, name: str, table: Mapping[str, str], **settings: Any) -> None:
        super().__init__(name, **settings)
        self._table = table

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order of the table."""
        return list(self._table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this name, imported now; None where there is none."""
        place = self._table.get(cmd_name)
        if place is None:
            return None
        command = self.commands.get(cmd_name)
        if command is None:
            module, _, function = place.partition(":")
            made: click.Command = getattr(import_module(f"{__package__}.{module}"), function)
            add_common(made)
            made.short_help = _short(made.help or "")
            self.add_command(made, cmd_name)
            return made
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, with the nearest name for one that is not known."""
        name = args[0]
        if name not in self._table and not name.startswith("-"):
            near = get_close_matches(name, self._table, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"the commands are {', '.join(self._table)}"
            raise click.UsageError(f"{name!r} is no command of `{ctx.command_path}`; {hint}", ctx)
        return super().resolve_command(ctx, args)


def _short(text: str) -> str:
    """A command in a list: the first line of its help, ``English. 中文``, Chinese first."""
    english, _, chinese = text.partition("\n")[0].rpartition(". ")
    return f"{chinese} {english}" if english and not chinese.isascii() else text.partition("\n")[0]
