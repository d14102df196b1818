"""The platform's key pairs: which one signs a response, which can be downloaded, and their rotation."""

from __future__ import annotations

from typing import Final, Literal

from wxpay_dsl.wechat.v3 import authorization
from wxpay_dsl.wechat.v3 import signing as signing_v3

from .identity import PlatformKeyPair, make_platform_certificate, make_platform_public_key

__all__ = ["MODES", "Mode", "Platform"]

#: What the platform signs with: 微信支付公钥, 平台证书, or both, as while a merchant migrates.
Mode = Literal["public-key", "certificate", "both"]
MODES: Final = ("public-key", "certificate", "both")


class Platform:
    """The platform's key pairs. Those that are not given are made on first use. Raises ValueError for another mode."""

    def __init__(
        self, mode: Mode, public_key: PlatformKeyPair | None, certificates: tuple[PlatformKeyPair, ...]
    ) -> None:
        if mode not in MODES:
            raise ValueError(f"mode is {mode!r}; it must be one of {', '.join(MODES)}")
        self.mode: Mode = mode
        self._public_key = public_key
        self._certificates = certificates
        #: A certificate that can be downloaded but does not sign yet.
        self._staged: PlatformKeyPair | None = None

    @property
    def public_key(self) -> PlatformKeyPair:
        """The pair of public-key mode (微信支付公钥)."""
        if self._public_key is None:
            self._public_key = make_platform_public_key()
        return self._public_key

    @property
    def certificates(self) -> tuple[PlatformKeyPair, ...]:
        """The pairs of certificate mode (平台证书) that are valid, oldest first."""
        if not self._certificates:
            self._certificates = (make_platform_certificate(),)
        return self._certificates

    def stage_certificate(self) -> PlatformKeyPair:
        """Make a new certificate available for download; it signs from the next :meth:`rotate_certificate`.

        Returns the staged pair, the same until it is rotated.
        """
        if self._staged is None:
            self._staged = make_platform_certificate()
        return self._staged

    def rotate_certificate(self) -> PlatformKeyPair:
        """Sign with the staged certificate, or with a new one if none is staged, and return its pair.

        The previous certificate stays valid until the next rotation.
        """
        pair, self._staged = self.stage_certificate(), None
        self._certificates = (self.certificates[-1], pair)
        return pair

    def signing_pair(self, wanted: str | None) -> PlatformKeyPair:
        """The pair that signs a response. ``wanted``: the request's ``Wechatpay-Serial``, None if it has none."""
        if self.mode == "public-key":
            return self.public_key
        if self.mode == "both" and (wanted is None or wanted == self.public_key.id):
            # Without the header the service signs with a certificate.
            return self.public_key if wanted is not None else self.certificates[-1]
        return self.certificates[-1]

    def find(self, key_id: str) -> PlatformKeyPair | None:
        """The pair with the id ``key_id``, if it is valid in the current mode; else None."""
        if self.mode != "certificate" and key_id == self.public_key.id:
            return self.public_key
        if self.mode == "public-key":
            return None
        return next((pair for pair in self.downloadable() if pair.id == key_id), None)

    def sign(self, pair: PlatformKeyPair, body: bytes, now: int) -> dict[str, str]:
        """The signature headers (``Wechatpay-…``) of ``body``. ``now``: Unix time in seconds."""
        nonce = authorization.nonce()
        message = signing_v3.response_message(now, nonce, body)
        return {
            "Wechatpay-Timestamp": str(now),
            "Wechatpay-Nonce": nonce,
            "Wechatpay-Signature": signing_v3.sign(message, pair.private_key),
            "Wechatpay-Serial": pair.id,
            "Wechatpay-Signature-Type": authorization.RSA_SCHEME,
        }

    def downloadable(self) -> tuple[PlatformKeyPair, ...]:
        """The pairs whose certificates can be downloaded: the valid ones and the staged one, oldest first."""
        return self.certificates if self._staged is None else (*self.certificates, self._staged)
