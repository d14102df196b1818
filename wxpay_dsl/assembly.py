"""Puts the framework, the vocabulary and the settings together into the machinery of one client."""

from __future__ import annotations

from collections.abc import Sequence

from wxpay_dsl._version import __version__
from wxpay_dsl.assembly_v2 import assemble_v2
from wxpay_dsl.core.client import Client
from wxpay_dsl.core.transport import Exchange, Middleware, Transport, user_agent
from wxpay_dsl.core.tree import Tree
from wxpay_dsl.settings import Settings
from wxpay_dsl.wechat.families import v3
from wxpay_dsl.wechat.keyring import StaticKeyring
from wxpay_dsl.wechat.middleware import sign_v3
from wxpay_dsl.wechat.middleware_v2 import verify_v2
from wxpay_dsl.wechat.mutual_tls import mutual_tls, trusting
from wxpay_dsl.wechat.signer import Credential

__all__ = ["assemble"]


def assemble(settings: Settings, tree: Tree, transport: Transport | None = None) -> Client:
    """A client that signs as the settings' merchant and believes the settings' platform keys."""
    if transport is None:
        tls = trusting(settings.ca) if settings.ca is not None else None
        transport = Transport(user_agent("wxpay-dsl", __version__), proxy=settings.proxy, tls=tls)
    credential = Credential(settings.mchid, settings.serial, settings.signer)
    keyring = StaticKeyring(settings.keys)

    parts_v2 = assemble_v2(settings, keyring, lambda: client.chain)

    def middlewares(exchange: Exchange) -> Sequence[Middleware]:
        if exchange.request.family == "v2":
            return (verify_v2(exchange, parts_v2.environment),)
        return (sign_v3(exchange, credential, keyring),)

    client = Client(
        tree,
        {"v3": v3(), "v2": parts_v2.family},
        settings.base_url,
        transport,
        middlewares=middlewares,
        tls=mutual_tls(settings.client_certificate, settings.ca, demanded=settings.v2_sandbox is None),
        own_hosts=not settings.one_host,
        strict=settings.strict,
        validate=settings.validate,
        timeout=settings.timeout,
    )
    return client
