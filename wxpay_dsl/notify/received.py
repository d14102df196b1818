"""What a caller hands over of a request, checked before anything is made of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["received"]


def received(headers: Any, body: Any, merchant: Any) -> tuple[Mapping[str, str], bytes, str]:
    """The headers, the raw body, and the merchant that the URL names, or nothing.

    Raises TypeError for what cannot be verified, and says what to give instead.
    """
    if type(body) is not bytes:
        if not isinstance(body, (bytes, bytearray, memoryview)):
            message = f"the body is {type(body).__name__}; the signature is over the raw bytes that came"
            raise TypeError(f"{message}: give these, before they are decoded or parsed ({_RAW_BODIES})")
        body = bytes(body)
    if not (isinstance(headers, Mapping) or (hasattr(headers, "items") and hasattr(headers, "get"))):
        message = f"the headers are {type(headers).__name__}; give a mapping of their names to their values"
        raise TypeError(f"{message}, such as your framework's `request.headers`")
    if merchant is None:
        merchant = ""
    if not isinstance(merchant, str):
        raise TypeError(f"the merchant is {type(merchant).__name__}; give the merchant id (商户号) as text, or nothing")
    return headers, body, merchant


#: Where frameworks keep it.
_RAW_BODIES = "`await request.body()` of Starlette and FastAPI, `request.body` of Django, `request.get_data()` of Flask"
