"""The client of WeChat Pay: an attribute chain over the packaged specs, assembled from settings at the first call."""

from __future__ import annotations

import os
from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, NoReturn, Self, Unpack

from wxpay_dsl.core.chain.node import Node, Target
from wxpay_dsl.core.chain.tree import Tree
from wxpay_dsl.wechat.chains import CHAINS, DEFAULT
from wxpay_dsl.wechat.terms import TERMS

if TYPE_CHECKING:
    # Generated from the specs when the package is built or installed; at run time the chain needs no types.
    from wxpay_dsl.core.client import Client
    from wxpay_dsl.core.http.download import Download, DownloadPlan, Progress
    from wxpay_dsl.core.http.transport import Transport
    from wxpay_dsl.core.observe.drift import Reporter
    from wxpay_dsl.core.request.files import FileSource
    from wxpay_dsl.core.response import Response
    from wxpay_dsl.settings.options import ClientOptions, MerchantOptions
    from wxpay_dsl.settings.settings import Settings
    from wxpay_dsl.wechat.crypto.platform_key import Keyring
    from wxpay_dsl.wechat.merchant_keys import MerchantKeys
    from wxpay_dsl.wechat.payment_params.builder import PaymentParams
    from wxpay_dsl.wiring.client import ClientParts

    from .typed import Chain
else:
    Chain = object

__all__ = ["SPECS", "Wechatpay", "tree"]

_HERE: Final = Path(__file__).parent
#: The folder of the packaged specs: inside the package in a wheel, beside it in a checkout.
SPECS: Final = str(_HERE / "specs" if (_HERE / "specs").is_dir() else _HERE.parent / "specs")


@lru_cache(maxsize=1)
def _packaged() -> Tree:
    return Tree([SPECS], CHAINS, DEFAULT, TERMS)


def tree(folders: Sequence[str] = ()) -> Tree:
    """The packaged operations, and those of ``folders``, which take precedence."""
    return Tree([SPECS, *folders], CHAINS, DEFAULT, TERMS) if folders else _packaged()


def _folders_at_import() -> Sequence[str]:
    if not (os.environ.get("WXPAY_SPECS") or os.environ.get("WXPAY_PROFILE")):
        return ()
    from wxpay_dsl.settings.spec_folders import at_import

    return at_import(os.environ)


class _Signature:
    """``inspect.signature(Wechatpay)`` with every keyword, for completion in interactive shells; built on demand."""

    def __get__(self, instance: object, owner: type) -> Any:
        constructed_by = next(each for each in owner.__mro__ if "__init__" in vars(each))
        if instance is not None or constructed_by is not Wechatpay:
            raise AttributeError("__signature__")
        from inspect import Parameter, Signature

        from wxpay_dsl.settings.options import NAMES

        names = (*NAMES, "profile")
        return Signature([Parameter(name, Parameter.KEYWORD_ONLY, default=None) for name in names])


class Wechatpay(Chain):
    """An async client of WeChat Pay (微信支付).

    ``await wxpay.v3.eduPapay.contracts.presign.post(appid=…, …)`` calls ``POST /v3/edu-papay/contracts/presign``:
    checked and signed, its response verified. One client makes any number of calls at the same time. Use it in ``async
    with``, or call ``await wxpay.close()``.
    """

    __signature__ = _Signature()
    _closed: bool = False
    #: None until a client of :meth:`from_environment` loads them, or if the constructor raised.
    _settings: Settings | None = None

    def __init__(self, *, profile: str | Path | None = None, **options: Unpack[ClientOptions]) -> None:
        """Takes what is not given here from the environment (``WXPAY_MCHID`` …), then from ``profile``, a TOML file.

        :class:`~wxpay_dsl.settings.options.ClientOptions` lists the keywords. A client of APIv3 needs ``mchid``,
        ``serial``, ``private_key``, and ``platform_keys`` or ``apiv3_key`` or both; one that calls APIv2 alone needs
        ``mchid`` and ``apiv2_key``, and ``p12`` for the operations that demand mutual TLS.

        Raises ConfigurationError for settings that cannot work, TypeError for an unknown keyword.
        """
        from wxpay_dsl.settings.options import NAMES, unexpected
        from wxpay_dsl.settings.secrets import masked
        from wxpay_dsl.settings.settings import Settings

        given = masked(options)
        # Error trackers send the variables of every frame that an error passes through.
        del options
        if wrong := unexpected("Wechatpay", given, NAMES):
            raise TypeError(wrong)
        self._settings = Settings.load(given, profile=profile)
        self._tree = tree(self._settings.specs)
        self._parts: ClientParts | None = None
        self._root = Node(self)

    @classmethod
    def from_environment(cls) -> Self:
        """A client that loads its settings from the environment or profile at the first call. Raises nothing itself."""
        self = cls.__new__(cls)
        self._settings = None
        self._tree = tree(_folders_at_import())
        self._parts = None
        self._root = Node(self)
        return self

    def as_merchant(self, *, mchid: str, **options: Unpack[MerchantOptions]) -> Self:
        """A client of another merchant that shares this one's connections, specs and all other settings.

        It costs a few kilobytes and no connection: create one when it is needed, or keep it. Closing it does not close
        this client; closing this client, which owns the connections, ends both. The sub-merchants of a service provider
        need no client of their own: ``sub_mchid`` is a field.

        :class:`~wxpay_dsl.settings.options.MerchantOptions` lists the keywords. Raises ConfigurationError for settings
        that cannot work, TypeError for an unknown keyword or one that is not a merchant's own.
        """
        from wxpay_dsl.settings.options import MERCHANT, unexpected
        from wxpay_dsl.settings.secrets import masked
        from wxpay_dsl.wiring.client import assemble

        given = {"mchid": mchid, **masked(options)}
        del options
        if wrong := unexpected("as_merchant", given, MERCHANT):
            raise TypeError(wrong)
        other = type(self).__new__(type(self))
        other._settings = self.settings.for_merchant(given)  # noqa: SLF001 (of the same class)
        other._tree = self._tree  # noqa: SLF001
        other._root = Node(other)  # noqa: SLF001
        other._parts = assemble(other._settings, self._tree, self._assembled.shared)  # noqa: SLF001
        return other

    @property
    def tree(self) -> Tree:
        """The declared operations."""
        return self._tree

    @property
    def settings(self) -> Settings:
        """The settings of this client. Raises ConfigurationError if they are loaded now, and cannot work."""
        if self._settings is None:
            from wxpay_dsl.settings.settings import Settings

            self._settings = Settings.load({})
            if self._settings.specs != self._tree.folders[1:]:  # changed since the import
                self._tree = tree(self._settings.specs)
                for name in [name for name, value in vars(self).items() if isinstance(value, Node)]:
                    delattr(self, name)
                self._root = Node(self)
        return self._settings

    @property
    def _assembled(self) -> ClientParts:
        """The parts below the chain, assembled at the first call. Raises ClosedError, ConfigurationError."""
        if self._parts is None:
            if self._closed:
                from wxpay_dsl.core.errors import ClosedError

                raise ClosedError
            from wxpay_dsl.wiring.client import assemble

            self._parts = assemble(self.settings, self._tree)
            if type(self).call is Wechatpay.call:
                # A shortcut: from now on the chain finds the core client's method without the lookup below.
                self.__dict__["call"] = self._parts.client.call
        return self._parts

    @property
    def client(self) -> Client:
        """The core client, which the chain calls."""
        return self._assembled.client

    @property
    def keyring(self) -> Keyring:
        """The platform keys (微信支付公钥 / 平台证书) that this client verifies responses with."""
        return self._assembled.keyring

    @property
    def transport(self) -> Transport:
        """The connection pool, shared with the clients that :meth:`as_merchant` makes."""
        return self._assembled.shared.transport

    @property
    def drift(self) -> Reporter | None:
        """Reports differences to ``on_drift``; None if that is not set, or the settings are not loaded yet."""
        return self._settings.drift if self._settings is not None else None

    @property
    def merchant_keys(self) -> MerchantKeys:
        """The merchant's keys for verifying and decrypting notifications; ``Notifications(wxpay)`` uses them."""
        from wxpay_dsl.wechat.merchant_keys import MerchantKeys

        settings = self.settings
        return MerchantKeys(settings.mchid, self.keyring, settings.apiv3_key, settings.apiv2_key)

    @property
    def brand_merchant_keys(self) -> MerchantKeys:
        """The brand's keys for notifications: ``Notifications(wxpay, wxpay.brand_merchant_keys)``.

        Raises ConfigurationError if the client has no brand.
        """
        from wxpay_dsl.core.errors import ConfigurationError
        from wxpay_dsl.wechat.merchant_keys import MerchantKeys
        from wxpay_dsl.wechat.platform_keys.keyring import StaticKeyring

        brand = self.settings.brand
        if brand is None:
            raise ConfigurationError("this client has no brand: give `brand_id` and the brand's keys")
        return MerchantKeys(brand.credential.mchid, StaticKeyring(brand.keys), brand.api_key)

    def call(self, target: Target, data: Any, fields: Mapping[str, Any]) -> Coroutine[Any, Any, Response[Any]]:
        """Makes a call of the chain. ``data``: its positional argument; ``fields``: its keywords."""
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

        ``to``: any endpoint with a form, and ``fields`` its other fields; by default ``v3.merchant.media.video_upload``
        for a video, ``v3.merchant.media.upload`` for any other file. ``name`` and ``content_type`` are detected if the
        file has a name, or is an image or a PDF. The digest and the form's ``meta`` are computed.

        Raises ValidationError for a file that cannot be read or is too large, before anything is sent; and what a call
        raises.
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
        """A download to read inside ``async with``: streamed, decompressed, verified against its hash.

        ``source``: an endpoint (``wxpay.v3.bill.tradebill.get``, with its ``fields``), a response with a
        ``download_url``, or that URL. ``progress`` is called after each piece; ``limit``: maximum size of the
        decompressed file in bytes.

        Entering it raises ValidationError for a URL of a host that is not WeChat Pay's, and what a call raises.
        """
        from wxpay_dsl.core.http.download import MAX_UNPACKED, Download
        from wxpay_dsl.wechat.bills.downloads import plan

        def start() -> Coroutine[Any, Any, DownloadPlan]:
            return plan(self.client, source, data, fields, self.settings.decryptor)

        return Download(start, progress=progress, limit=MAX_UNPACKED if limit is None else limit)

    async def signed_url(self, source: Any, data: Any = None, /, **fields: Any) -> str:
        """The signed URL of a GET operation of APIv2, to redirect a browser to: for example of
        ``wxpay.v2.papay.entrustweb.get``, to sign a contract (委托代扣).

        Nothing is sent. Raises ValidationError for an operation that is signed in its headers or body, and what a call
        raises before sending.
        """
        from wxpay_dsl.wechat.v2.links import signed_url

        return await signed_url(self.client, source, data, fields)

    @property
    def payment_params(self) -> PaymentParams:
        """Parameters for requesting a payment (调起支付): ``await wxpay.payment_params.jsapi(response)``."""
        from wxpay_dsl.wechat.payment_params.builder import PaymentParams

        settings = self.settings
        return PaymentParams(settings.mchid, settings.signer, settings.apiv2_key)

    def preload(self) -> None:
        """Reads all specs now, so that no later call has to. Raises SpecError for a broken file."""
        self._tree.preload()

    if not TYPE_CHECKING:  # type checkers know the declared paths, and report a misspelt one

        def __getattr__(self, name: str) -> Node:
            # Called only for names that are not attributes: path segments.
            if name.startswith("_"):
                raise AttributeError(name)
            node = self.__dict__[name] = getattr(self._root, name)
            return node

    def __getitem__(self, segment: str) -> Node:
        """A literal path segment; what follows is not typed: ``wxpay["v3"]["my"].thing.post({})``."""
        return self._root[segment]

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *dir(self._root)]

    def __repr__(self) -> str:
        if self._settings is None:
            return "<Wechatpay, credentials from the environment or profile at the first call>"
        return f"<Wechatpay {self._settings.mchid} at {self._settings.base_url}>"

    def __copy__(self) -> Self:
        # A copy shares everything, connections included.
        other = type(self).__new__(type(self))
        other.__dict__.update(self.__dict__)
        return other

    def __reduce__(self) -> NoReturn:
        raise TypeError("a client holds keys and connections and is never pickled: create one in the other process")

    async def close(self) -> None:
        """Closes the client, and its connections if it owns them. Later calls raise ClosedError."""
        self._closed = True
        if self._parts is not None:
            await self._parts.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
