"""The types that generated stubs refer to: a node of the chain, and the options of any call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypedDict

from wxpay_dsl.core.chain.node import Node
from wxpay_dsl.core.request.files import FileSource
from wxpay_dsl.core.response import Response

__all__ = ["CallOptions", "FileSource", "Node", "Response", "TypedNode"]


class TypedNode:
    """The base of generated nodes: to a type checker, a :class:`Node` that has only its declared children.

    ``node["segment"]`` is an untyped :class:`Node`.
    """

    def __getitem__(self, segment: str, /) -> Node:
        raise NotImplementedError("this class exists for type checkers only")


class CallOptions(TypedDict, total=False):
    """The options of any call, as opposed to its fields."""

    #: Headers that are sent with this call only.
    headers: Mapping[str, str]
    #: Query parameters that are added without validation.
    query: Mapping[str, Any]
    #: Seconds for the whole call, retries included.
    timeout: float
    #: ``"strict"`` turns warnings into errors, False disables validation.
    validate: bool | Literal["strict"]
