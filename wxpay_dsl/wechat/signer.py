"""Who signs requests: a protocol to await, and the signer that holds a private key in this process.

https://pay.weixin.qq.com/doc/v3/merchant/4012365342
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from attrs import field, frozen
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from . import authorization, signing_v3

__all__ = ["Credential", "LocalSigner", "Signer"]


@runtime_checkable
class Signer(Protocol):
    """Signs canonical messages; awaited, so that a key may live in an HSM or a KMS."""

    @property
    def scheme(self) -> str:
        """The scheme of the Authorization header: ``WECHATPAY2-SHA256-RSA2048``."""

    async def sign(self, message: bytes) -> str:
        """The signature over ``message`` in base64."""


@frozen
class LocalSigner:
    """Signs with a private key in memory (240 µs for RSA-2048)."""

    private_key: RSAPrivateKey = field(repr=False)

    @property
    def scheme(self) -> str:
        """``WECHATPAY2-SHA256-RSA2048``"""
        return authorization.RSA_SCHEME

    async def sign(self, message: bytes) -> str:
        """The signature over ``message`` in base64."""
        return signing_v3.sign(message, self.private_key)

    def __reduce__(self) -> str:
        raise TypeError("a signer holds a private key and is never pickled")


@frozen
class Credential:
    """Who a request is from: the merchant, the serial of its certificate, and who signs for it."""

    mchid: str
    serial: str
    signer: Signer
