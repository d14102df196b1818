"""The settings of a client: merged from arguments, the environment and a TOML profile, in this order, and checked.

Settings that cannot work raise ConfigurationError here, before a client exists.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast, get_args
from urllib.parse import urlsplit

from attrs import evolve, field, fields, frozen

from wxpay_dsl._version import __version__
from wxpay_dsl.core.errors import ConfigurationError
from wxpay_dsl.core.files.names import is_file_name, shown_file
from wxpay_dsl.core.messages import Validate
from wxpay_dsl.core.observe.hooks import Hook
from wxpay_dsl.core.origins import LOOPBACK, Origins, is_origin
from wxpay_dsl.core.specs.grammar import nearest
from wxpay_dsl.wechat.chains import BASE_URL
from wxpay_dsl.wechat.crypto import pem
from wxpay_dsl.wechat.crypto.decryptor import Decryptor, LocalDecryptor
from wxpay_dsl.wechat.service_hosts import service_origins
from wxpay_dsl.wechat.signers.local import LocalSigner
from wxpay_dsl.wechat.v2.environments import SANDBOXES, SandboxName

from .connections import ConnectionSettings, number_of
from .credentials import Credentials, load_credentials
from .file_permissions import warn_if_exposed
from .options import MERCHANT, NAMES
from .platform_keys import PlatformKeySettings
from .redaction import shown
from .secrets import masked, revealed
from .sources import ENVIRONMENT, masked_environment, merge, named_keys, read_profile
from .spec_folders import as_list

if TYPE_CHECKING:
    from wxpay_dsl.core.observe.drift import OnDrift, Reporter

__all__ = ["ENVIRONMENT", "MERCHANT", "NAMES", "Settings", "merge", "named_keys", "read_profile"]

#: Settings that may name a secret file, and its description for warnings.
_SECRET_FILES: Final = {
    "private_key": "the merchant's private key (商户API私钥)",
    "p12": "the merchant's private key (商户API私钥), under a well-known password",
    "brand_private_key": "the brand's private key (品牌API证书私钥)",
}


@frozen
class Settings(Credentials):
    """A client's whole configuration, checked and loaded: the merchant's credentials, and the options.

    Its repr shows no secret, and it cannot be pickled.
    """

    #: The sandbox environment of APIv2 (仿真测试系统) that its calls go to; None for the real service.
    v2_sandbox: SandboxName | None = None
    base_url: str = BASE_URL
    #: Whether ``base_url`` was given: then every call goes there, whatever host its spec names.
    one_host: bool = False
    #: Origins beside WeChat Pay's hosts, ``base_url`` and ``backup_url`` to which signed calls may go.
    hosts: tuple[str, ...] = ()
    specs: tuple[str, ...] = ()
    strict: bool = False
    #: Send fields to an undeclared path even if a similar declared path encrypts some of them.
    undeclared: bool = False
    validate: Validate = True
    #: Seconds for a whole call, retries included.
    timeout: float = 30.0
    proxy: str | None = field(default=None, repr=False)
    #: PEM file, or its text, of certificate authorities trusted beside the system's.
    ca: str | None = None
    connections: ConnectionSettings = field(factory=ConnectionSettings)
    platform_keys: PlatformKeySettings = field(factory=PlatformKeySettings)
    #: Context-manager functions run around each call.
    hooks: tuple[Hook, ...] = field(default=(), repr=False)
    #: Reports differences of responses and notifications from their specs; None if nothing is compared.
    drift: Reporter | None = field(default=None, repr=False)

    @classmethod
    def load(
        cls,
        given: Mapping[str, Any],
        environment: Mapping[str, str] | None = None,
        profile: str | Path | None = None,
    ) -> Settings:
        """Merges the arguments in ``given``, the environment and the profile, in this order of precedence, and checks.

        ``environment``: by default that of the process. ``profile``: a TOML file, by default the one that the variable
        ``WXPAY_PROFILE`` names. Raises ConfigurationError.
        """
        # Masked first, so that no frame of an error contains a secret.
        given, environment = masked(given), None if environment is None else masked_environment(environment)
        merged = merge(given, environment, profile)
        settings = _checked(merged)
        for name, what in _SECRET_FILES.items():
            named = pem.file_of(revealed(merged.get(name)))
            if named is not None:
                warn_if_exposed(named, what)
        return settings

    @property
    def origins(self) -> Origins:
        """The origins that signed requests may go to."""
        backup = self.connections.backup_url
        return service_origins([self.base_url, *([backup] if backup else []), *self.hosts])

    @property
    def decryptor(self) -> Decryptor | None:
        """Decrypts with the key that signs; None if the signer has no local key and cannot decrypt."""
        if isinstance(self.signer, Decryptor):
            return self.signer
        return LocalDecryptor(self.signer.private_key) if isinstance(self.signer, LocalSigner) else None

    def for_merchant(self, given: Mapping[str, Any]) -> Settings:
        """The settings of another merchant in the same process: :data:`MERCHANT` from ``given``, all others from here.

        The environment and the profile are ignored, as they belong to the first merchant. Raises ConfigurationError.
        """
        given = masked(given)
        return evolve(self, **_credentials_of(Settings.load(given, environment={})))

    def __reduce__(self) -> str:
        raise TypeError("settings hold a private key and are never pickled")


def _credentials_of(credentials: Credentials) -> dict[str, Any]:
    return {each.name: getattr(credentials, each.name) for each in fields(Credentials)}


def _checked(merged: Mapping[str, Any]) -> Settings:
    credentials = load_credentials(merged)
    base_url = _base_url(merged)
    validate = merged.get("validate", True)
    if validate not in get_args(Validate):
        raise ConfigurationError(f"`validate` is True, False or 'strict', not {shown(validate)}")
    if merged.get("strict") and merged.get("undeclared"):
        raise ConfigurationError("`strict` and `undeclared` exclude each other: a strict client refuses such paths")
    return Settings(
        **_credentials_of(credentials),
        v2_sandbox=_v2_sandbox(merged),
        base_url=base_url or BASE_URL,
        one_host=base_url is not None,
        hosts=_hosts(merged),
        specs=_specs(merged),
        strict=_switch(merged, "strict"),
        undeclared=_switch(merged, "undeclared"),
        validate=validate,
        timeout=_timeout(merged),
        proxy=_proxy(merged),
        ca=_ca(merged),
        connections=ConnectionSettings.of(merged, base_url),
        platform_keys=PlatformKeySettings.of(merged, base_url),
        hooks=_hooks(merged),
        drift=_drift(merged),
    )


def _switch(merged: Mapping[str, Any], name: str) -> bool:
    value = merged.get(name, False)
    if not isinstance(value, bool):
        # The text "false" would be true in Python.
        raise ConfigurationError(f"`{name}` is true or false, without quotes, not {shown(value)}")
    return value


def _ca(merged: Mapping[str, Any]) -> str | None:
    value = merged.get("ca")
    if value is None:
        return None
    if not isinstance(value, (str, os.PathLike)):
        raise ConfigurationError(f"`ca` is a PEM file, or its text, not {type(value).__name__}")
    text = os.fsdecode(value).removeprefix("file://")
    if "-----BEGIN" not in text and not is_file_name(text):
        raise ConfigurationError(f"`ca` is a PEM file, or its text, not {shown_file(text)}")
    return text


def _hooks(merged: Mapping[str, Any]) -> tuple[Hook, ...]:
    hooks = merged.get("hooks", ())
    if not isinstance(hooks, (list, tuple)) or not all(map(callable, hooks)):
        raise ConfigurationError("`hooks` is a list of functions that take a call and give a context manager")
    return tuple(hooks)


def _drift(merged: Mapping[str, Any]) -> Reporter | None:
    on_drift = merged.get("on_drift")
    if on_drift is None:
        return None
    from wxpay_dsl.core.observe.drift import Reporter, drift_log

    if isinstance(on_drift, (str, os.PathLike)):
        try:
            return Reporter(drift_log(Path(on_drift), __version__))
        except OSError as error:
            raise ConfigurationError(f"`on_drift` {shown(on_drift)} cannot be written: {error.strerror}") from None
    if not callable(on_drift):
        raise ConfigurationError("`on_drift` is a function that takes a Drift, or the file that differences go to")
    return Reporter(cast("OnDrift", on_drift))


def _v2_sandbox(merged: Mapping[str, Any]) -> SandboxName | None:
    value = merged.get("v2_sandbox")
    if value is not None and value not in SANDBOXES:
        raise ConfigurationError(
            f"`v2_sandbox` is one of {', '.join(SANDBOXES)}, not {shown(value)}{nearest(str(value)[:80], SANDBOXES)}"
        )
    return value


def _base_url(merged: Mapping[str, Any]) -> str | None:
    value = merged.get("base_url")
    if value is None:
        return None
    wrong = ConfigurationError(f"`base_url` is an origin such as {BASE_URL}, not {shown(value)}")
    try:
        parts = urlsplit(str(value))
        whole = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0 and "@" not in parts.netloc
    except ValueError:
        raise wrong from None
    if not whole or parts.query or parts.fragment:
        raise wrong
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        raise ConfigurationError(f"`base_url` {shown(value)}: only a loopback address is called without TLS")
    return str(value).rstrip("/")


def _hosts(merged: Mapping[str, Any]) -> tuple[str, ...]:
    value = merged.get("hosts", ())
    if isinstance(value, str):  # from the environment
        value = [origin.strip() for origin in value.split(",") if origin.strip()]
    if not isinstance(value, (list, tuple)):
        raise ConfigurationError(f"`hosts` is a list of origins such as https://pay.example.com, not {shown(value)}")
    for origin in value:
        if not isinstance(origin, str) or not is_origin(origin):
            message = "is an origin such as https://pay.example.com, without a path (http:// for loopback alone)"
            raise ConfigurationError(f"`hosts`: each {message}, not {shown(origin)}")
    return tuple(value)


def _proxy(merged: Mapping[str, Any]) -> str | None:
    value = merged.get("proxy")
    if value is None:
        return None
    if not _is_proxy(revealed(value)):
        # The value is not shown: it may contain a password.
        raise ConfigurationError("`proxy` is the URL of a forward proxy, such as http://user:password@127.0.0.1:3128")
    return str(revealed(value))


def _is_proxy(value: object) -> bool:
    try:
        parts = urlsplit(str(value))
        whole = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        return False
    return bool(whole) and str(value).isprintable()


def _timeout(merged: Mapping[str, Any]) -> float:
    seconds = number_of(merged.get("timeout", 30.0))
    if not 0 < seconds < 86400:
        raise ConfigurationError(f"`timeout` is seconds above 0, not {shown(merged['timeout'])}")
    return seconds


def _specs(merged: Mapping[str, Any]) -> tuple[str, ...]:
    try:
        folders = tuple(as_list(merged.get("specs", ())))
    except TypeError:
        raise ConfigurationError(f"`specs` is a list of folders, not {shown(merged['specs'])}") from None
    for folder in folders:
        if not is_file_name(folder) or not os.path.isdir(folder):  # noqa: PTH112 (Path's raises for long names)
            raise ConfigurationError(f"`specs`: {shown_file(folder)} is not a folder (relative to {Path.cwd()})")
    return folders
