"""The contents of the API reference: the public names, by the part of the package that they belong to."""

from __future__ import annotations

import inspect
from collections import defaultdict
from typing import Final

import wxpay_dsl
from wxpay_dsl.core.errors import SdkError

__all__ = ["reference"]

_FIRST: Final = ("Wechatpay", "ClientOptions", "MerchantOptions", "Response")
#: Exported names of types that are not classes, which do not say where they are defined.
_ALIASES: Final = ("wxpay_dsl.core.observe.hooks.Hook",)
#: Modules with public functions for programs without a client: signatures, verification and ciphers.
_PRIMITIVES: Final = (
    *("crypto.keys", "v3.signing", "v2.signing", "crypto.ciphers", "v2.xml"),
    "payment_params.signing",
)


def reference() -> dict[str, tuple[str, list[str]]]:
    """``{name of the page: (title, fully qualified names that it documents)}``.

    Contains everything that :mod:`wxpay_dsl` exports.
    """
    parts: dict[str, list[str]] = defaultdict(list)
    for name in wxpay_dsl.__all__:
        exported = getattr(wxpay_dsl, name)
        if inspect.ismodule(exported):
            parts["files"].append(exported.__name__)
        elif inspect.isclass(exported):
            parts[_part(exported)].append(f"{exported.__module__}.{exported.__qualname__}")
    # The keywords of `Wechatpay(…)` and `as_merchant(…)`: their signatures name only these.
    parts["client"] += [f"wxpay_dsl.settings.options.{name}" for name in ("ClientOptions", "MerchantOptions")]
    return {
        "client": ("客户端 Client", sorted([*parts["client"], *_ALIASES], key=_position)),
        "notifications": ("回调通知 Notifications", parts["notifications"]),
        "files": ("文件与账单 Files and bills", parts["files"]),
        "errors": ("错误 Errors", parts["errors"]),
        "sandbox": ("沙箱 Sandbox", ["wxpay_dsl.sandbox.server.Sandbox", "wxpay_dsl.sandbox.control.control.Control"]),
        "primitives": ("签名与加密 Signatures and ciphers", [f"wxpay_dsl.wechat.{name}" for name in _PRIMITIVES]),
    }


def _position(name: str) -> int:
    """The sort key that puts the classes a reader needs first at the beginning."""
    short = name.rpartition(".")[2]
    return _FIRST.index(short) if short in _FIRST else len(_FIRST)


def _part(exported: type) -> str:
    if issubclass(exported, SdkError):
        return "errors"
    if "Notification" in exported.__name__ or exported.__name__ == "MerchantKeys":
        return "notifications"
    is_transfer = (
        exported.__module__.startswith("wxpay_dsl.core.") and "load" in exported.__module__ + exported.__name__
    )
    return "files" if is_transfer else "client"
