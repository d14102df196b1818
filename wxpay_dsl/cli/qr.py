"""``wxpay qr``: a payment link as a QR code, in the terminal or as a file."""

from __future__ import annotations

from pathlib import Path

import click

__all__ = ["qr"]

_HELP = """Show a payment link as a QR code. 二维码

\b
Examples:
  wxpay qr 'weixin://wxpay/bizpayurl?pr=NwY5Mz9'
  wxpay qr 'weixin://wxpay/bizpayurl?pr=NwY5Mz9' --out pay.png     # or pay.svg
"""


@click.command(help=_HELP)
@click.argument("code_url")
@click.option("--out", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False), help="An .svg or .png file.")
def qr(code_url: str, out: Path | None) -> None:
    from wxpay_dsl.wechat.qr import png, svg, terminal

    if out is None:
        click.echo(terminal(code_url), nl=False)
        return
    kind = out.suffix.lower()
    if kind not in (".svg", ".png"):
        raise click.UsageError(f"--out {out}: an .svg or a .png is written")
    try:
        out.write_bytes(svg(code_url).encode() if kind == ".svg" else png(code_url))
    except OSError as error:
        raise click.UsageError(f"--out {out}: {error.strerror}") from None
