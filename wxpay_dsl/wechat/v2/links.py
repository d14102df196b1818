"""Signed URLs of APIv2 that are opened in a browser; the signature is part of the query."""

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
    """The URL of an APIv2 GET operation with its fields and signature in the query. Nothing is sent.

    ``source`` is a node of the chain, such as ``wxpay.v2.papay.entrustweb.get``. Raises ValidationError for anything
    else, and for a value whose signature would also be valid for other fields.
    """
    if not isinstance(source, Node):
        message = f"expected an endpoint such as wxpay.v2.papay.entrustweb.get, got {type(source).__name__}"
        raise ValidationError("signed_url", (FieldError("", message),))
    request = await client.prepare(node_target(source), data, fields)
    if request.dialect != "v2" or request.method != "GET":
        message = "only a GET operation of APIv2 is signed in its URL; this one is signed in its headers or its body"
        raise ValidationError(request.name, (FieldError("", message),))
    pairs = parse_qsl(urlsplit(request.url).query)
    names = {name for name, _ in pairs}
    field_errors = [
        FieldError(f"query.{name}", message)
        for name, value in pairs
        if signing_v2.ambiguous(value) and (message := _ambiguity(client.tree, name, value, names))
    ]
    if field_errors:
        raise ValidationError(request.name, tuple(field_errors))
    return request.url


def _ambiguity(tree: Tree, name: str, value: str, names: set[str]) -> str:
    """The problem with a value that could be read as several fields; empty if it is harmless.

    The merchant's own URLs may have a query, unless its names make the fields a valid request of another operation.
    """
    if not name.endswith("_url"):
        return "it contains &…=, so its signature would also be valid for other, forged fields"
    hidden = set(signing_v2.hidden_names(value))
    other = _other_request(tree, names | hidden, hidden)
    if not other:
        return ""
    return (
        f"its query has {', '.join(sorted(hidden))[:80]}, so its signature would also be valid for {other}: "
        f"percent-encode user input, and use other names"
    )


def _other_request(tree: Tree, names: set[str], hidden: set[str]) -> str:
    """The operation of APIv2 whose request fields with these names would be, hidden ones included; empty if none."""
    for operation in tree.operations():
        schema = (operation.query if operation.verb == "get" else operation.body) if operation.dialect == "v2" else None
        if schema is not None and hidden & schema.properties.keys() and names >= schema.required - _COMMON_FIELDS:
            return operation.name
    return ""


#: Fields of every request, which the service may not require.
_COMMON_FIELDS: Final = frozenset({"sign", "sign_type", "nonce_str"})
