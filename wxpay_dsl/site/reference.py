"""What the API reference is made of: the public names, by the part of the package that they are of."""

from __future__ import annotations

import inspect
from collections import defaultdict
from typing import Final

import wxpay_dsl
from wxpay_dsl.core.errors import SdkError

__all__ = ["reference"]

_FIRST: Final = ("Wechatpay", "Response")
#: Modules whose functions are public by themselves: what a program without a client signs, checks and decrypts with.
_PRIMITIVES: Final = ("keys", "signing_v3", "signing_v2", "ciphers", "xml", "payment_params")


def reference() -> dict[str, tuple[str, list[str]]]:
    """``{name of the page: (title, the names that it documents, as they are imported from where they are defined)}``.

    What :mod:`wxpay_dsl` exports is all there: a name that is added appears by itself.
    """
    parts: dict[str, list[str]] = defaultdict(list)
    for name in wxpay_dsl.__all__:
        thing = getattr(wxpay_dsl, name)
        if inspect.ismodule(thing):
            parts["files"].append(thing.__name__)
        elif inspect.isclass(thing):
            parts[_part(thing)].append(f"{thing.__module__}.{thing.__qualname__}")
    return {
        "client": ("客户端 Client", sorted(parts["client"], key=_after_the_client)),
        "notifications": ("回调通知 Notifications", parts["notifications"]),
        "files": ("文件与账单 Files and bills", parts["files"]),
        "errors": ("错误 Errors", parts["errors"]),
        "sandbox": ("沙箱 Sandbox", ["wxpay_dsl.sandbox.server.Sandbox", "wxpay_dsl.sandbox.control.control.Control"]),
        "primitives": ("签名与加密 Signatures and ciphers", [f"wxpay_dsl.wechat.{name}" for name in _PRIMITIVES]),
    }


def _after_the_client(name: str) -> int:
    """What a reader begins with, before all else."""
    short = name.rpartition(".")[2]
    return _FIRST.index(short) if short in _FIRST else len(_FIRST)


def _part(thing: type) -> str:
    if issubclass(thing, SdkError):
        return "errors"
    if "Notification" in thing.__name__ or thing.__name__ == "MerchantKeys":
        return "notifications"
    return (
        "files"
        if thing.__module__.startswith("wxpay_dsl.core.") and "load" in thing.__module__ + thing.__name__
        else "client"
    )
