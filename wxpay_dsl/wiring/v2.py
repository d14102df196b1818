"""Assembles the parts of a client for APIv2: its dialect, its keys, and the environment that its calls go to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from attrs import frozen
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from wxpay_dsl.core.chain.node import Node
from wxpay_dsl.core.dialect import Dialect
from wxpay_dsl.core.errors import ResponseDecodeError
from wxpay_dsl.core.response import Response
from wxpay_dsl.core.secrets import Secret
from wxpay_dsl.settings.settings import Settings
from wxpay_dsl.wechat.crypto.keys import load_public_key
from wxpay_dsl.wechat.crypto.platform_key import Keyring
from wxpay_dsl.wechat.v2.cached_value import CachedValue
from wxpay_dsl.wechat.v2.dialect import v2
from wxpay_dsl.wechat.v2.encryption import encrypt_v2
from wxpay_dsl.wechat.v2.environments import KEY_PATHS, Production, SandboxV2
from wxpay_dsl.wechat.v2.signer import EnvironmentV2, sign_fields_v2
from wxpay_dsl.wechat.v2.uploads import prepare_files_v2

__all__ = ["PartsV2", "assemble_v2"]

#: Seconds that the key of ``/risk/getpublickey`` is cached.
_BANK_KEY_LIFETIME: Final = 12 * 3600.0


@frozen
class PartsV2:
    """The parts of a client that are for APIv2."""

    dialect: Dialect
    environment: EnvironmentV2


def assemble_v2(settings: Settings, keyring: Keyring, chain: Callable[[], Node]) -> PartsV2:
    """The parts for APIv2. ``chain`` returns the root of the client's chain, for the calls that fetch keys."""

    async def bank_key() -> RSAPublicKey:
        response = await chain().v2.risk.getpublickey.post()
        return load_public_key(_field(response, "pub_key"))

    key = None if settings.apiv2_key is None else Secret.of(settings.apiv2_key)
    environment: EnvironmentV2 = Production(key)
    if settings.v2_sandbox is not None:
        path = KEY_PATHS[settings.v2_sandbox]

        async def exchange() -> Secret:
            node = chain().v2
            for segment in path.split("/")[1:]:
                node = node[segment]
            return Secret(_field(await node.post(), "sandbox_signkey"))

        environment = SandboxV2(settings.v2_sandbox, settings.base_url, key, exchange)
    dialect = v2(
        encrypt_v2(CachedValue(bank_key, _BANK_KEY_LIFETIME), keyring),
        sign_fields_v2(settings.mchid, environment, settings.wecom_secret),
        prepare_files_v2(settings.mchid, environment),
    )
    return PartsV2(dialect, environment)


def _field(response: Response[object], name: str) -> str:
    """A field of a response. Raises ResponseDecodeError if it is missing."""
    value = response.data.get(name) if isinstance(response.data, dict) else None
    if not isinstance(value, str) or not value:
        raw = response.exchange.received
        message = f"the response has no `{name}`"
        raise ResponseDecodeError(raw.name, message, False, raw.status, raw.headers, raw.body)
    return value
