"""The signer protocol, its error, and the credential that pairs a signer with an identity and permitted hosts.

https://pay.weixin.qq.com/doc/v3/merchant/4012365342
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from attrs import field, frozen

from wxpay_dsl.core.errors import SdkError
from wxpay_dsl.core.origins import Origins
from wxpay_dsl.wechat.service_hosts import SERVICE_ORIGINS

__all__ = ["Credential", "Signer", "SignerError"]


@frozen(str=False)
class SignerError(SdkError):
    """A signer outside this process failed: a token, or a signing service that was not reached. Nothing was sent."""

    message: str

    def __str__(self) -> str:
        return f"{self.message}; nothing was sent"


@runtime_checkable
class Signer(Protocol):
    """Signs canonical messages (签名串). Asynchronous, so that the key may live in an HSM or a KMS."""

    @property
    def scheme(self) -> str:
        """The scheme of the ``Authorization`` header, ``WECHATPAY2-SHA256-RSA2048`` for example."""

    async def sign(self, message: bytes) -> str:
        """The signature over ``message``, in base64."""


@frozen
class Credential:
    """The identity that signs requests, a merchant or a brand, and the hosts that signed requests may be sent to."""

    #: The merchant's id, or the brand's.
    mchid: str
    #: The serial of the merchant's API certificate, or of the brand's.
    serial: str
    signer: Signer
    #: The origins that signed requests may be sent to.
    origins: Origins = field(default=SERVICE_ORIGINS, repr=False)
    #: The scheme of the ``Authorization`` header, where it differs from the signer's.
    own_scheme: str = ""

    @property
    def scheme(self) -> str:
        """The scheme of the ``Authorization`` header."""
        return self.own_scheme or self.signer.scheme
