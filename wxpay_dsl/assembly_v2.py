"""Puts together what APIv2 needs of a client: its family, its keys, and the environment that its calls go to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from attrs import frozen
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from wxpay_dsl.core.chain import Node
from wxpay_dsl.core.errors import ReplyDecodeError
from wxpay_dsl.core.family import Family
from wxpay_dsl.core.reply import Reply
from wxpay_dsl.core.secrets import Secret
from wxpay_dsl.settings import Settings
from wxpay_dsl.wechat.cached import Cached
from wxpay_dsl.wechat.encryption_v2 import encrypt_v2
from wxpay_dsl.wechat.environments_v2 import KEY_PATHS, Production, SandboxV2
from wxpay_dsl.wechat.family_v2 import v2
from wxpay_dsl.wechat.keyring import Keyring
from wxpay_dsl.wechat.keys import load_public_key
from wxpay_dsl.wechat.signer_v2 import EnvironmentV2, seal_v2
from wxpay_dsl.wechat.uploads_v2 import attach_v2

__all__ = ["PartsV2", "assemble_v2"]

#: Seconds that the key of ``/risk/getpublickey`` is used before it is asked for again.
_BANK_KEY_LIFETIME: Final = 12 * 3600.0


@frozen
class PartsV2:
    """APIv2's share of a client."""

    family: Family
    environment: EnvironmentV2


def assemble_v2(settings: Settings, keyring: Keyring, chain: Callable[[], Node]) -> PartsV2:
    """``chain`` gives the root of the client's own chain, for the calls that fetch keys."""

    async def bank_key() -> RSAPublicKey:
        reply = await chain().v2.risk.getpublickey.post()
        return load_public_key(_field(reply, "pub_key"))

    key = None if settings.secret is None else Secret.of(settings.secret)
    environment: EnvironmentV2 = Production(key)
    if settings.v2_sandbox is not None:
        path = KEY_PATHS[settings.v2_sandbox]

        async def exchange() -> Secret:
            node = chain().v2
            for segment in path.split("/")[1:]:
                node = node[segment]
            return Secret(_field(await node.post(), "sandbox_signkey"))

        environment = SandboxV2(settings.v2_sandbox, settings.base_url, key, exchange)
    family = v2(
        encrypt_v2(Cached(bank_key, _BANK_KEY_LIFETIME), keyring),
        seal_v2(settings.mchid, environment, settings.agent_secret),
        attach_v2(settings.mchid, environment),
    )
    return PartsV2(family, environment)


def _field(reply: Reply[object], name: str) -> str:
    """A field that an answer must have. Raises ReplyDecodeError."""
    value = reply.data.get(name) if isinstance(reply.data, dict) else None
    if not isinstance(value, str) or not value:
        answer = reply.exchange.answer
        message = f"the answer has no `{name}`"
        raise ReplyDecodeError(answer.name, message, False, answer.status, answer.headers, answer.body)
    return value
