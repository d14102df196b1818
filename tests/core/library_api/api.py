"""The client of the library: core with two dialects, one of JSON and one of lines of text."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import evolve

from wxpay_dsl.core.chain.tree import Tree
from wxpay_dsl.core.client import Client
from wxpay_dsl.core.dialect import Dialect, Encrypt
from wxpay_dsl.core.errors import SdkError, ServiceError
from wxpay_dsl.core.http.transport import Transport, user_agent
from wxpay_dsl.core.messages import RawResponse
from wxpay_dsl.core.specs.model import Operation

SPECS = str(Path(__file__).parent / "specs")
CHAINS = {"json": (), "lines": ("desk",)}


def encode_lines(operation: Operation | None, data: Mapping[str, Any]) -> bytes:
    """``name=value`` lines."""
    return "".join(f"{name}={value}\n" for name, value in {**data, "stamp": "2026"}.items()).encode()


def decode_lines(operation: Operation | None, response: RawResponse) -> dict[str, str]:
    """``name=value`` lines."""
    return dict(line.split("=", 1) for line in response.body.decode().splitlines())


def refuse_lines(operation: Operation | None, response: RawResponse) -> SdkError:
    """``ERR reason``"""
    return ServiceError(response.name, response.status, "ERR", response.body.decode().removeprefix("ERR "))


DIALECTS = {
    "json": Dialect("json"),
    "lines": Dialect(
        "lines",
        chain=CHAINS["lines"],
        content_type="text/plain",
        accept="text/plain",
        encode=encode_lines,
        decode=decode_lines,
        parse_error=refuse_lines,
        auto_fields=frozenset({"stamp"}),
    ),
}


def tree(*folders: str) -> Tree:
    """The operations of the library, and of additional folders."""
    return Tree([SPECS, *folders], CHAINS, "json")


def client(
    base_url: str,
    *,
    transport: Transport | None = None,
    folders: tuple[str, ...] = (),
    encrypt: Encrypt | None = None,
    **options: Any,
) -> Client:
    """A client of the library at ``base_url``; ``encrypt`` encrypts what the specs mark as sensitive."""
    dialects = {**DIALECTS, "json": evolve(DIALECTS["json"], encrypt=encrypt)}
    return Client(tree(*folders), dialects, base_url, transport or Transport(user_agent("library", "1.0")), **options)
