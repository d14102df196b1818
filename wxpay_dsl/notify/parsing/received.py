"""Checks the types of the headers, body and merchant id that an application passes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["check_arguments"]


def check_arguments(headers: Any, body: Any, merchant: Any) -> tuple[Mapping[str, str], bytes, str]:
    """The headers, the raw body, and the merchant id in the URL or ``""``. Raises TypeError for other types."""
    if type(body) is not bytes:
        if not isinstance(body, (bytes, bytearray, memoryview)):
            message = f"the body is {type(body).__name__}; the signature is over the raw bytes as received"
            raise TypeError(f"{message}: pass these, before they are decoded or parsed ({_RAW_BODIES})")
        body = bytes(body)
    if not (isinstance(headers, Mapping) or (hasattr(headers, "items") and hasattr(headers, "get"))):
        message = f"the headers are {type(headers).__name__}; pass a mapping of names to values"
        raise TypeError(f"{message}, such as your framework's `request.headers`")
    if merchant is None:
        merchant = ""
    if not isinstance(merchant, str):
        raise TypeError(f"the merchant is {type(merchant).__name__}; pass its id (商户号) as a string, or nothing")
    return headers, body, merchant


#: How frameworks provide the raw body.
_RAW_BODIES = "`await request.body()` of Starlette and FastAPI, `request.body` of Django, `request.get_data()` of Flask"
