"""``wxpay sandbox``: runs an emulator of WeChat Pay on loopback; ``wxpay sandbox pay`` acts as the payer."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import click

from wxpay_dsl.cli.input.options import json_option, profile_option

__all__ = ["sandbox"]

_HELP = """Run an emulator of WeChat Pay on loopback. 本地沙箱

It checks signatures and fields as the real service does, keeps state (orders, payments, refunds, contracts, bills),
signs every response, and sends notifications to notify_url; stateless operations respond with the specs' examples. It
writes the files of a merchant (apiclient_key.pem, apiclient_cert.pem, pub_key.pem …) and a profile, wxpay.toml, to DIR.
It prints one line, `ready http://127.0.0.1:N`, once it accepts connections; Ctrl-C or SIGTERM ends it. In a browser,
http://127.0.0.1:N/ is the explorer of all operations, and /sandbox the page to pay and sign by hand.

\b
Examples:
  wxpay sandbox --port 18080 --home sandbox
  wxpay call v3.pay.transactions.native.post -d @order.json --profile sandbox/wxpay.toml
  wxpay sandbox pay 'weixin://wxpay/bizpayurl?pr=…' --profile sandbox/wxpay.toml
  wxpay sandbox --fault bad-signature=0.01 --fault delay=0.1
"""

_PAY = """Act as the payer in a sandbox: pay an order, sign a contract, confirm a transfer. 付款

THING is what the merchant shows the payer (a code_url, prepay_id or h5_url, a contract's token, a package), or the
merchant's own number. Prints its record.

\b
Examples:
  wxpay sandbox pay 'weixin://wxpay/bizpayurl?pr=NwY5Mz9' --profile sandbox/wxpay.toml
  wxpay sandbox pay wx26112209581589f2 --url http://127.0.0.1:18080
  wxpay sandbox pay order-1 --decline
"""


def _fault_shares(context: click.Context, option: click.Parameter, values: tuple[str, ...]) -> dict[str, float]:
    """Parses ``KIND=SHARE`` texts to shares of calls, 0 to 1; 1 if no share is given."""
    shares = {}
    for text in values:
        kind, _, share = text.partition("=")
        try:
            shares[kind] = float(share) if share else 1.0
            if not 0 <= shares[kind] <= 1:
                raise ValueError(share)
        except ValueError:
            raise click.BadParameter(f"{text!r:.60}: the share of calls must be 0 to 1", context, option) from None
    return shares


@click.group(help=_HELP, invoke_without_command=True)
@click.option("--port", type=click.IntRange(0, 65535), default=0, metavar="N", help="The port; by default a free one.")
@click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Folder of its keys, profile and state; an existing one is used again.",
)
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    metavar="ADDRESS",
    help="The address to listen on; loopback unless --allow-remote.",
)
@click.option(
    "--allow-remote",
    is_flag=True,
    help="Allow an address that is not loopback: every host that reaches it can call it.",
)
@click.option(
    "--mode",
    type=click.Choice(["public-key", "certificate", "both"]),
    default="both",
    show_default=True,
    help="Keys that the platform signs with: 微信支付公钥, 平台证书, or both.",
)
@click.option(
    "--strict", is_flag=True, help="Refuse whatever differs from a spec: unknown fields, lengths, enumerations …"
)
@click.option("--stateless", is_flag=True, help="Keep no state: respond with the specs' examples only.")
@click.option("--tls", is_flag=True, help="Serve https, and require the client certificate where the service does.")
@click.option(
    "--fault",
    "faults",
    metavar="KIND=SHARE",
    callback=_fault_shares,
    multiple=True,
    help="Inject a fault into a share of the calls, 0 to 1: bad-signature, rate-limit, response-lost, delay …",
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
    from wxpay_dsl.cli.output.terminal import print_ready
    from wxpay_dsl.sandbox import serve

    def ready(line: str) -> None:
        profile = {"profile": str(home / "wxpay.toml")} if home is not None else {}
        print_ready(line.removeprefix("ready "), as_json=as_json, **profile)

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
@click.option("--openid", default="", metavar="ID", help="The payer; by default the one that the order names.")
@click.option("--decline", is_flag=True, help="Decline instead: the payer gives up.")
@click.option(
    "--url", metavar="URL", help="The URL of the sandbox; by default WXPAY_BASE_URL, or base_url of the profile."
)
@profile_option
def pay(
    thing: str,
    openid: str,
    decline: bool,  # noqa: FBT001 (a flag of the command line)
    url: str | None,
    profile: Path | None,
) -> None:
    from wxpay_dsl.cli.output.terminal import write_json
    from wxpay_dsl.sandbox.control.remote import step
    from wxpay_dsl.settings.settings import read_profile

    file = profile or os.environ.get("WXPAY_PROFILE")
    settings = read_profile(file) if file else {}
    base_url = url or os.environ.get("WXPAY_BASE_URL") or settings.get("base_url")
    if not base_url:
        raise click.UsageError("which sandbox? Give --url, or --profile DIR/wxpay.toml of its home")
    fields = {"order": thing, **({"openid": openid} if openid else {})}
    record = step(str(base_url), "decline" if decline else "pay", fields, settings.get("ca"))
    write_json(record)
