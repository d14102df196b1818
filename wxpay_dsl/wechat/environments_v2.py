"""The places where APIv2 is called: the real one, and WeChat Pay's own sandbox environments (仿真测试系统).

A sandbox environment serves the payment paths under a prefix of its own, and signs with a key that is exchanged for
the merchant's first (``getsignkey``).

https://pay.weixin.qq.com/wiki/doc/api/tools/sp_coupon.php?chapter=23_1&index=2
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final, Literal, get_args
from urllib.parse import urlsplit

from attrs import evolve, field, frozen

from wxpay_dsl.core.errors import ConfigurationError
from wxpay_dsl.core.secrets import Secret

from .cached import Cached

if TYPE_CHECKING:
    from wxpay_dsl.core.request import Request

__all__ = ["KEY_PATHS", "SANDBOXES", "Production", "SandboxName", "SandboxV2"]

SandboxName = Literal["sandboxnew", "apiv2sandbox"]
SANDBOXES: Final[tuple[str, ...]] = get_args(SandboxName)

#: What each environment's paths begin with, and where its key is exchanged.
_PREFIXES: Final = {"sandboxnew": "/sandboxnew", "apiv2sandbox": "/xdc/apiv2sandbox"}
KEY_PATHS: Final = {"sandboxnew": "/sandboxnew/pay/getsignkey", "apiv2sandbox": "/xdc/apiv2getsignkey/sign/getsignkey"}
#: What a sandbox environment serves; a refund is ``/pay/refund`` there, and needs no client certificate.
_SERVED: Final = ("/pay/", "/secapi/pay/")
#: Seconds that an exchanged key is used before it is exchanged anew.
_LIFETIME: Final = 3600.0


@frozen
class Production:
    """The real service, and the merchant's own APIv2 key (APIv2密钥)."""

    key: Secret | None = field(repr=False)

    def moved(self, request: Request) -> Request:
        """The request itself."""
        return request

    async def secret(self, path: str) -> Secret:
        """The merchant's key. Raises ConfigurationError where it has none."""
        if self.key is None:
            raise ConfigurationError(
                "APIv2 signs with a key of its own: give `secret` (APIv2密钥, 商户平台-账户中心-API安全) as an "
                "argument, in the profile, or as WXPAY_SECRET in the environment"
            )
        return self.key


class SandboxV2:
    """One of WeChat Pay's sandbox environments, reached through the same origin."""

    def __init__(
        self, name: SandboxName, base_url: str, key: Secret | None, exchange: Callable[[], Awaitable[Secret]]
    ) -> None:
        """``exchange`` gets the environment's key, by a call to its path among :data:`KEY_PATHS`."""
        self._prefix = _PREFIXES[name]
        self._key_path = KEY_PATHS[name]
        self._base_path = urlsplit(base_url).path
        self._production = Production(key)
        self._key = Cached(exchange, _LIFETIME)

    def moved(self, request: Request) -> Request:
        """The request under the environment's prefix.

        Raises ConfigurationError for what it does not serve, rather than let it do something real.
        """
        parts = urlsplit(request.url)
        path = parts.path.removeprefix(self._base_path)
        if path == self._key_path or path.startswith(self._prefix + "/"):
            return request
        start = next((start for start in _SERVED if path.startswith(start)), None)
        if start is None:
            raise ConfigurationError(
                f"{request.name}: the sandbox environment {self._prefix} serves /pay/… and /secapi/pay/… only; in a "
                f"client without `v2_sandbox` this call is real"
            )
        moved = f"{self._base_path}{self._prefix}/pay/{path.removeprefix(start)}"
        return evolve(request, url=parts._replace(path=moved).geturl())

    async def secret(self, path: str) -> Secret:
        """The environment's key; the merchant's own for the exchange itself."""
        if path.removeprefix(self._base_path) == self._key_path:
            return await self._production.secret(path)
        return await self._key.get()
