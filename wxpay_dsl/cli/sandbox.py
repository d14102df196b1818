"""``wxpay sandbox``: a WeChat Pay of one's own on loopback."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import click

__all__ = ["sandbox"]

_HELP = """Run a WeChat Pay of one's own on loopback. 本地沙箱

It checks signatures and fields as the real service does, answers from the specs' examples, and signs every answer. DIR
gets what a merchant downloads (apiclient_key.pem, apiclient_cert.pem, pub_key.pem …) and wxpay.toml, a profile that
calls it. Prints one line, `ready http://127.0.0.1:N`, once it serves; Ctrl-C or SIGTERM ends it.

\b
Examples:
  wxpay sandbox --home sandbox
  wxpay sandbox --port 18080 --home sandbox
  wxpay call v3.eduPapay.contracts.presign.post -d @presign.json --profile sandbox/wxpay.toml
"""


@click.command(help=_HELP)
@click.option("--port", type=click.IntRange(0, 65535), default=0, metavar="N", help="The port; by default any.")
@click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Where its keys and profile are kept; a home that is there is used again.",
)
@click.option("--host", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="The address, loopback only …")
@click.option("--allow-remote", is_flag=True, help="… unless you say so: whoever reaches it can do anything in it.")
@click.option("--strict", is_flag=True, help="Refuse fields that no spec knows.")
@click.option("--tls", is_flag=True, help="Serve https, and demand the client certificate where the service does.")
def sandbox(
    port: int,
    home: Path | None,
    host: str,
    allow_remote: bool,  # noqa: FBT001 (flags of the command line)
    strict: bool,  # noqa: FBT001
    tls: bool,  # noqa: FBT001
) -> None:
    from wxpay_dsl.sandbox import serve

    specs = [folder for folder in os.environ.get("WXPAY_SPECS", "").split(os.pathsep) if folder]
    try:
        asyncio.run(serve(port, home, specs, host=host, allow_remote=allow_remote, strict=strict, tls=tls, ready=_say))
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    except OSError as error:
        raise click.UsageError(f"the sandbox cannot serve: {error}") from None


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
