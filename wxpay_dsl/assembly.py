"""Puts the framework, the vocabulary and the settings together into the machinery of one client."""

from __future__ import annotations

from collections.abc import Sequence

from wxpay_dsl._version import __version__
from wxpay_dsl.core.client import Client
from wxpay_dsl.core.transport import Exchange, Middleware, Transport, user_agent
from wxpay_dsl.core.tree import Tree
from wxpay_dsl.settings import Settings
from wxpay_dsl.wechat.families import v3
from wxpay_dsl.wechat.keyring import StaticKeyring
from wxpay_dsl.wechat.middleware import sign_v3
from wxpay_dsl.wechat.signer import Credential

__all__ = ["assemble"]


def assemble(settings: Settings, tree: Tree, transport: Transport | None = None) -> Client:
    """A client that signs as the settings' merchant and believes the settings' platform keys."""
    if transport is None:
        transport = Transport(user_agent("wxpay-dsl", __version__), proxy=settings.proxy)
    credential = Credential(settings.mchid, settings.serial, settings.signer)
    keyring = StaticKeyring(settings.keys)

    def middlewares(exchange: Exchange) -> Sequence[Middleware]:
        return (sign_v3(exchange, credential, keyring),)

    return Client(
        tree,
        {"v3": v3()},
        settings.base_url,
        transport,
        middlewares=middlewares,
        own_hosts=not settings.one_host,
        strict=settings.strict,
        validate=settings.validate,
        timeout=settings.timeout,
    )
