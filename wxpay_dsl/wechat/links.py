"""Links of APIv2 that a browser is sent to: signed in their query, so that they can be handed out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from wxpay_dsl.core.chain import Node, aim
from wxpay_dsl.core.errors import Fault, ValidationError

from . import signing_v2

if TYPE_CHECKING:
    from wxpay_dsl.core.client import Client

__all__ = ["signed_url"]


async def signed_url(client: Client, source: Any, data: Any, fields: Mapping[str, Any]) -> str:
    """The URL of a GET of APIv2 with its fields, its signature among them. Nothing is sent.

    ``source`` is a node of the chain, ``wxpay.v2.papay.entrustweb.get``. Raises ValidationError for anything else, and
    for a value whose signature would be that of other fields too.
    """
    if not isinstance(source, Node):
        message = f"expected an endpoint such as wxpay.v2.papay.entrustweb.get, got {type(source).__name__}"
        raise ValidationError("signed_url", (Fault("", message),))
    request = await client.prepare(aim(source), data, fields)
    if request.family != "v2" or request.method != "GET":
        message = "only a GET of APIv2 is signed in its URL; the signature of this one is in its headers or its body"
        raise ValidationError(request.name, (Fault("", message),))
    faults = [
        Fault(f"query.{name}", "it has &…= in it, so that its signature would be that of other fields too: a forger's")
        for name, value in parse_qsl(urlsplit(request.url).query)
        # An address is the merchant's own, and what others put into its query is percent-encoded.
        if signing_v2.ambiguous(value) and not name.endswith("_url")
    ]
    if faults:
        raise ValidationError(request.name, tuple(faults))
    return request.url
