"""Assembles the parts of a client for 品牌直连: the dialect ``brand``, signed and verified with the brand's keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NoReturn

from attrs import evolve, frozen

from wxpay_dsl.core.dialect import Dialect
from wxpay_dsl.core.errors import ConfigurationError
from wxpay_dsl.core.http.transport import Middleware
from wxpay_dsl.core.messages import Exchange, Request
from wxpay_dsl.core.origins import Origins
from wxpay_dsl.settings.brand import BrandSettings
from wxpay_dsl.wechat.platform_keys.keyring import StaticKeyring
from wxpay_dsl.wechat.signers.local import LocalSigner
from wxpay_dsl.wechat.v3.brand import brand
from wxpay_dsl.wechat.v3.middleware import sign_v3
from wxpay_dsl.wechat.v3.sensitive import decrypt_sensitive, encrypt_sensitive

__all__ = ["BrandParts", "assemble_brand"]

_MISSING: Final = (
    "a call of a brand (品牌直连) is signed with the brand's own key: give `brand_id`, `brand_serial`, "
    "`brand_private_key` and `brand_platform_keys`"
)


@frozen
class BrandParts:
    """The parts of a client that are for calls of a brand."""

    dialect: Dialect
    #: Signs a request of the dialect, and verifies its response.
    sign: Callable[[Exchange], Middleware]


def assemble_brand(settings: BrandSettings | None, origins: Origins) -> BrandParts:
    """The parts for a brand. If ``settings`` is None, each of its calls raises ConfigurationError before sending.

    ``origins``: the origins that requests signed by the brand may go to.
    """
    if settings is None:
        return BrandParts(brand(_refuse_fields, sign_fields=_refuse_request), _refuse)
    keyring = StaticKeyring(settings.keys)
    signer = settings.credential.signer
    decrypt = None
    if isinstance(signer, LocalSigner):
        from wxpay_dsl.wechat.crypto.decryptor import LocalDecryptor

        decrypt = decrypt_sensitive(LocalDecryptor(signer.private_key))
    credential = evolve(settings.credential, origins=origins)
    return BrandParts(
        brand(encrypt_sensitive(keyring), decrypt), lambda exchange: sign_v3(exchange, credential, keyring)
    )


async def _refuse_fields(*_: object) -> NoReturn:
    raise ConfigurationError(_MISSING)


async def _refuse_request(request: Request) -> NoReturn:
    raise ConfigurationError(_MISSING)


def _refuse(exchange: Exchange) -> NoReturn:
    raise ConfigurationError(_MISSING)
