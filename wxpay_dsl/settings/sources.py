"""Where settings come from: arguments, the environment, and a TOML profile, in this order of precedence; unchecked."""

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
#: Bytes of a profile; a path that names a log or a device must not fill the memory.
_PROFILE_LIMIT: Final = 1024 * 1024
#: Settings that are secret as they stand.
_SECRET: Final = ("apiv3_key", "apiv2_key", "wecom_secret", "p12_password", "brand_api_key")


def merge(
    given: Mapping[str, Any], environment: Mapping[str, Any] | None, profile: str | Path | None
) -> dict[str, Any]:
    """What is given over the environment over the profile, unchecked but for the names, secrets masked.

    ``environment`` None is the process's own. Raises ConfigurationError.
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
    """The variables of the package alone, secrets masked."""
    found = {
        variable: environment[variable] for variable in (*ENVIRONMENT.values(), PROFILE) if variable in environment
    }
    secret = masked({name: found[variable] for name, variable in ENVIRONMENT.items() if variable in found})
    return {**found, **{ENVIRONMENT[name]: value for name, value in secret.items()}}


def read_profile(file: str | Path) -> Mapping[str, Any]:
    """The settings in a TOML profile, secrets masked; the files it names are found beside it.

    Raises ConfigurationError.
    """
    path = Path(file)
    raw = _toml(path)
    for name, value in raw.items():
        if name not in NAMES:
            table = "; settings stand at the top of a profile, below no [table]" if isinstance(value, dict) else ""
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
                    f"{path}: `{key_id}` stands below [{table}], where TOML takes it for the id of a platform key: "
                    f"move it above the line [{table}]"
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
        # It may be the profile's contents, secrets and all.
        raise ConfigurationError(f"`profile` is the name of a TOML file, not {shown_file(path)}")
    try:
        return masked(tomllib.loads(_text_of(path)))
    except OSError as error:
        said = f"cannot be read: {error.strerror}"
    except UnicodeDecodeError as error:
        kind = "UTF-16" if error.object[:2] in (b"\xff\xfe", b"\xfe\xff") else "another encoding"
        line = error.object.count(b"\n", 0, error.start) + 1
        said = f"is not TOML, which is UTF-8: it is in {kind} (line {line}); save it as UTF-8"
    except _TooLargeError:
        said = f"is larger than {_PROFILE_LIMIT} bytes: it is none"
    except tomllib.TOMLDecodeError as error:
        said = f"is not TOML: {error!s:.200}"
    except RecursionError:
        said = "is not TOML: it is nested too deep"
    except ValueError:
        said = "cannot be read: it is no name of a file"
    # Raised here, it does not hold on to the frames below, whose variables are the file's text.
    raise ConfigurationError(f"the profile {shown_file(path)} {said}")


class _TooLargeError(Exception):
    """The file has more bytes than a profile may have."""


def _text_of(path: Path) -> str:
    with path.open("rb") as file:
        data = file.read(_PROFILE_LIMIT + 1)
    if len(data) > _PROFILE_LIMIT:
        raise _TooLargeError
    # Editors of Windows begin UTF-8 with a byte-order mark.
    return data.decode("utf-8-sig")


def _beside(folder: Path, value: Any) -> Any:
    """A relative file name of a profile, from the profile's folder; anything else as it is."""
    if not isinstance(value, str) or "-----BEGIN" in value or value.startswith(("file://", "~")) or len(value) > 1024:
        return value
    candidate = folder / value
    return str(candidate) if candidate.exists() or "." in value or "/" in value else value


def named_keys(merged: Mapping[str, Any]) -> Mapping[str, Any]:
    """The platform keys of merged settings, by id, not yet loaded. Raises ConfigurationError."""
    certs = merged.get("platform_keys") or {}
    if isinstance(certs, str):
        certs = _keys_in_text(certs)
    if not isinstance(certs, Mapping):
        raise ConfigurationError(
            f"`platform_keys` is a mapping of platform key id (or certificate serial) to key, not {shown(certs)}"
        )
    return certs


def _keys_in_text(text: str) -> Mapping[str, Any]:
    """``ID=FILE,ID=FILE``, as the environment has it, on one line or several; or a JSON object of the same."""
    wanted = (
        f"`platform_keys` ({ENVIRONMENT['platform_keys']}) as text is ID=FILE,ID=FILE, such as PUB_KEY_ID_…=pub_key.pem"
    )
    if text.lstrip().startswith("{"):
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            raise ConfigurationError(f"{wanted}, or a JSON object; this begins as JSON and is none") from None
        if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
            raise ConfigurationError(f"{wanted}, or a JSON object of texts")
        return found
    # A PEM text has line breaks of its own.
    parts = text.split(",") if "-----BEGIN" in text else re.split(r"[,\n]", text)
    keys: dict[str, str] = {}
    for part in filter(None, map(str.strip, parts)):
        key_id, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals:
            raise ConfigurationError(f"{wanted}; {shown(part)} has no `=`")
        if key_id in keys:
            raise ConfigurationError(f"{wanted}; the id {shown(key_id)} is there twice")
        keys[key_id] = value
    return keys


def missing(name: str, what: str) -> str:
    """The sentence for a setting that nobody gave."""
    return (
        f"{what} is missing: give `{name}` as an argument, in the profile, or as {ENVIRONMENT[name]} in the environment"
    )
