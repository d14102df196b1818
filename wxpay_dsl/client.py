"""The client of WeChat Pay: where the parts are put together, and nothing else happens."""

from __future__ import annotations

import os
from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, NoReturn, Self

from wxpay_dsl.core.chain.node import Node, Target
from wxpay_dsl.core.chain.tree import Tree
from wxpay_dsl.wechat.chains import CHAINS, DEFAULT
from wxpay_dsl.wechat.terms import TERMS

if TYPE_CHECKING:
    # Generated from the specs when the package is built or installed; at run time the chain needs no types.
    from wxpay_dsl.core.client import Client
    from wxpay_dsl.core.http.download import Download, DownloadPlan, Progress
    from wxpay_dsl.core.observe.drift import Drift, Reporter
    from wxpay_dsl.core.observe.hooks import Hook
    from wxpay_dsl.core.request.files import FileSource
    from wxpay_dsl.core.response import Response
    from wxpay_dsl.settings.settings import Settings
    from wxpay_dsl.wechat.crypto.platform_key import Keyring
    from wxpay_dsl.wechat.merchant_keys import MerchantKeys
    from wxpay_dsl.wechat.payment_params.builder import PaymentParams
    from wxpay_dsl.wiring.client import Machinery

    from .typed import Chain
else:
    Chain = object

__all__ = ["SPECS", "Wechatpay", "tree"]

_HERE: Final = Path(__file__).parent
#: The specs that come with the package: inside a wheel, beside the package in a checkout.
SPECS: Final = str(_HERE / "specs" if (_HERE / "specs").is_dir() else _HERE.parent / "specs")


@lru_cache(maxsize=1)
def _packaged() -> Tree:
    return Tree([SPECS], CHAINS, DEFAULT, TERMS)


def tree(folders: Sequence[str] = ()) -> Tree:
    """The operations that come with the package, and those of ``folders`` on top."""
    return Tree([SPECS, *folders], CHAINS, DEFAULT, TERMS) if folders else _packaged()


def _folders_at_import() -> Sequence[str]:
    if not (os.environ.get("WXPAY_SPECS") or os.environ.get("WXPAY_PROFILE")):
        return ()
    from wxpay_dsl.settings.spec_folders import at_import

    return at_import(os.environ)


class Wechatpay(Chain):
    """An async client of WeChat Pay (微信支付).

    ``await wxpay.v3.eduPapay.contracts.presign.post(appid=…, …)`` is ``POST /v3/edu-papay/contracts/presign``,
    validated, signed, verified. One client serves any number of calls at once; use it in ``async with``, or ``await
    close()`` it.
    """

    _closed: bool = False
    #: None until a deferred client looks for them, and in one that settings could not make.
    _settings: Settings | None = None

    def __init__(
        self,
        *,
        mchid: str | None = None,
        serial: str | None = None,
        private_key: Any = None,
        certificate: Any = None,
        p12: Any = None,
        p12_password: str | None = None,
        platform_keys: Mapping[str, Any] | None = None,
        apiv3_key: str | bytes | None = None,
        apiv2_key: str | None = None,
        wecom_secret: str | None = None,
        brand_id: str | None = None,
        brand_serial: str | None = None,
        brand_private_key: Any = None,
        brand_platform_keys: Mapping[str, Any] | None = None,
        brand_api_key: str | bytes | None = None,
        v2_sandbox: str | None = None,
        base_url: str | None = None,
        hosts: Sequence[str] | None = None,
        specs: Sequence[str | Path] | None = None,
        strict: bool | None = None,
        undeclared: bool | None = None,
        validate: bool | str | None = None,
        timeout: float | None = None,
        proxy: str | None = None,
        ca: str | Path | None = None,
        max_connections: int | None = None,
        retries: int | None = None,
        backup_url: str | None = None,
        public_key_ratio: float | None = None,
        certificate_store: Any = None,
        certificates_path: str | None = None,
        certificates_interval: float | None = None,
        certificates_minimum_interval: float | None = None,
        hooks: Sequence[Hook] | None = None,
        on_drift: Callable[[Drift], None] | str | Path | None = None,
        profile: str | Path | None = None,
    ) -> None:
        """Takes what is not given here from the environment (``WXPAY_MCHID`` …), then from ``profile``, a TOML file.

        ``private_key``: PEM, DER, a path, a key object, or a :class:`~wxpay_dsl.wechat.crypto.signer.Signer`; ``platform_keys``:
        platform key id (``PUB_KEY_ID_…``) or certificate serial to key; ``timeout``: seconds for a whole call;
        ``strict`` refuses paths that no spec declares, ``undeclared`` sends even to those that are nearly a declared
        one whose fields are encrypted; ``validate``: True, False or ``"strict"``; ``ca``: a PEM file of
        authorities trusted beside the system's.

        APIv2: ``apiv2_key`` is its key (APIv2密钥); ``p12`` (``apiclient_cert.p12``, its password the merchant id unless
        ``p12_password`` says another) or ``certificate`` with ``private_key`` for mutual TLS; ``wecom_secret`` WeCom's
        (企业微信应用), for ``workwx_sign``; ``v2_sandbox``: ``"sandboxnew"`` or ``"apiv2sandbox"``, WeChat Pay's own
        sandbox environments. A client that calls APIv2 alone needs ``mchid`` and ``apiv2_key`` only.

        ``hosts``: origins (``https://pay.example.com``) beside WeChat Pay's own to which signed calls may go, where a
        spec names one; a call to any other is refused, as whoever receives a signature can use it.

        品牌直连 (``wxpay.brand.…``) is signed by the brand: ``brand_id``, ``brand_serial`` and ``brand_private_key`` of
        its API certificate (品牌API证书), ``brand_platform_keys`` (its 微信支付公钥, as ``platform_keys``), and ``brand_api_key``
        (品牌API密钥), which opens its notifications.

        ``max_connections``: connections at once (100); ``retries``: how often a call that is safe to repeat is sent
        again (2; 0 for never); ``backup_url``: the origin that stands in while ``base_url`` cannot be reached (the
        service's own second host by default, ``"none"`` for none).

        Platform certificates (平台证书): ``certificate_store``: a folder or a ``redis://`` URL where they are kept for
        the next start; ``public_key_ratio``: the share of calls that ask for the public key (微信支付公钥) while a
        merchant moves over, 1.0 by default; ``certificates_path``: ``/v3/global/certificates`` for a merchant overseas;
        ``certificates_interval``: seconds between two downloads on schedule (12 hours);
        ``certificates_minimum_interval``: seconds between any two (60), however many answers name an unknown key.

        ``hooks``: functions that are run around each call (:mod:`wxpay_dsl.core.observe.hooks`). ``on_drift``: a function that
        is called where an answer or a notification differs from its spec, once for each difference, or the file that
        differences are added to, for ``wxpay drift`` (:mod:`wxpay_dsl.core.observe.drift`).

        Raises ConfigurationError for settings that cannot work together.
        """
        from wxpay_dsl.settings.secrets import masked
        from wxpay_dsl.settings.settings import Settings

        given = {
            "mchid": mchid,
            "serial": serial,
            "private_key": private_key,
            "certificate": certificate,
            "p12": p12,
            "p12_password": p12_password,
            "platform_keys": platform_keys,
            "apiv3_key": apiv3_key,
            "apiv2_key": apiv2_key,
            "wecom_secret": wecom_secret,
            "brand_id": brand_id,
            "brand_serial": brand_serial,
            "brand_private_key": brand_private_key,
            "brand_platform_keys": brand_platform_keys,
            "brand_api_key": brand_api_key,
            "v2_sandbox": v2_sandbox,
            "base_url": base_url,
            "hosts": hosts,
            "specs": specs,
            "strict": strict,
            "undeclared": undeclared,
            "validate": validate,
            "timeout": timeout,
            "proxy": proxy,
            "ca": ca,
            "max_connections": max_connections,
            "retries": retries,
            "backup_url": backup_url,
            "public_key_ratio": public_key_ratio,
            "certificate_store": certificate_store,
            "certificates_path": certificates_path,
            "certificates_interval": certificates_interval,
            "certificates_minimum_interval": certificates_minimum_interval,
            "hooks": hooks,
            "on_drift": on_drift,
        }
        given = masked(given)
        # Error trackers send the variables of every frame that an error passes through.
        del private_key, p12, p12_password, apiv3_key, apiv2_key, wecom_secret, proxy, certificate_store
        del brand_private_key, brand_api_key
        self._settings = Settings.load(given, profile=profile)
        self._tree = tree(self._settings.specs)
        self._machinery: Machinery | None = None
        self._root = Node(self)

    @classmethod
    def from_environment(cls) -> Self:
        """A client whose credentials are looked for at the first call; until then it only knows the specs."""
        self = cls.__new__(cls)
        self._settings = None
        self._tree = tree(_folders_at_import())
        self._machinery = None
        self._root = Node(self)
        return self

    def as_merchant(
        self,
        *,
        mchid: str,
        serial: str | None = None,
        private_key: Any = None,
        certificate: Any = None,
        p12: Any = None,
        p12_password: str | None = None,
        platform_keys: Mapping[str, Any] | None = None,
        apiv3_key: str | bytes | None = None,
        apiv2_key: str | None = None,
        wecom_secret: str | None = None,
        brand_id: str | None = None,
        brand_serial: str | None = None,
        brand_private_key: Any = None,
        brand_platform_keys: Mapping[str, Any] | None = None,
        brand_api_key: str | bytes | None = None,
    ) -> Self:
        """A client of another merchant that shares this one's connections, specs and all other settings.

        It costs a few kilobytes and no connection; make it when it is needed, or keep it. Closing it ends it alone;
        closing the client that it comes from ends both. The sub-merchants of a service provider need none of their own:
        ``sub_mchid`` is a field. Raises ConfigurationError for settings that cannot work.
        """
        from wxpay_dsl.settings.secrets import masked
        from wxpay_dsl.wiring.client import assemble

        given = {
            "mchid": mchid,
            "serial": serial,
            "private_key": private_key,
            "certificate": certificate,
            "p12": p12,
            "p12_password": p12_password,
            "platform_keys": platform_keys,
            "apiv3_key": apiv3_key,
            "apiv2_key": apiv2_key,
            "wecom_secret": wecom_secret,
            "brand_id": brand_id,
            "brand_serial": brand_serial,
            "brand_private_key": brand_private_key,
            "brand_platform_keys": brand_platform_keys,
            "brand_api_key": brand_api_key,
        }
        given = masked(given)
        del private_key, p12, p12_password, apiv3_key, apiv2_key, wecom_secret, brand_private_key, brand_api_key
        other = type(self).__new__(type(self))
        other._settings = self.settings.for_merchant(given)  # noqa: SLF001 (of the same class)
        other._tree = self._tree  # noqa: SLF001
        other._root = Node(other)  # noqa: SLF001
        other._machinery = assemble(other._settings, self._tree, self.machinery.shared)  # noqa: SLF001
        return other

    @property
    def tree(self) -> Tree:
        """The declared operations."""
        return self._tree

    @property
    def settings(self) -> Settings:
        """What this client was made from. Raises ConfigurationError where a deferred client finds no credentials."""
        if self._settings is None:
            from wxpay_dsl.settings.settings import Settings

            self._settings = Settings.load({})
            if self._settings.specs != self._tree.folders[1:]:  # set since the import
                self._tree = tree(self._settings.specs)
                for name in [name for name, value in vars(self).items() if isinstance(value, Node)]:
                    delattr(self, name)
                self._root = Node(self)
        return self._settings

    @property
    def machinery(self) -> Machinery:
        """What is below the chain, made at the first call."""
        if self._machinery is None:
            if self._closed:
                from wxpay_dsl.core.errors import ClosedError

                raise ClosedError
            from wxpay_dsl.wiring.client import assemble

            self._machinery = assemble(self.settings, self._tree)
            if type(self).call is Wechatpay.call:
                # From here on the chain finds the core client without asking its way each time.
                self.__dict__["call"] = self._machinery.client.call
        return self._machinery

    @property
    def client(self) -> Client:
        """The core client below the chain."""
        return self.machinery.client

    @property
    def keyring(self) -> Keyring:
        """The platform keys (微信支付公钥 / 平台证书) that this client believes."""
        return self.machinery.keyring

    @property
    def drift(self) -> Reporter | None:
        """What ``on_drift`` is told by; None where it is off, or no credentials have been looked for yet."""
        return self._settings.drift if self._settings is not None else None

    @property
    def merchant_keys(self) -> MerchantKeys:
        """This client's merchant as a receiver of notifications: ``Notifications(wxpay)`` asks for it."""
        from wxpay_dsl.wechat.merchant_keys import MerchantKeys

        settings = self.settings
        return MerchantKeys(settings.mchid, self.keyring, settings.apiv3_key, settings.apiv2_key)

    @property
    def brand_merchant_keys(self) -> MerchantKeys:
        """The brand as a receiver of notifications: ``Notifications(wxpay, wxpay.brand_merchant_keys)``.

        Raises ConfigurationError where the client has no brand.
        """
        from wxpay_dsl.core.errors import ConfigurationError
        from wxpay_dsl.wechat.merchant_keys import MerchantKeys
        from wxpay_dsl.wechat.platform_keys.keyring import StaticKeyring

        brand = self.settings.brand
        if brand is None:
            raise ConfigurationError("this client has no brand: give `brand_id` and the brand's keys")
        return MerchantKeys(brand.credential.mchid, StaticKeyring(brand.keys), brand.api_key)

    def call(self, target: Target, data: Any, fields: Mapping[str, Any]) -> Coroutine[Any, Any, Response[Any]]:
        """What the chain does when it is called."""
        return self.client.call(target, data, fields)

    async def upload(
        self,
        file: FileSource,
        to: Any = None,
        /,
        *,
        name: str | None = None,
        content_type: str | None = None,
        **fields: Any,
    ) -> Response[Any]:
        """Uploads ``file``: a path, bytes, a binary file open for reading, or an async iterator of bytes.

        ``to`` is any endpoint that takes a form, and ``fields`` what else it takes; without it a video goes to
        ``v3.merchant.media.video_upload``, anything else to ``v3.merchant.media.upload``. ``name`` and
        ``content_type`` are found out by themselves where the file has a name, or is an image or a PDF. The digest,
        and the form's ``meta``, are made here.

        Raises ValidationError for a file that cannot be read or is too large, before anything is sent.
        """
        from wxpay_dsl.wechat.v3.uploads import upload

        return await upload(self._root, file, to, name=name, content_type=content_type, fields=fields)

    def download(
        self,
        source: Any,
        data: Any = None,
        /,
        *,
        progress: Callable[[Progress], None] | None = None,
        limit: int | None = None,
        **fields: Any,
    ) -> Download:
        """A file, to be read inside ``async with``: streamed, unpacked, held against its hash.

        ``source`` is an endpoint (``wxpay.v3.bill.tradebill.get``, with its ``fields``), a response that names a
        ``download_url``, or that link. ``progress`` is called with every piece that comes; ``limit``: bytes of the
        file, unpacked, at most.

        Entering it raises ValidationError for a link to a foreign host, and what a call raises.
        """
        from wxpay_dsl.core.http.download import MAX_UNPACKED, Download
        from wxpay_dsl.wechat.bills.downloads import plan

        def made() -> Coroutine[Any, Any, DownloadPlan]:
            return plan(self.client, source, data, fields, self.settings.decryptor)

        return Download(made, progress=progress, limit=MAX_UNPACKED if limit is None else limit)

    async def signed_url(self, source: Any, data: Any = None, /, **fields: Any) -> str:
        """The link that a call of APIv2 would get, signed, for a browser to be sent to: to sign a contract (委托代扣)
        with ``wxpay.v2.papay.entrustweb.get``, say.

        Nothing is sent. Raises ValidationError for what is signed in its headers or its body, and as a call does.
        """
        from wxpay_dsl.wechat.v2.links import signed_url

        return await signed_url(self.client, source, data, fields)

    @property
    def payment_params(self) -> PaymentParams:
        """What the front end needs to open the cashier (调起支付): ``await wxpay.payment_params.jsapi(response)``."""
        from wxpay_dsl.wechat.payment_params.builder import PaymentParams

        settings = self.settings
        return PaymentParams(settings.mchid, settings.signer, settings.apiv2_key)

    def preload(self) -> None:
        """Reads all specs now, for servers that want no first touch later. Raises SpecError for one that is broken."""
        self._tree.preload()

    if not TYPE_CHECKING:  # a type checker knows the declared paths, and is to refuse a misspelt one

        def __getattr__(self, name: str) -> Node:
            # Asked only for what is not an attribute: a segment of a path.
            if name.startswith("_"):
                raise AttributeError(name)
            node = self.__dict__[name] = getattr(self._root, name)
            return node

    def __getitem__(self, segment: str) -> Node:
        """A segment exactly as written; what follows is not typed: ``wxpay["v3"]["my"].thing.post({})``."""
        return self._root[segment]

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *dir(self._root)]

    def __repr__(self) -> str:
        if self._settings is None:
            return "<Wechatpay, credentials from the environment or profile at the first call>"
        return f"<Wechatpay {self._settings.mchid} at {self._settings.base_url}>"

    def __copy__(self) -> Self:
        # Shares everything: connections too.
        other = type(self).__new__(type(self))
        other.__dict__.update(self.__dict__)
        return other

    def __reduce__(self) -> NoReturn:
        raise TypeError("a client holds keys and connections and is never pickled: make one in the other process")

    async def close(self) -> None:
        """Closes the connections; further calls raise ClosedError."""
        self._closed = True
        if self._machinery is not None:
            await self._machinery.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
