"""Signs with a ShangMi key (国密, WECHATPAY2-SM2-WITH-SM3). Needs the extra ``sm``."""

from __future__ import annotations

import asyncio

from attrs import field, frozen

from wxpay_dsl.wechat.crypto.shangmi import Sm2PrivateKey, load_private_key
from wxpay_dsl.wechat.v3 import authorization

__all__ = ["Sm2Signer"]


@frozen
class Sm2Signer:
    """Signs with an SM2 key in memory, in a thread, since a signature takes 11 ms."""

    #: Accepts any form that :func:`~wxpay_dsl.wechat.crypto.shangmi.load_private_key` accepts.
    private_key: Sm2PrivateKey = field(repr=False, converter=load_private_key)

    @property
    def scheme(self) -> str:
        """``WECHATPAY2-SM2-WITH-SM3``"""
        return authorization.SM2_SCHEME

    async def sign(self, message: bytes) -> str:
        """The signature over ``message`` in base64."""
        return await asyncio.to_thread(self.private_key.sign, message)

    def __reduce__(self) -> str:
        raise TypeError("a signer holds a private key and is never pickled")
