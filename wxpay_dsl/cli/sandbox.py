"""``wxpay sandbox``: a WeChat Pay of one's own on loopback, and the payer who pays there."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import click

from .options import json_option, profile_option

__all__ = ["sandbox"]

_HELP = """Run a WeChat Pay of one's own on loopback. 本地沙箱

It checks signatures and fields as the real service does, keeps what happens (orders, payments, refunds, contracts,
bills), signs every answer, and tells notify_url of events; operations without a life of their own answer from the
specs' examples. DIR gets what a merchant downloads (apiclient_key.pem, apiclient_cert.pem, pub_key.pem …) and
wxpay.toml, a profile that calls it. Prints one line, `ready http://127.0.0.1:N`, once it serves; Ctrl-C or SIGTERM ends
it. In a browser http://127.0.0.1:N/ is the explorer of all operations, and /sandbox where one pays and signs by hand.

\b
Examples:
  wxpay sandbox --port 18080 --home sandbox
  wxpay call v3.pay.transactions.native.post -d @order.json --profile sandbox/wxpay.toml
  wxpay sandbox pay 'weixin://wxpay/bizpayurl?pr=…' --profile sandbox/wxpay.toml
  wxpay sandbox --fault bad-signature=0.01 --fault delay=0.1
"""

_PAY = """Be the payer in a sandbox: pay an order, sign a contract, confirm or take what waits. 付款

THING is what the merchant shows the payer: a code_url, prepay_id or h5_url, a contract's token, a package; or the
merchant's own number for it. Prints its record.

\b
Examples:
  wxpay sandbox pay 'weixin://wxpay/bizpayurl?pr=NwY5Mz9' --profile sandbox/wxpay.toml
  wxpay sandbox pay wx26112209581589f2 --url http://127.0.0.1:18080
  wxpay sandbox pay order-1 --decline
"""


def _shares(context: click.Context, option: click.Parameter, given: tuple[str, ...]) -> dict[str, float]:
    """``KIND=SHARE`` of each."""
    shares = {}
    for text in given:
        kind, _, share = text.partition("=")
        try:
            shares[kind] = float(share) if share else 1.0
            if not 0 <= shares[kind] <= 1:
                raise ValueError(share)
        except ValueError:
            raise click.BadParameter(f"{text!r:.60}: the share of calls is 0 to 1", context, option) from None
    return shares


@click.group(help=_HELP, invoke_without_command=True)
@click.option("--port", type=click.IntRange(0, 65535), default=0, metavar="N", help="The port; by default any.")
@click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Where its keys, profile and state are kept; a home that is there is used again.",
)
@click.option("--host", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="The address, loopback only …")
@click.option("--allow-remote", is_flag=True, help="… unless you say so: whoever reaches it can call it.")
@click.option(
    "--mode",
    type=click.Choice(["public-key", "certificate", "both"]),
    default="both",
    show_default=True,
    help="How the platform signs: 微信支付公钥, 平台证书, or both.",
)
@click.option(
    "--strict", is_flag=True, help="Refuse whatever differs from a spec: unknown fields, lengths, enumerations …"
)
@click.option("--stateless", is_flag=True, help="Answer everything from the specs' examples, whatever happened before.")
@click.option("--tls", is_flag=True, help="Serve https, and demand the client certificate where the service does.")
@click.option(
    "--fault",
    "faults",
    metavar="KIND=SHARE",
    callback=_shares,
    multiple=True,
    help="Let a share of the calls go wrong, 0 to 1: bad-signature, rate-limit, system-error, reset, delay …",
)
@json_option
@click.pass_context
def sandbox(
    context: click.Context,
    port: int,
    home: Path | None,
    host: str,
    allow_remote: bool,  # noqa: FBT001 (flags of the command line)
    mode: Any,
    strict: bool,  # noqa: FBT001
    stateless: bool,  # noqa: FBT001
    tls: bool,  # noqa: FBT001
    faults: dict[str, float],
    as_json: bool,  # noqa: FBT001
) -> None:
    if context.invoked_subcommand is not None:
        return
    from wxpay_dsl.sandbox import serve

    from .terminal import say_ready

    def ready(line: str) -> None:
        profile = {"profile": str(home / "wxpay.toml")} if home is not None else {}
        say_ready(line.removeprefix("ready "), as_json=as_json, **profile)

    specs = [folder for folder in os.environ.get("WXPAY_SPECS", "").split(os.pathsep) if folder]
    try:
        asyncio.run(
            serve(
                port,
                home,
                specs,
                host=host,
                allow_remote=allow_remote,
                mode=mode,
                strict=strict,
                stateful=not stateless,
                tls=tls,
                faults=faults,
                ready=ready,
            )
        )
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    except OSError as error:
        raise click.UsageError(f"the sandbox cannot serve: {error}") from None


@sandbox.command(help=_PAY)
@click.argument("thing", metavar="CODE_URL|PREPAY_ID|THING")
@click.option("--openid", default="", metavar="ID", help="Who pays; by default the one the order names.")
@click.option("--decline", is_flag=True, help="Do not: the payer gives up.")
@click.option("--url", metavar="URL", help="Where the sandbox serves; else the profile's base_url, or WXPAY_BASE_URL.")
@profile_option
def pay(
    thing: str,
    openid: str,
    decline: bool,  # noqa: FBT001 (a flag of the command line)
    url: str | None,
    profile: Path | None,
) -> None:
    from wxpay_dsl.sandbox.remote import step
    from wxpay_dsl.settings import read_profile

    from .terminal import write_json

    file = profile or os.environ.get("WXPAY_PROFILE")
    told = read_profile(file) if file else {}
    base_url = url or os.environ.get("WXPAY_BASE_URL") or told.get("base_url")
    if not base_url:
        raise click.UsageError("which sandbox? Give --url, or --profile DIR/wxpay.toml of its home")
    fields = {"order": thing, **({"openid": openid} if openid else {})}
    record = step(str(base_url), "decline" if decline else "pay", fields, told.get("ca"))
    write_json(record)
