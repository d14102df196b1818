"""The brand dialect (品牌直连, ``/brand/…``): APIv3, signed with the brand's key under the brand's own scheme."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve

from wxpay_dsl.wechat.chains import AUTO_FIELDS, CHAINS

from .dialect import v3

if TYPE_CHECKING:
    from wxpay_dsl.core.dialect import Decrypt, Dialect, Encrypt, SignFields

__all__ = ["brand"]


def brand(
    encrypt: Encrypt | None = None, decrypt: Decrypt | None = None, sign_fields: SignFields | None = None
) -> Dialect:
    """The dialect of 品牌直连; ``sign_fields`` changes or refuses each request before it is sent."""
    return evolve(
        v3(encrypt, decrypt),
        name="brand",
        chain=CHAINS["brand"],
        auto_fields=AUTO_FIELDS["brand"],
        sign_fields=sign_fields,
    )
