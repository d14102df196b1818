"""``wxpay demo``: one signed and verified call to a sandbox in this process, without credentials."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import click

from wxpay_dsl.cli.input.options import json_option

if TYPE_CHECKING:
    from wxpay_dsl.core.response import Response

__all__ = ["demo"]

_HELP = """A signed and verified call, without credentials. 无需商户号的一次完整调用

Starts a sandbox on loopback with a temporary merchant, calls 预签约 (presign) and shows the request line, the signed
message, the Authorization header and the verified response.

\b
Example:
  wxpay demo
"""

_NEXT = """\
With your own credentials 使用自己的商户号:
  1. From the merchant platform (商户平台 pay.weixin.qq.com > 账户中心 > API安全): apiclient_key.pem, the serial of
     apiclient_cert.pem, WeChat Pay's public key (微信支付公钥) with its PUB_KEY_ID_…, and the APIv3 key (APIv3密钥).
  2. Write wxpay.toml:
       mchid = "1900000109"
       serial = "…"                        # openssl x509 -in apiclient_cert.pem -noout -serial
       private_key = "apiclient_key.pem"
       apiv3_key = "…"
       [platform_keys]
       PUB_KEY_ID_… = "pub_key.pem"
  3. wxpay doctor --profile wxpay.toml      (检查密钥、时钟、网络)
     wxpay call v3.eduPapay.contracts.presign.post -d @presign.json --profile wxpay.toml

wxpay spec list 支付 finds endpoints, wxpay spec show CHAIN shows one, wxpay sandbox runs a sandbox."""


@click.command(help=_HELP)
@json_option
def demo(as_json: bool) -> None:  # noqa: FBT001 (a flag of the command line)
    from wxpay_dsl.cli.output.exchange_view import as_data
    from wxpay_dsl.cli.output.terminal import write_json

    response = asyncio.run(_presign())
    if as_json:
        write_json({**as_data(response.exchange), "data": response.data, "verified": True})
    else:
        _show(response)


async def _presign() -> Response[Any]:
    from wxpay_dsl import Wechatpay
    from wxpay_dsl.sandbox import Sandbox

    async with Sandbox() as sandbox, Wechatpay(**sandbox.credentials) as wxpay:
        return await wxpay.v3.eduPapay.contracts.presign.post(
            appid="wx8888888888888888",
            openid="oUpF8uMuAJO_M2pxb1Q9zNjWeS6o",
            plan_id="12535",
            user_id="20190011",
            period_start_date="2026-03-19",
            trade_scene="EDUCATION_PERIOD",
        )


def _show(response: Response[Any]) -> None:
    from rich.text import Text

    from wxpay_dsl.cli.output.exchange_view import show
    from wxpay_dsl.cli.output.terminal import json_bytes, print_wrapped, stdout

    console = stdout()
    console.print(Text("await wxpay.v3.eduPapay.contracts.presign.post(appid=…, openid=…, …)", style="bold"))
    show(console, response.exchange)
    console.print(Text("  " + json_bytes(response.data).decode(), overflow="fold"))
    console.print(
        Text.assemble(("verified", "bold green"), " 验签通过: presign_token ", (response.data["presign_token"], "bold"))
    )
    console.print()
    for line in _NEXT.splitlines():
        print_wrapped(console, Text(line), len(line) - len(line.lstrip()) + 3)
