"""``wxpay stubs``: writes static types for a user's own specs."""

from __future__ import annotations

from pathlib import Path

import click

from wxpay_dsl.cli.input.options import json_option

__all__ = ["stubs"]

_HELP = """Write static types for your own specs. 生成类型存根

OUT becomes a package whose `Wechatpay` is fully typed for editors and type checkers: the packaged API and the endpoints
of your specs, with fields and responses.

\b
Example:
  wxpay stubs --specs specs --out shop_pay
  # then, in the program:  from shop_pay import Wechatpay
"""


@click.command(help=_HELP)
@click.option(
    "--specs",
    "folders",
    multiple=True,
    required=True,
    type=click.Path(exists=True, file_okay=False),
    help="A folder of YAML specs; may be repeated, later ones override earlier ones.",
)
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="The package to write.")
@json_option
def stubs(folders: tuple[str, ...], out: Path, as_json: bool) -> None:  # noqa: FBT001 (a flag of the command line)
    """Writes the overlay package."""
    from wxpay_dsl.typing.files import OVERLAY_FILES, write_overlay

    if not out.name.isidentifier():
        raise click.UsageError(f"--out {str(out)!r}: the last part must be a valid name of a Python package")
    others = {each.name for each in out.iterdir()} - {*OVERLAY_FILES, "__pycache__"} if out.is_dir() else set()
    # An __init__.py without chain.pyi was not written by this command.
    if others or ((out / "__init__.py").exists() and not (out / "chain.pyi").exists()):
        raise click.UsageError(f"--out {str(out)!r} holds other files than generated types: give a new folder")
    if out.is_symlink():
        raise click.UsageError(f"--out {str(out)!r} is a link: give the folder that it points to")
    write_overlay(folders, out)
    statement = f"from {out.name} import Wechatpay"
    if as_json:
        from wxpay_dsl.cli.output.terminal import write_json

        write_json({"out": str(out), "import": statement})
    else:
        click.echo(f"{out}: {statement}", err=True)
