"""``wxpay qr``: shows a payment link as a QR code on the terminal, or writes it as an image."""

from __future__ import annotations

from pathlib import Path

import click

from wxpay_dsl.cli.input.options import json_option

__all__ = ["qr"]

_HELP = """Show a payment link as a QR code. 二维码

\b
Examples:
  wxpay qr 'weixin://wxpay/bizpayurl?pr=NwY5Mz9'
  wxpay qr 'weixin://wxpay/bizpayurl?pr=NwY5Mz9' --out pay.png     # or pay.svg
"""


@click.command(help=_HELP)
@click.argument("code_url")
@click.option(
    "--out", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False), help="Write an .svg or .png file."
)
@json_option
def qr(code_url: str, out: Path | None, as_json: bool) -> None:  # noqa: FBT001 (a flag of the command line)
    from wxpay_dsl.cli.output.terminal import write_json
    from wxpay_dsl.core.files.atomic_write import write_atomically
    from wxpay_dsl.wechat.payment_params.qr import png, svg, terminal

    if out is None:
        if as_json:
            write_json({"code_url": code_url, "svg": svg(code_url)})
        else:
            click.echo(terminal(code_url), nl=False)
        return
    kind = out.suffix.lower()
    if kind not in (".svg", ".png"):
        raise click.UsageError(f"--out {out}: the name must end in .svg or .png")
    try:
        written = write_atomically(out, svg(code_url).encode() if kind == ".svg" else png(code_url), private=False)
    except OSError as error:
        raise click.UsageError(f"--out {out}: {error.strerror}") from None
    if as_json:
        write_json({"code_url": code_url, "out": str(out), "bytes": written})
