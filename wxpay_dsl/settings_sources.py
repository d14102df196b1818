"""Where settings come from: arguments, the environment, and a TOML profile, in this order of precedence; unchecked."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from wxpay_dsl.core.errors import ConfigurationError
from wxpay_dsl.core.grammar import nearest
from wxpay_dsl.file_permissions import warn_if_exposed
from wxpay_dsl.spec_folders import PROFILE, SPECS, beside

__all__ = ["ENVIRONMENT", "NAMES", "merge", "missing", "named_keys", "read_profile"]

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
    "brand_id": "WXPAY_BRAND_ID",
    "brand_serial": "WXPAY_BRAND_SERIAL",
    "brand_private_key": "WXPAY_BRAND_PRIVATE_KEY",
    "brand_certs": "WXPAY_BRAND_CERTS",
    "brand_api_key": "WXPAY_BRAND_API_KEY",
}
NAMES: Final = (*ENVIRONMENT, "strict", "validate", "hooks", "on_drift")
#: Settings that are secret as they stand.
_SECRET: Final = ("apiv3_key", "secret", "agent_secret", "p12_password", "brand_api_key")


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
    keys = str(raw.get("private_key")), str(raw.get("brand_private_key"))
    if any(name in raw for name in _SECRET) or any("-----BEGIN" in key for key in keys):
        warn_if_exposed(path, "secrets of the merchant (密钥)")
    folder = path.resolve().parent
    for name in ("private_key", "certificate", "p12", "ca", "brand_private_key"):
        if name in raw:
            raw[name] = _beside(folder, raw[name])
    store = raw.get("certificate_store")
    if isinstance(store, str) and "://" not in store:
        raw["certificate_store"] = str(folder / Path(store).expanduser())
    for name in ("certs", "brand_certs"):
        if name in raw and not isinstance(raw[name], dict):
            raise ConfigurationError(f"{path}: `{name}` is a table of platform key id to file")
        if name in raw:
            raw[name] = {key: _beside(folder, value) for key, value in raw[name].items()}
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


def named_keys(merged: Mapping[str, Any]) -> Mapping[str, Any]:
    """The platform keys of merged settings, by id, not yet loaded. Raises ConfigurationError."""
    certs = merged.get("certs") or {}
    if isinstance(certs, str):  # from the environment: ID=FILE,ID=FILE
        pairs = [pair.partition("=") for pair in certs.split(",") if pair.strip()]
        certs = {key.strip(): value.strip() for key, _, value in pairs}
    if not isinstance(certs, Mapping):
        raise ConfigurationError("`certs` is a mapping of platform key id (or certificate serial) to key")
    return certs


def missing(name: str, what: str) -> str:
    """The sentence for a setting that nobody gave."""
    return (
        f"{what} is missing: give `{name}` as an argument, in the profile, or as {ENVIRONMENT[name]} in the environment"
    )
