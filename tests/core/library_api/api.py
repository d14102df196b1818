"""The library's client: the framework with two families, one of JSON and one of lines of text."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import evolve

from wxpay_dsl.core.client import Client
from wxpay_dsl.core.errors import SdkError, ServiceError
from wxpay_dsl.core.exchange import Response
from wxpay_dsl.core.family import Family, Outgoing
from wxpay_dsl.core.model import Operation
from wxpay_dsl.core.transport import Transport, user_agent
from wxpay_dsl.core.tree import Tree

SPECS = str(Path(__file__).parent / "specs")
CHAINS = {"json": (), "lines": ("desk",)}


def encode_lines(operation: Operation | None, data: Mapping[str, Any]) -> bytes:
    """``name=value`` lines."""
    return "".join(f"{name}={value}\n" for name, value in {**data, "stamp": "2026"}.items()).encode()


def decode_lines(operation: Operation | None, response: Response) -> dict[str, str]:
    """``name=value`` lines."""
    return dict(line.split("=", 1) for line in response.body.decode().splitlines())


def refuse_lines(operation: Operation | None, response: Response) -> SdkError:
    """``ERR reason``"""
    return ServiceError(response.name, response.status, "ERR", response.body.decode().removeprefix("ERR "))


FAMILIES = {
    "json": Family("json"),
    "lines": Family(
        "lines",
        chain=CHAINS["lines"],
        content_type="text/plain",
        accept="text/plain",
        encode=encode_lines,
        decode=decode_lines,
        refusal=refuse_lines,
        supplied=frozenset({"stamp"}),
    ),
}


def tree(*folders: str) -> Tree:
    """The library's operations, and those of more folders."""
    return Tree([SPECS, *folders], CHAINS, "json")


def client(
    base_url: str,
    *,
    transport: Transport | None = None,
    folders: tuple[str, ...] = (),
    outgoing: Outgoing | None = None,
    **options: Any,
) -> Client:
    """A client of the library at ``base_url``; ``outgoing`` encrypts what the specs mark as sensitive."""
    families = {**FAMILIES, "json": evolve(FAMILIES["json"], outgoing=outgoing)}
    return Client(tree(*folders), families, base_url, transport or Transport(user_agent("library", "1.0")), **options)
