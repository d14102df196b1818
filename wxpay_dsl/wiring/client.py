"""Assembles the parts of a client from settings, the framework and the vocabulary of WeChat Pay."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from typing import Final, NoReturn

from attrs import field, frozen

from wxpay_dsl._version import __version__
from wxpay_dsl.core.chain.tree import Tree
from wxpay_dsl.core.client import Client
from wxpay_dsl.core.http.failover import FailoverHosts
from wxpay_dsl.core.http.retry import RetryPolicy, retry
from wxpay_dsl.core.http.transport import Middleware, Transport, user_agent
from wxpay_dsl.core.messages import Exchange
from wxpay_dsl.core.observe.hooks import Hook
from wxpay_dsl.settings.settings import Settings
from wxpay_dsl.wechat.crypto.platform_key import Keyring, is_public_key_id
from wxpay_dsl.wechat.crypto.signer import Credential, Signer
from wxpay_dsl.wechat.platform_keys.certificates import CertificateDecryptor
from wxpay_dsl.wechat.platform_keys.download import certificate_download
from wxpay_dsl.wechat.platform_keys.keyring import Preference, StaticKeyring
from wxpay_dsl.wechat.platform_keys.refresh_policy import RefreshPolicy
from wxpay_dsl.wechat.platform_keys.refreshing import RefreshingKeyring
from wxpay_dsl.wechat.signers.local import LocalSigner
from wxpay_dsl.wechat.v2.middleware import verify_v2
from wxpay_dsl.wechat.v2.mutual_tls import Contexts, mutual_tls, verifying_context
from wxpay_dsl.wechat.v3.authorization import SM2_SCHEME
from wxpay_dsl.wechat.v3.dialect import v3
from wxpay_dsl.wechat.v3.middleware import sign_v3
from wxpay_dsl.wechat.v3.sensitive import decrypt_sensitive, encrypt_sensitive

from .brand import assemble_brand
from .v2 import assemble_v2

__all__ = ["LOGGER", "ClientParts", "Shared", "assemble"]

#: The logger of calls, a child of the package's.
LOGGER: Final = "wxpay_dsl.calls"
_PICKLED: Final = (
    "the parts of a client hold keys and connections and are never pickled: create a client in the other process"
)
#: Maximum number of keyrings kept for merchants whose client is created again.
_KEYRINGS: Final = 10_000


@frozen
class Shared:
    """The resources that the clients of all merchants of a process share."""

    transport: Transport
    retries: RetryPolicy
    hosts: FailoverHosts | None
    #: The keyrings that download certificates, by merchant and keys, so that a client created again for a merchant
    #: finds its certificates. Each signing key has its own, because a key may be wrong or an HSM session closed.
    keyrings: dict[bytes, RefreshingKeyring] = field(factory=dict, repr=False)
    #: The TLS contexts that present client certificates.
    contexts: Contexts = field(factory=Contexts, repr=False)

    @classmethod
    def of(cls, settings: Settings) -> Shared:
        """The resources of the first client of a process."""
        connections = settings.connections
        transport = Transport(
            user_agent("wxpay-dsl", __version__),
            limit=connections.max_connections,
            proxy=settings.proxy,
            tls=verifying_context(settings.ca) if settings.ca is not None else None,
        )
        hosts = FailoverHosts(settings.base_url, connections.backup_url) if connections.backup_url else None
        return cls(transport, RetryPolicy(attempts=1 + connections.retries), hosts)

    def __reduce__(self) -> NoReturn:
        raise TypeError(_PICKLED)

    async def close(self) -> None:
        """Stops background downloads, and closes the connections."""
        for keyring in list(self.keyrings.values()):
            await keyring.close()
        await self.transport.close()


@frozen
class ClientParts:
    """The parts of one client."""

    client: Client
    credential: Credential
    keyring: Keyring
    shared: Shared = field(repr=False)
    #: Whether the client owns the shared resources, and closes them.
    owner: bool = True

    def __reduce__(self) -> NoReturn:
        raise TypeError(_PICKLED)

    async def close(self) -> None:
        """Closes the client, and the shared resources if it owns them."""
        await self.client.close()
        if self.owner:
            await self.shared.close()


def assemble(settings: Settings, tree: Tree, shared: Shared | None = None) -> ClientParts:
    """The parts of a client of the merchant in ``settings``.

    ``shared``: the resources of another client to use, which closing this client leaves open; None creates new ones.
    """
    resources = Shared.of(settings) if shared is None else shared
    credential = Credential(settings.mchid, settings.serial, settings.signer, settings.origins)
    keyring = _keyring(settings, tree, credential, resources)
    parts_v2 = assemble_v2(settings, keyring, lambda: client.chain)
    parts_brand = assemble_brand(settings.brand, settings.origins)

    def middlewares(exchange: Exchange) -> Sequence[Middleware]:
        if exchange.request.dialect == "v2":
            authenticate = verify_v2(exchange, parts_v2.environment)
        elif exchange.request.dialect == "brand":
            authenticate = parts_brand.sign(exchange)
        else:
            authenticate = sign_v3(exchange, credential, keyring)
        retrying = retry(exchange, resources.retries, resources.hosts)
        return (authenticate,) if retrying is None else (retrying, authenticate)

    decryptor = settings.decryptor
    decrypt = decrypt_sensitive(decryptor) if decryptor is not None else None
    client = Client(
        tree,
        {"v3": v3(encrypt_sensitive(keyring), decrypt), "v2": parts_v2.dialect, "brand": parts_brand.dialect},
        settings.base_url,
        resources.transport,
        middlewares=middlewares,
        tls=mutual_tls(
            settings.client_certificate,
            settings.ca,
            required=settings.v2_sandbox is None,
            contexts=resources.contexts,
        ),
        use_spec_hosts=not settings.one_host,
        origins=settings.origins,
        strict=settings.strict,
        undeclared=settings.undeclared,
        validate=settings.validate,
        timeout=settings.timeout,
        owns_transport=False,
        hooks=_hooks(settings),
        log=logging.getLogger(LOGGER),
    )
    return ClientParts(client, credential, keyring, resources, owner=shared is None)


def _hooks(settings: Settings) -> Sequence[Hook]:
    if settings.drift is None:
        return settings.hooks
    from wxpay_dsl.core.observe.drift import watch
    from wxpay_dsl.wechat.v2.schemas import comparable_response

    return (*settings.hooks, watch(settings.drift, comparable_response))


def _keyring(settings: Settings, tree: Tree, credential: Credential, shared: Shared) -> Keyring:
    preference = Preference(settings.platform_keys.public_key_ratio)
    if settings.apiv3_key is None:
        return StaticKeyring(settings.keys, preference)
    digest = hashlib.sha256(settings.apiv3_key)
    for key in settings.keys:
        digest.update(f"{key.id} {key.fingerprint}".encode())
    identity = f"{settings.mchid} {settings.serial} {_signing_key(settings.signer)} ".encode() + digest.digest()
    keyring = shared.keyrings.pop(identity, None)
    if keyring is None:
        keyring = _refreshing(settings, tree, credential, shared, preference)
        while len(shared.keyrings) >= _KEYRINGS:
            # Clients that use it keep it; new clients no longer find it.
            shared.keyrings.pop(next(iter(shared.keyrings)), None)
    # Inserted last, so that the least recently used keyring is the first.
    shared.keyrings[identity] = keyring
    return keyring


def _signing_key(signer: Signer) -> str:
    """An identifier of a signer's key: the modulus of a local key, otherwise (in an HSM, say) the id of the signer.

    The keyring keeps a reference to its signer, so that the id is not reused while the keyring is kept.
    """
    if isinstance(signer, LocalSigner):
        return f"{signer.private_key.public_key().public_numbers().n:x}"
    return f"{type(signer).__qualname__} {id(signer)}"


def certificates_url(settings: Settings, tree: Tree) -> str:
    """The URL that the merchant's platform certificates (平台证书) are downloaded from."""
    path = settings.platform_keys.certificates_path
    if settings.signer.scheme == SM2_SCHEME and "?" not in path:
        path += "?algorithm_type=SM2"
    host = "" if settings.one_host else tree.host_of(tuple(path.partition("?")[0].strip("/").split("/")))
    return (host or settings.base_url) + path


def _refreshing(
    settings: Settings, tree: Tree, credential: Credential, shared: Shared, preference: Preference
) -> RefreshingKeyring:
    decrypt_certificates = CertificateDecryptor(settings.apiv3_key or b"")
    download = certificate_download(
        shared.transport,
        credential,
        decrypt_certificates,
        certificates_url(settings, tree),
        timeout=settings.timeout,
        policy=shared.retries,
        hosts=shared.hosts,
    )
    # In public-key mode there are no certificates to refresh, unless the merchant is migrating from or to it.
    public_keys_only = len(settings.keys) > 0 and all(is_public_key_id(key.id) for key in settings.keys)
    scheduled = not public_keys_only or preference.ratio < 1.0
    configured = settings.platform_keys
    return RefreshingKeyring(
        settings.keys,
        download,
        policy=RefreshPolicy(
            interval=configured.certificates_interval if scheduled else None,
            minimum_interval=configured.certificates_minimum_interval,
        ),
        preference=preference,
        store=configured.certificate_store,
        name=f"platform-certificates-{settings.mchid}",
        decrypt_certificates=decrypt_certificates,
    )
