"""Reads settings from arguments, the environment and a TOML profile, and merges them. Values are not checked here."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from wxpay_dsl.core.errors import ConfigurationError
from wxpay_dsl.core.files.names import is_file_name, shown_file
from wxpay_dsl.core.secrets import Secret
from wxpay_dsl.core.specs.grammar import nearest

from .file_permissions import warn_if_exposed
from .options import NAMES
from .redaction import shown
from .secrets import masked, revealed
from .spec_folders import PROFILE, beside

__all__ = ["ENVIRONMENT", "masked_environment", "merge", "missing", "named_keys", "read_profile"]

#: Settings whose values are not text, so that no environment variable gives them.
_NOT_TEXT: Final = ("strict", "undeclared", "validate", "hooks", "on_drift")
#: The environment variable of each setting that has one.
ENVIRONMENT: Final = {name: f"WXPAY_{name.upper()}" for name in NAMES if name not in _NOT_TEXT}
#: Maximum size of a profile in bytes, in case the path names a log or a device.
_PROFILE_LIMIT: Final = 1024 * 1024
#: Settings that are secret text.
_SECRET: Final = ("apiv3_key", "apiv2_key", "wecom_secret", "p12_password", "brand_api_key")


def merge(
    given: Mapping[str, Any], environment: Mapping[str, Any] | None, profile: str | Path | None
) -> dict[str, Any]:
    """The settings in ``given``, the environment and the profile, in this order of precedence, secrets masked.

    ``environment``: by default that of the process. Raises ConfigurationError for an unknown name or an unreadable
    profile; values are not checked.
    """
    given, environment = masked(given), masked_environment(os.environ if environment is None else environment)
    file = profile if profile is not None else environment.get(PROFILE) or None
    merged: dict[str, Any] = dict(read_profile(file)) if file is not None else {}
    merged |= {name: environment[variable] for name, variable in ENVIRONMENT.items() if environment.get(variable)}
    merged |= {name: value for name, value in given.items() if value is not None}
    for name in merged:
        if name not in NAMES:
            raise ConfigurationError(f"{name!r:.80} is not a setting{nearest(name[:80], NAMES)}")
    return merged


def masked_environment(environment: Mapping[str, Any]) -> dict[str, Any]:
    """The environment variables of this package, secrets masked."""
    present = {
        variable: environment[variable] for variable in (*ENVIRONMENT.values(), PROFILE) if variable in environment
    }
    secret = masked({name: present[variable] for name, variable in ENVIRONMENT.items() if variable in present})
    return {**present, **{ENVIRONMENT[name]: value for name, value in secret.items()}}


def read_profile(file: str | Path) -> Mapping[str, Any]:
    """The settings in a TOML profile, secrets masked. Relative file names are resolved against the profile's folder.

    Raises ConfigurationError for an unreadable file or an unknown name.
    """
    path = Path(file)
    raw = _toml(path)
    for name, value in raw.items():
        if name not in NAMES:
            table = "; settings belong at the top of a profile, outside any [table]" if isinstance(value, dict) else ""
            raise ConfigurationError(
                f"{shown_file(path)}: {name!r:.80} is not a setting{nearest(name[:80], NAMES)}{table}"
            )
    keys = raw.get("private_key"), raw.get("brand_private_key")
    if any(name in raw for name in _SECRET) or any(isinstance(key, Secret) for key in keys):
        warn_if_exposed(path, "secrets of the merchant (密钥)")
    folder = path.resolve().parent
    for name in ("private_key", "certificate", "p12", "ca", "brand_private_key"):
        if name in raw:
            raw[name] = _beside(folder, raw[name])
    if "://" not in str(revealed(raw.get("certificate_store", "://"))):
        raw["certificate_store"] = str(folder / Path(revealed(raw["certificate_store"])).expanduser())
    for table in ("platform_keys", "brand_platform_keys"):
        named = raw.get(table, {})
        if not isinstance(named, dict):
            raise ConfigurationError(f"{path}: `{table}` is a table of platform key id to file")
        for key_id in named:
            if key_id in NAMES:
                raise ConfigurationError(
                    f"{path}: `{key_id}` is below [{table}], so that TOML reads it as the id of a platform key: move "
                    f"it above the line [{table}]"
                )
        if table in raw:
            raw[table] = {key: _beside(folder, value) for key, value in named.items()}
    if "specs" in raw:
        try:
            raw["specs"] = beside(path, raw["specs"])
        except TypeError:
            raise ConfigurationError(f"{path}: `specs` is a list of folders") from None
    return raw


def _toml(path: Path) -> dict[str, Any]:
    import tomllib

    if not is_file_name(path):
        # The value may be the contents of a profile, with secrets.
        raise ConfigurationError(f"`profile` is the name of a TOML file, not {shown_file(path)}")
    try:
        return masked(tomllib.loads(_text_of(path)))
    except OSError as error:
        reason = f"cannot be read: {error.strerror}"
    except UnicodeDecodeError as error:
        kind = "UTF-16" if error.object[:2] in (b"\xff\xfe", b"\xfe\xff") else "another encoding"
        line = error.object.count(b"\n", 0, error.start) + 1
        reason = f"is not UTF-8, which TOML requires: it is in {kind} (line {line}); save it as UTF-8"
    except _TooLargeError:
        reason = f"is larger than {_PROFILE_LIMIT} bytes, so it is not a profile"
    except tomllib.TOMLDecodeError as error:
        reason = f"is not TOML: {error!s:.200}"
    except RecursionError:
        reason = "is not TOML: it is nested too deep"
    except ValueError:
        reason = "cannot be read: the name is not valid"
    # Raised outside the handlers, so that it does not refer to frames whose variables contain the file's text.
    raise ConfigurationError(f"the profile {shown_file(path)} {reason}")


class _TooLargeError(Exception):
    """The file is larger than a profile may be."""


def _text_of(path: Path) -> str:
    with path.open("rb") as file:
        data = file.read(_PROFILE_LIMIT + 1)
    if len(data) > _PROFILE_LIMIT:
        raise _TooLargeError
    # Some Windows editors write a byte-order mark.
    return data.decode("utf-8-sig")


def _beside(folder: Path, value: Any) -> Any:
    """A relative file name in a profile, resolved against the profile's folder; anything else unchanged."""
    if not isinstance(value, str) or "-----BEGIN" in value or value.startswith(("file://", "~")) or len(value) > 1024:
        return value
    candidate = folder / value
    return str(candidate) if candidate.exists() or "." in value or "/" in value else value


def named_keys(merged: Mapping[str, Any]) -> Mapping[str, Any]:
    """The platform keys of merged settings, by id, not yet loaded. Raises ConfigurationError."""
    keys = merged.get("platform_keys") or {}
    if isinstance(keys, str):
        keys = _keys_in_text(keys)
    if not isinstance(keys, Mapping):
        raise ConfigurationError(
            f"`platform_keys` is a mapping of platform key id (or certificate serial) to key, not {shown(keys)}"
        )
    return keys


def _keys_in_text(text: str) -> Mapping[str, Any]:
    """The keys in text: ``ID=FILE,ID=FILE``, on one line or several, or a JSON object. Raises ConfigurationError."""
    wanted = (
        f"`platform_keys` ({ENVIRONMENT['platform_keys']}) as text is ID=FILE,ID=FILE, such as PUB_KEY_ID_…=pub_key.pem"
    )
    if text.lstrip().startswith("{"):
        try:
            named = json.loads(text)
        except (ValueError, RecursionError):
            raise ConfigurationError(f"{wanted}, or a JSON object; this begins as JSON but is not valid JSON") from None
        if not isinstance(named, dict) or not all(isinstance(value, str) for value in named.values()):
            raise ConfigurationError(f"{wanted}, or a JSON object of texts")
        return named
    # PEM text contains line breaks.
    parts = text.split(",") if "-----BEGIN" in text else re.split(r"[,\n]", text)
    keys: dict[str, str] = {}
    for part in filter(None, map(str.strip, parts)):
        key_id, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals:
            raise ConfigurationError(f"{wanted}; {shown(part)} has no `=`")
        if key_id in keys:
            raise ConfigurationError(f"{wanted}; the id {shown(key_id)} occurs twice")
        keys[key_id] = value
    return keys


def missing(name: str, what: str) -> str:
    """The error message for the missing setting ``name``; ``what`` describes it."""
    return (
        f"{what} is missing: give `{name}` as an argument, in the profile, or as {ENVIRONMENT[name]} in the environment"
    )
