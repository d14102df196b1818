"""What stands in the place of a private key in a client of APIv2 alone, which signs with the APIv2 key only."""

from __future__ import annotations

from typing import NoReturn

from attrs import frozen

from wxpay_dsl.core.errors import ConfigurationError
from wxpay_dsl.wechat.v3 import authorization

__all__ = ["AbsentSigner"]


@frozen
class AbsentSigner:
    """Signs nothing: calls of APIv3 end in the error that says what is missing."""

    message: str

    @property
    def scheme(self) -> str:
        """``WECHATPAY2-SHA256-RSA2048``"""
        return authorization.RSA_SCHEME

    async def sign(self, message: bytes) -> NoReturn:
        """Raises ConfigurationError."""
        raise ConfigurationError(self.message)
