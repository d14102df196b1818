"""An exchange on the terminal: request line, canonical message, Authorization, answer."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text
from yarl import URL

from wxpay_dsl.core.transport import Exchange
from wxpay_dsl.wechat import authorization

__all__ = ["show"]

#: Characters of a signature that are enough to see that there is one.
_SHOWN = 16


def show(console: Console, exchange: Exchange) -> None:
    """Prints what was signed, what was sent and what came; signatures are shortened."""
    target = URL(exchange.url, encoded=True).raw_path_qs
    _heading(console, "Request", "请求")
    _line(console, f"{exchange.method} {target}")
    header = exchange.request_headers.get("Authorization", "")
    if header:
        signed = authorization.parse(header)
        _heading(console, "Canonical message", "待签名串, each line ends in \\n")
        for line in exchange.signed_message.decode("utf-8", "replace").split("\n")[:-1]:
            _line(console, line or "(empty 空)", style="cyan" if line else "dim")
        _heading(console, "Authorization", "签名")
        _line(console, header.replace(signed.signature, signed.signature[:_SHOWN] + "…"))
    answer = exchange.answer
    _heading(console, "Answer", "应答")
    _line(console, f"{answer.status} {answer.headers.get('Content-Type', '')}".rstrip())
    for name in ("Request-ID", "Wechatpay-Serial", "Wechatpay-Timestamp", "Wechatpay-Nonce", "Wechatpay-Signature"):
        value = answer.headers.get(name)
        if value:
            _line(console, f"{name}: {value[:_SHOWN] + '…' if name.endswith('Signature') else value}")


def _heading(console: Console, title: str, chinese: str) -> None:
    console.print(Text.assemble((title, "bold"), " ", (chinese, "dim")))


def _line(console: Console, line: str, style: str = "") -> None:
    # Folded where a person looks, whole where a program or a copy is made.
    console.print(Text("  " + line, style=style, overflow="fold"), soft_wrap=not console.is_terminal)
