"""Credentials and options: from arguments, the environment, and a TOML profile, in this order of precedence.

Settings that cannot work are refused here, with a sentence that says which and why, before a client exists.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, get_args
from urllib.parse import urlsplit

from attrs import evolve, field, frozen
from cryptography import x509

from wxpay_dsl.connection_settings import ConnectionSettings
from wxpay_dsl.core.errors import ConfigurationError
from wxpay_dsl.core.grammar import nearest
from wxpay_dsl.core.hooks import Hook
from wxpay_dsl.core.request import Validate
from wxpay_dsl.file_permissions import warn_if_exposed
from wxpay_dsl.platform_key_settings import PlatformKeySettings
from wxpay_dsl.shown import shown
from wxpay_dsl.spec_folders import PROFILE, SPECS, as_list, beside
from wxpay_dsl.wechat import pem
from wxpay_dsl.wechat.absent import AbsentSigner
from wxpay_dsl.wechat.certificates import (
    Pkcs12,
    certificate_serial,
    load_certificate,
    load_pkcs12,
    public_key_matches,
)
from wxpay_dsl.wechat.decryptor import Decryptor, LocalDecryptor
from wxpay_dsl.wechat.environments_v2 import SANDBOXES, SandboxName
from wxpay_dsl.wechat.families import BASE_URL
from wxpay_dsl.wechat.keys import load_private_key
from wxpay_dsl.wechat.mutual_tls import ClientCertificate
from wxpay_dsl.wechat.platform_keys import PlatformKey, PlatformKeys, platform_key
from wxpay_dsl.wechat.shangmi import is_sm2
from wxpay_dsl.wechat.signer import LocalSigner, Signer

__all__ = ["ENVIRONMENT", "MERCHANT", "NAMES", "Settings", "merge", "named_keys", "read_profile"]

#: Each setting that text can say, and the environment variable that says it.
ENVIRONMENT: Final = {
    "mchid": "WXPAY_MCHID",
    "serial": "WXPAY_SERIAL",
    "private_key": "WXPAY_PRIVATE_KEY",
    "certificate": "WXPAY_CERTIFICATE",
    "p12": "WXPAY_P12",
    "p12_password": "WXPAY_P12_PASSWORD",
    "apiv3_key": "WXPAY_APIV3_KEY",
    "secret": "WXPAY_SECRET",
    "agent_secret": "WXPAY_AGENT_SECRET",
    "v2_sandbox": "WXPAY_V2_SANDBOX",
    "base_url": "WXPAY_BASE_URL",
    "ca": "WXPAY_CA",
    "proxy": "WXPAY_PROXY",
    "timeout": "WXPAY_TIMEOUT",
    "certs": "WXPAY_CERTS",
    "specs": SPECS,
    "max_connections": "WXPAY_MAX_CONNECTIONS",
    "retries": "WXPAY_RETRIES",
    "backup_url": "WXPAY_BACKUP_URL",
    "public_key_ratio": "WXPAY_PUBLIC_KEY_RATIO",
    "certificate_store": "WXPAY_CERTIFICATE_STORE",
    "certificates_path": "WXPAY_CERTIFICATES_PATH",
    "certificates_interval": "WXPAY_CERTIFICATES_INTERVAL",
    "certificates_minimum_interval": "WXPAY_CERTIFICATES_MINIMUM_INTERVAL",
}
NAMES: Final = (*ENVIRONMENT, "strict", "validate", "hooks")
#: The settings that are a merchant's own; all others are shared by the merchants of a process.
MERCHANT: Final = (
    "mchid",
    "serial",
    "private_key",
    "certificate",
    "p12",
    "p12_password",
    "certs",
    "apiv3_key",
    "secret",
    "agent_secret",
)
#: Settings that are secret as they stand, and those that name a file which is.
_SECRET: Final = ("apiv3_key", "secret", "agent_secret", "p12_password")
_SECRET_FILES: Final = {
    "private_key": "the merchant's private key (商户API私钥)",
    "p12": "the merchant's private key (商户API私钥), under a password that everybody knows",
}
#: What becomes of them.
_OWN: Final = ("mchid", "serial", "signer", "keys", "apiv3_key", "secret", "client_certificate", "agent_secret")

_MCHID: Final = re.compile(r"[0-9]{6,16}\Z")
_SERIAL: Final = re.compile(r"[0-9A-F]{8,40}\Z")


@frozen
class Settings:
    """All that a client is made from, checked and loaded. Nothing secret is in its repr."""

    #: 商户号
    mchid: str
    #: 商户API证书序列号
    serial: str
    signer: Signer = field(repr=False)
    #: 微信支付公钥 / 平台证书
    keys: PlatformKeys = field(repr=False)
    #: APIv3密钥, 32 bytes.
    apiv3_key: bytes | None = field(default=None, repr=False)
    #: APIv2密钥
    secret: str | None = field(default=None, repr=False)
    #: 商户API证书 with its key, for the operations of APIv2 that demand mutual TLS.
    client_certificate: ClientCertificate | None = field(default=None, repr=False)
    #: 企业微信应用的secret
    agent_secret: str | None = field(default=None, repr=False)
    #: The sandbox environment of APIv2 (仿真测试系统) where its calls go; None for the real service.
    v2_sandbox: SandboxName | None = None
    base_url: str = BASE_URL
    #: Whether ``base_url`` was chosen: then every call goes there, whatever host its spec names.
    one_host: bool = False
    specs: tuple[str, ...] = ()
    strict: bool = False
    validate: Validate = True
    #: Seconds for a whole call.
    timeout: float = 30.0
    proxy: str | None = field(default=None, repr=False)
    #: A PEM file, or its text, of authorities that are trusted beside the system's.
    ca: str | None = None
    connections: ConnectionSettings = field(factory=ConnectionSettings)
    platform_keys: PlatformKeySettings = field(factory=PlatformKeySettings)
    #: What runs around each call.
    hooks: tuple[Hook, ...] = field(default=(), repr=False)

    @classmethod
    def load(
        cls, given: Mapping[str, Any], environment: Mapping[str, str] = os.environ, profile: str | Path | None = None
    ) -> Settings:
        """Merges what is given over the environment over the profile, and checks the whole.

        ``profile`` is a TOML file; where it is None ``WXPAY_PROFILE`` may name one. Raises ConfigurationError.
        """
        merged = merge(given, environment, profile)
        settings = _checked(merged)
        for name, what in _SECRET_FILES.items():
            named = pem.file_of(merged.get(name))
            if named is not None:
                warn_if_exposed(named, what)
        return settings

    @property
    def decryptor(self) -> Decryptor | None:
        """Decrypts with the key that signs; None where that key is elsewhere and only signs."""
        if isinstance(self.signer, Decryptor):
            return self.signer
        return LocalDecryptor(self.signer.private_key) if isinstance(self.signer, LocalSigner) else None

    def for_merchant(self, given: Mapping[str, Any]) -> Settings:
        """The settings of another merchant in the same process: :data:`MERCHANT` as ``given``, all others as here.

        Neither the environment nor the profile is looked at: they are the first merchant's. Raises ConfigurationError.
        """
        own = Settings.load(given, environment={})
        return evolve(self, **{name: getattr(own, name) for name in _OWN})

    def __reduce__(self) -> str:
        raise TypeError("settings hold a private key and are never pickled")


def merge(given: Mapping[str, Any], environment: Mapping[str, str], profile: str | Path | None) -> dict[str, Any]:
    """What is given over the environment over the profile, unchecked but for the names. Raises ConfigurationError."""
    file = profile if profile is not None else environment.get(PROFILE) or None
    merged: dict[str, Any] = dict(read_profile(file)) if file is not None else {}
    merged |= {name: environment[variable] for name, variable in ENVIRONMENT.items() if environment.get(variable)}
    merged |= {name: value for name, value in given.items() if value is not None}
    for name in merged:
        if name not in NAMES:
            raise ConfigurationError(f"{name!r} is not a setting{nearest(name, NAMES)}")
    return merged


def read_profile(file: str | Path) -> Mapping[str, Any]:
    """The settings in a TOML profile; the files it names are found beside it. Raises ConfigurationError."""
    import tomllib

    path = Path(file)
    try:
        raw = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigurationError(f"the profile {path} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise ConfigurationError(f"the profile {path} is not TOML: {error}") from None
    for name in raw:
        if name not in NAMES:
            raise ConfigurationError(f"{path}: {name!r} is not a setting{nearest(name, NAMES)}")
    if any(name in raw for name in _SECRET) or "-----BEGIN" in str(raw.get("private_key")):
        warn_if_exposed(path, "secrets of the merchant (密钥)")
    folder = path.resolve().parent
    for name in ("private_key", "certificate", "p12", "ca"):
        if name in raw:
            raw[name] = _beside(folder, raw[name])
    store = raw.get("certificate_store")
    if isinstance(store, str) and "://" not in store:
        raw["certificate_store"] = str(folder / Path(store).expanduser())
    certs = raw.get("certs", {})
    if not isinstance(certs, dict):
        raise ConfigurationError(f"{path}: `certs` is a table of platform key id to file")
    if "certs" in raw:
        raw["certs"] = {key: _beside(folder, value) for key, value in certs.items()}
    if "specs" in raw:
        try:
            raw["specs"] = beside(path, raw["specs"])
        except TypeError:
            raise ConfigurationError(f"{path}: `specs` is a list of folders") from None
    return raw


def _beside(folder: Path, value: Any) -> Any:
    """A relative file name of a profile, from the profile's folder; anything else as it is."""
    if not isinstance(value, str) or "-----BEGIN" in value or value.startswith(("file://", "~")) or len(value) > 1024:
        return value
    candidate = folder / value
    return str(candidate) if candidate.exists() or "." in value or "/" in value else value


def _checked(merged: Mapping[str, Any]) -> Settings:
    mchid = _text(merged, "mchid", "the merchant id (商户号)")
    if not _MCHID.match(mchid):
        raise ConfigurationError(f"`mchid` (商户号) is digits only, such as 1900000109, not {shown(mchid)}")
    # APIv2 alone needs its own key, and a container for some operations; APIv3 says what it lacks when it is called.
    alone = merged.get("private_key") is None and merged.get("secret") is not None
    container = _container(merged, mchid)
    if container is not None:
        merged = {"private_key": container.private_key, "certificate": container.certificate, **merged}
    signer, serial = _signing(merged)
    keys = _platform_keys(merged, serial, signer, alone=alone)
    base_url = _base_url(merged)
    validate = merged.get("validate", True)
    if validate not in get_args(Validate):
        raise ConfigurationError(f"`validate` is True, False or 'strict', not {shown(validate)}")
    return Settings(
        mchid=mchid,
        serial=serial,
        signer=signer,
        keys=keys,
        apiv3_key=_apiv3_key(merged),
        secret=_secret(merged),
        client_certificate=_client_certificate(merged, signer, container),
        agent_secret=merged.get("agent_secret"),
        v2_sandbox=_v2_sandbox(merged),
        base_url=base_url or BASE_URL,
        one_host=base_url is not None,
        specs=_specs(merged),
        strict=bool(merged.get("strict", False)),
        validate=validate,
        timeout=_timeout(merged),
        proxy=_proxy(merged),
        ca=os.fspath(merged["ca"]).removeprefix("file://") if merged.get("ca") is not None else None,
        connections=ConnectionSettings.of(merged, base_url),
        platform_keys=PlatformKeySettings.of(merged, base_url),
        hooks=_hooks(merged),
    )


def _hooks(merged: Mapping[str, Any]) -> tuple[Hook, ...]:
    hooks = merged.get("hooks", ())
    if not isinstance(hooks, (list, tuple)) or not all(map(callable, hooks)):
        raise ConfigurationError("`hooks` is a list of functions that take a call and give a context manager")
    return tuple(hooks)


def _signing(merged: Mapping[str, Any]) -> tuple[Signer, str]:
    thing = merged.get("private_key")
    if thing is None:
        message = _missing("private_key", "the merchant's private key (商户API私钥, apiclient_key.pem)")
        if merged.get("secret") is None:
            raise ConfigurationError(message)
        return AbsentSigner(message), ""
    certificate = _certificate(merged)
    serial = str(merged.get("serial") or (certificate_serial(certificate) if certificate is not None else ""))
    serial = serial.replace(":", "").upper()
    if not serial:
        raise ConfigurationError(_missing("serial", "the serial of the merchant's certificate (商户API证书序列号)"))
    if serial.startswith("PUB_KEY_ID_"):
        raise ConfigurationError(
            "`serial` is WeChat Pay's public key id (微信支付公钥ID); here belongs the serial of the merchant's own "
            "certificate: openssl x509 -in apiclient_cert.pem -noout -serial"
        )
    if not _SERIAL.match(serial):
        raise ConfigurationError(f"`serial` is up to 40 hexadecimal digits, leading zeros kept, not {shown(serial)}")
    if certificate is not None and certificate_serial(certificate) != serial:
        raise ConfigurationError(f"`serial` is {serial}, but the certificate's is {certificate_serial(certificate)}")
    if isinstance(thing, Signer):
        return thing, serial
    if is_sm2(thing):
        from wxpay_dsl.wechat.signers.sm2 import Sm2Signer

        return Sm2Signer(thing), serial
    try:
        private_key = load_private_key(thing)
    except ConfigurationError as error:
        raise ConfigurationError(f"`private_key`: {error}") from None
    if certificate is not None and not public_key_matches(private_key, certificate):
        raise ConfigurationError(
            "`private_key` and `certificate` do not belong together: take both, apiclient_key.pem and "
            "apiclient_cert.pem, from the same download of the merchant platform"
        )
    return LocalSigner(private_key), serial


def _own(signer: Signer) -> str:
    """The fingerprint of a signer's own public key, where that is known."""
    key = PlatformKey("", signer.private_key.public_key()) if isinstance(signer, LocalSigner) else None
    return key.fingerprint if key is not None else ""


def named_keys(merged: Mapping[str, Any]) -> Mapping[str, Any]:
    """The platform keys of merged settings, by id, not yet loaded. Raises ConfigurationError."""
    certs = merged.get("certs") or {}
    if isinstance(certs, str):  # from the environment: ID=FILE,ID=FILE
        pairs = [pair.partition("=") for pair in certs.split(",") if pair.strip()]
        certs = {key.strip(): value.strip() for key, _, value in pairs}
    if not isinstance(certs, Mapping):
        raise ConfigurationError("`certs` is a mapping of platform key id (or certificate serial) to key")
    return certs


def _platform_keys(merged: Mapping[str, Any], serial: str, signer: Signer, *, alone: bool) -> PlatformKeys:
    keys = []
    for key_id, thing in named_keys(merged).items():
        if str(key_id).upper() == serial:
            raise ConfigurationError(
                f"`certs` holds the merchant's own certificate {serial}: here belong WeChat Pay's public key "
                f"(pub_key.pem with its PUB_KEY_ID_…) or its platform certificate, not apiclient_cert.pem"
            )
        try:
            key = platform_key(str(key_id), thing)
        except ConfigurationError as error:
            raise ConfigurationError(f"`certs`: {error}") from None
        if _own(signer) == key.fingerprint:
            raise ConfigurationError(
                f"`certs`: {key_id} holds the merchant's own public key; it must be the one of WeChat Pay "
                f"(微信支付公钥, pub_key.pem of the merchant platform)"
            )
        keys.append(key)
    if not keys and merged.get("apiv3_key") is None and not alone:
        raise ConfigurationError(
            "nothing to verify answers with: give `certs`, {'PUB_KEY_ID_…': 'pub_key.pem'} (微信支付公钥), or "
            "`apiv3_key` (APIv3密钥) so that the platform certificates (平台证书) can be downloaded"
        )
    return PlatformKeys(keys)


def _apiv3_key(merged: Mapping[str, Any]) -> bytes | None:
    value = merged.get("apiv3_key")
    if value is None:
        return None
    key = value.encode() if isinstance(value, str) else value
    if not isinstance(key, bytes) or len(key) != 32:
        length = f"{len(key)} bytes" if isinstance(key, bytes) else type(value).__name__
        raise ConfigurationError(f"`apiv3_key` (APIv3密钥) is 32 bytes, as set on the merchant platform, not {length}")
    return key


def _secret(merged: Mapping[str, Any]) -> str | None:
    value = merged.get("secret")
    if value is None:
        return None
    if not isinstance(value, str) or not value.isascii() or len(value) != 32:
        raise ConfigurationError("`secret` (APIv2密钥) is 32 ASCII characters, as set on the merchant platform")
    return value


def _container(merged: Mapping[str, Any], mchid: str) -> Pkcs12 | None:
    """What ``p12`` holds; its password is the merchant id unless the merchant changed it."""
    if merged.get("p12") is None:
        return None
    try:
        return load_pkcs12(merged["p12"], merged.get("p12_password") or mchid)
    except ConfigurationError as error:
        raise ConfigurationError(f"`p12`: {error}") from None


def _certificate(merged: Mapping[str, Any]) -> x509.Certificate | None:
    if merged.get("certificate") is None:
        return None
    try:
        return load_certificate(merged["certificate"])
    except ConfigurationError as error:
        raise ConfigurationError(f"`certificate`: {error}") from None


def _client_certificate(
    merged: Mapping[str, Any], signer: Signer, container: Pkcs12 | None
) -> ClientCertificate | None:
    if container is not None:
        return ClientCertificate(container.private_key, container.certificate, container.chain)
    certificate = _certificate(merged)
    if certificate is None or not isinstance(signer, LocalSigner):
        return None
    return ClientCertificate(signer.private_key, certificate)


def _v2_sandbox(merged: Mapping[str, Any]) -> SandboxName | None:
    value = merged.get("v2_sandbox")
    if value is not None and value not in SANDBOXES:
        raise ConfigurationError(
            f"`v2_sandbox` is one of {', '.join(SANDBOXES)}, not {shown(value)}{nearest(str(value), SANDBOXES)}"
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
    if parts.scheme == "http" and parts.hostname not in ("127.0.0.1", "localhost", "::1"):
        raise ConfigurationError(f"`base_url` {shown(value)}: only a loopback address is called without TLS")
    return str(value).rstrip("/")


def _proxy(merged: Mapping[str, Any]) -> str | None:
    value = merged.get("proxy")
    if value is None:
        return None
    try:
        parts = urlsplit(str(value))
        whole = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        whole = False
    if not whole or not str(value).isprintable():
        # Never the value: it may hold a password.
        raise ConfigurationError("`proxy` is the URL of a forward proxy, such as http://user:password@127.0.0.1:3128")
    return str(value)


def _timeout(merged: Mapping[str, Any]) -> float:
    try:
        seconds = float(merged.get("timeout", 30.0))
    except (TypeError, ValueError):
        seconds = 0.0
    if not 0 < seconds < 86400:
        raise ConfigurationError(f"`timeout` is seconds above 0, not {shown(merged['timeout'])}")
    return seconds


def _specs(merged: Mapping[str, Any]) -> tuple[str, ...]:
    try:
        folders = tuple(as_list(merged.get("specs", ())))
    except TypeError:
        raise ConfigurationError(f"`specs` is a list of folders, not {shown(merged['specs'])}") from None
    for folder in folders:
        if not Path(folder).is_dir():
            raise ConfigurationError(f"`specs`: {folder} is no folder, seen from {Path.cwd()}")
    return folders


def _text(merged: Mapping[str, Any], name: str, what: str) -> str:
    value = merged.get(name)
    if value is None or value == "":
        raise ConfigurationError(_missing(name, what))
    return str(value)


def _missing(name: str, what: str) -> str:
    return (
        f"{what} is missing: give `{name}` as an argument, in the profile, or as {ENVIRONMENT[name]} in the environment"
    )
