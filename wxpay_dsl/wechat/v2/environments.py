"""The environments of APIv2: production, and WeChat Pay's own sandbox environments (仿真测试系统).

A sandbox environment serves the payment paths under its own prefix, and signs with its own key, which the client
fetches first with a call that the merchant's key signs (``getsignkey``).

https://pay.weixin.qq.com/wiki/doc/api/tools/sp_coupon.php?chapter=23_1&index=2
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final, Literal, get_args
from urllib.parse import urlsplit

from attrs import evolve, field, frozen

from wxpay_dsl.core.errors import ConfigurationError
from wxpay_dsl.core.secrets import Secret

from .cached_value import CachedValue

if TYPE_CHECKING:
    from wxpay_dsl.core.messages import Request

__all__ = ["KEY_PATHS", "SANDBOXES", "Production", "SandboxName", "SandboxV2"]

SandboxName = Literal["sandboxnew", "apiv2sandbox"]
SANDBOXES: Final[tuple[str, ...]] = get_args(SandboxName)

#: By sandbox environment, the prefix of its paths, and the path of the call that returns its key.
_PREFIXES: Final = {"sandboxnew": "/sandboxnew", "apiv2sandbox": "/xdc/apiv2sandbox"}
KEY_PATHS: Final = {"sandboxnew": "/sandboxnew/pay/getsignkey", "apiv2sandbox": "/xdc/apiv2getsignkey/sign/getsignkey"}
#: The paths that a sandbox environment serves; a refund is ``/pay/refund`` there, without a client certificate.
_SERVED: Final = ("/pay/", "/secapi/pay/")
#: Seconds that a sandbox key is used before it is fetched again.
_LIFETIME: Final = 3600.0


@frozen
class Production:
    """The production environment, with the merchant's APIv2 key (APIv2密钥)."""

    key: Secret | None = field(repr=False)

    def relocate(self, request: Request) -> Request:
        """Returns the request unchanged."""
        return request

    async def secret(self, path: str) -> Secret:
        """The merchant's key. Raises ConfigurationError if it is not configured."""
        if self.key is None:
            raise ConfigurationError(
                "APIv2 signs with its own key: give `apiv2_key` (APIv2密钥, 商户平台-账户中心-API安全) as an "
                "argument, in the profile, or as WXPAY_APIV2_KEY in the environment"
            )
        return self.key


class SandboxV2:
    """One of WeChat Pay's sandbox environments, which share the origin of the production environment."""

    def __init__(
        self, name: SandboxName, base_url: str, key: Secret | None, exchange: Callable[[], Awaitable[Secret]]
    ) -> None:
        """``exchange`` fetches the environment's key, with a call of its path in :data:`KEY_PATHS`."""
        self._prefix = _PREFIXES[name]
        self._key_path = KEY_PATHS[name]
        self._base_path = urlsplit(base_url).path
        self._production = Production(key)
        self._key = CachedValue(exchange, _LIFETIME)

    def relocate(self, request: Request) -> Request:
        """The request with the environment's prefix in its path.

        Raises ConfigurationError for a path that the environment does not serve: it must not reach production.
        """
        parts = urlsplit(request.url)
        path = parts.path.removeprefix(self._base_path)
        if path == self._key_path or path.startswith(self._prefix + "/"):
            return request
        start = next((start for start in _SERVED if path.startswith(start)), None)
        if start is None:
            raise ConfigurationError(
                f"{request.name}: the sandbox environment {self._prefix} serves /pay/… and /secapi/pay/… only; a "
                f"client without `v2_sandbox` sends this call to production"
            )
        moved = f"{self._base_path}{self._prefix}/pay/{path.removeprefix(start)}"
        return evolve(request, url=parts._replace(path=moved).geturl())

    async def secret(self, path: str) -> Secret:
        """The environment's key; for the call that fetches it, the merchant's own key."""
        if path.removeprefix(self._base_path) == self._key_path:
            return await self._production.secret(path)
        return await self._key.get()
