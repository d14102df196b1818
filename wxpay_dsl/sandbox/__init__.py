"""The sandbox: a local server that behaves as WeChat Pay does, driven by the specs, for tests with any SDK.

In tests::

    async with Sandbox() as sandbox, Wechatpay(**sandbox.credentials) as wxpay:
        ...

From a shell, ``wxpay sandbox --port N --home DIR``, which runs :func:`serve`::

    await serve(
        port=0, home=None, specs=(), host="127.0.0.1", allow_remote=False, mode="both", strict=False, ready=print
    )

``ready`` is called once with the line ``ready http://127.0.0.1:N`` when it serves; SIGINT, SIGTERM or cancellation
stop it. It raises ValueError for a host beyond loopback, OSError for a port that is taken, ConfigurationError for a
home that cannot be read.

Read :mod:`.server` first (the parts and the address), then :mod:`.app` (one call). The folders, each importing only
those before it: ``keys``, ``protocol``, ``domain``, ``views``, ``state``, ``notifications``, ``flows``, ``control``,
``handlers``, ``explorer``. :class:`Sandbox` and :func:`serve` are the public names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .run import serve
    from .server import Sandbox

__all__ = ["Sandbox", "serve"]


def __getattr__(name: str) -> Any:
    # Importing this package does not load aiohttp's server and cryptography; using one of the names does.
    if name == "Sandbox":
        from .keys import identity

        identity.start_key_generation()
        from .server import Sandbox

        return Sandbox
    if name == "serve":
        from .run import serve

        return serve
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
