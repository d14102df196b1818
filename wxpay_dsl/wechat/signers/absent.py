"""The signer of a client that is configured for APIv2 only and has no private key."""

from __future__ import annotations

from typing import NoReturn

from attrs import frozen

from wxpay_dsl.core.errors import ConfigurationError
from wxpay_dsl.wechat.v3 import authorization

__all__ = ["AbsentSigner"]


@frozen
class AbsentSigner:
    """Raises ConfigurationError for every APIv3 call; the message says which setting is missing."""

    message: str

    @property
    def scheme(self) -> str:
        """``WECHATPAY2-SHA256-RSA2048``"""
        return authorization.RSA_SCHEME

    async def sign(self, message: bytes) -> NoReturn:
        """Always raises ConfigurationError."""
        raise ConfigurationError(self.message)
