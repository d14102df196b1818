"""``GET /v3/certificates``: the platform certificates (平台证书), encrypted with the merchant's APIv3 key.

https://pay.weixin.qq.com/doc/v3/merchant/4012551764
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding

from wxpay_dsl.sandbox.keys.identity import Merchant, PlatformKeyPair
from wxpay_dsl.sandbox.keys.platform import Platform
from wxpay_dsl.wechat.crypto import ciphers

from .messages import Refusal

__all__ = ["certificates_document"]


def certificates_document(platform: Platform, merchant: Merchant) -> Mapping[str, Any]:
    """``{"data": [{"serial_no", "effective_time", "expire_time", "encrypt_certificate"}]}``, one entry a certificate.

    Raises Refusal 404 RESOURCE_NOT_EXISTS in public-key mode, as the service does.
    """
    if platform.mode == "public-key":
        message = "无可用的平台证书，请在商户平台-API安全申请使用微信支付公钥。"
        raise Refusal(404, "RESOURCE_NOT_EXISTS", message)
    return {"data": [_encrypted(pair, merchant.apiv3_key) for pair in platform.downloadable()]}


def _encrypted(pair: PlatformKeyPair, apiv3_key: str) -> Mapping[str, Any]:
    certificate = pair.certificate
    if certificate is None:
        raise ValueError(f"{pair.id} is not a certificate")
    nonce = secrets.token_hex(6)
    pem = certificate.public_bytes(Encoding.PEM)
    return {
        "serial_no": pair.id,
        "effective_time": certificate.not_valid_before_utc.astimezone().isoformat(timespec="seconds"),
        "expire_time": certificate.not_valid_after_utc.astimezone().isoformat(timespec="seconds"),
        "encrypt_certificate": {
            "algorithm": "AEAD_AES_256_GCM",
            "nonce": nonce,
            "associated_data": "certificate",
            "ciphertext": ciphers.aead_encrypt(pem, apiv3_key, nonce, "certificate"),
        },
    }
