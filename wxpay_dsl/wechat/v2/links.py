"""Links of APIv2 that a browser is sent to: signed in their query, so that they can be handed out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, urlsplit

from wxpay_dsl.core.chain.node import Node, node_target
from wxpay_dsl.core.errors import FieldError, ValidationError

from . import signing as signing_v2

if TYPE_CHECKING:
    from wxpay_dsl.core.chain.tree import Tree
    from wxpay_dsl.core.client import Client

__all__ = ["signed_url"]


async def signed_url(client: Client, source: Any, data: Any, fields: Mapping[str, Any]) -> str:
    """The URL of a GET of APIv2 with its fields, its signature among them. Nothing is sent.

    ``source`` is a node of the chain, ``wxpay.v2.papay.entrustweb.get``. Raises ValidationError for anything else, and
    for a value whose signature would be that of other fields too.
    """
    if not isinstance(source, Node):
        message = f"expected an endpoint such as wxpay.v2.papay.entrustweb.get, got {type(source).__name__}"
        raise ValidationError("signed_url", (FieldError("", message),))
    request = await client.prepare(node_target(source), data, fields)
    if request.dialect != "v2" or request.method != "GET":
        message = "only a GET of APIv2 is signed in its URL; the signature of this one is in its headers or its body"
        raise ValidationError(request.name, (FieldError("", message),))
    pairs = parse_qsl(urlsplit(request.url).query)
    names = {name for name, _ in pairs}
    field_errors = [
        FieldError(f"query.{name}", message)
        for name, value in pairs
        if signing_v2.ambiguous(value) and (message := _fault(client.tree, name, value, names))
    ]
    if field_errors:
        raise ValidationError(request.name, tuple(field_errors))
    return request.url


def _fault(tree: Tree, name: str, value: str, names: set[str]) -> str:
    """What is wrong with a value that could be read as several fields; nothing where that is harmless.

    An address of the merchant's own may have a query, as long as its names make no other message of APIv2.
    """
    if not name.endswith("_url"):
        return "it has &…= in it, so that its signature would be that of other fields too: a forger's"
    hidden = set(signing_v2.hidden_names(value))
    made = _message(tree, names | hidden, hidden)
    if not made:
        return ""
    return (
        f"its query has {', '.join(sorted(hidden))[:80]}, so that its signature would also be that of {made}: "
        f"percent-encode what users wrote, and take other names"
    )


def _message(tree: Tree, names: set[str], hidden: set[str]) -> str:
    """The request of APIv2 that fields of these names could be, with the hidden ones; nothing where there is none."""
    for operation in tree.operations():
        schema = (operation.query if operation.verb == "get" else operation.body) if operation.dialect == "v2" else None
        if schema is not None and hidden & schema.properties.keys() and names >= schema.required - _EVERYWHERE:
            return operation.name
    return ""


#: What any request has, and the service may do without.
_EVERYWHERE: Final = frozenset({"sign", "sign_type", "nonce_str"})
