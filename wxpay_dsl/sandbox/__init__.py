"""A WeChat Pay of one's own: a server on loopback, driven by the specs, that other SDKs take for the real one.

In tests::

    async with Sandbox() as sandbox, Wechatpay(**sandbox.credentials) as wxpay:
        ...

From a shell, ``wxpay sandbox --port N --home DIR``, which runs :func:`serve`::

    await serve(
        port=0, home=None, specs=(), host="127.0.0.1", allow_remote=False, mode="both", strict=False, ready=print
    )

``ready`` is called once with the line ``ready http://127.0.0.1:N`` when it serves; SIGINT, SIGTERM or cancellation end
it. It raises ValueError for a host beyond loopback, OSError for a port that is taken, ConfigurationError for a home
that cannot be read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .run import serve
    from .server import Sandbox

__all__ = ["Sandbox", "serve"]


def __getattr__(name: str) -> Any:
    # aiohttp's server and cryptography are loaded when a sandbox is wanted, not when its name is imported.
    if name == "Sandbox":
        from .keys import identity

        identity.prepare()
        from .server import Sandbox

        return Sandbox
    if name == "serve":
        from .run import serve

        return serve
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
