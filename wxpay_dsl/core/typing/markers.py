"""The types that generated stubs are written in: a node of the chain, and the options that any call takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypedDict

from wxpay_dsl.core.chain.node import Node
from wxpay_dsl.core.request.files import FileSource
from wxpay_dsl.core.response import Response

__all__ = ["CallOptions", "FileSource", "Node", "Response", "TypedNode"]


class TypedNode:
    """What each generated node is to a type checker: a :class:`Node` that knows its children and refuses others.

    ``node["segment"]`` leaves the types behind: whatever follows is a plain :class:`Node`.
    """

    def __getitem__(self, segment: str, /) -> Node:
        raise NotImplementedError("only type checkers see this class")


class CallOptions(TypedDict, total=False):
    """What any call takes beside its fields."""

    #: Sent with this call alone.
    headers: Mapping[str, str]
    #: Added to the query as it is, unvalidated.
    query: Mapping[str, Any]
    #: Seconds for the whole call.
    timeout: float
    #: ``"strict"`` makes warnings errors, False switches validation off.
    validate: bool | Literal["strict"]
