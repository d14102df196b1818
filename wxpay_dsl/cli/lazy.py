"""A click group that imports the module of a command when that command is named."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from importlib import import_module
from typing import Any

import click

from .input.options import add_common

__all__ = ["LazyGroup"]


class LazyGroup(click.Group):
    """A click group of lazily imported commands, each with the common options ``--json`` and ``--debug``.

    ``table`` maps the name of a command to ``"module:function"``, the module relative to this package.
    """

    def __init__(self, name: str, table: Mapping[str, str], **settings: Any) -> None:
        super().__init__(name, **settings)
        self._table = table

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of the commands, in the order of the table."""
        return list(self._table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this name, imported at its first use; None if the table has no such name."""
        place = self._table.get(cmd_name)
        if place is None:
            return None
        command = self.commands.get(cmd_name)
        if command is None:
            module, _, function = place.partition(":")
            loaded: click.Command = getattr(import_module(f"{__package__}.{module}"), function)
            add_common(loaded)
            loaded.short_help = _short_help(loaded.help or "")
            self.add_command(loaded, cmd_name)
            return loaded
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Resolves the command as click does. Raises UsageError with the nearest name for an unknown command."""
        name = args[0]
        if name not in self._table and not name.startswith("-"):
            near = get_close_matches(name, self._table, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"the commands are {', '.join(self._table)}"
            raise click.UsageError(f"{name!r} is not a command of `{ctx.command_path}`; {hint}", ctx)
        return super().resolve_command(ctx, args)


def _short_help(text: str) -> str:
    """The first line of a command's help, ``English. 中文``, with the Chinese title first."""
    english, _, chinese = text.partition("\n")[0].rpartition(". ")
    return f"{chinese} {english}" if english and not chinese.isascii() else text.partition("\n")[0]
