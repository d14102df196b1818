"""``wxpay stubs``: static types for one's own specs."""

from __future__ import annotations

from pathlib import Path

import click

from .options import json_option

__all__ = ["stubs"]

_HELP = """Write static types for your own specs. 生成类型存根

OUT becomes a package whose `Wechatpay` an editor and a type checker know whole: the packaged API and the
endpoints of your specs, fields and replies included.

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
    help="A folder of YAML specs; again for more, a later one overrides.",
)
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="The package to write.")
@json_option
def stubs(folders: tuple[str, ...], out: Path, as_json: bool) -> None:  # noqa: FBT001 (a flag of the command line)
    """Writes the overlay package."""
    from wxpay_dsl.stub_files import OVERLAY_FILES, write_overlay

    if not out.name.isidentifier():
        raise click.UsageError(f"--out {str(out)!r}: the last part is a Python package's name, letters, digits and _")
    others = {each.name for each in out.iterdir()} - {*OVERLAY_FILES, "__pycache__"} if out.is_dir() else set()
    # Without its types, a lone __init__.py is somebody's own package.
    if others or ((out / "__init__.py").exists() and not (out / "chain.pyi").exists()):
        raise click.UsageError(f"--out {str(out)!r} holds other files than these types; name a new folder")
    if out.is_symlink():
        raise click.UsageError(f"--out {str(out)!r} is a link: name the folder that it leads to")
    write_overlay(folders, out)
    statement = f"from {out.name} import Wechatpay"
    if as_json:
        from .terminal import write_json

        write_json({"out": str(out), "import": statement})
    else:
        click.echo(f"{out}: {statement}", err=True)
