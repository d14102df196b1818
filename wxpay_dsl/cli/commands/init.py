"""``wxpay init``: makes a profile from what the merchant platform hands out, and prompts for the rest."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

import click

from wxpay_dsl.cli.input.options import json_option
from wxpay_dsl.core.errors import ConfigurationError

if TYPE_CHECKING:
    from wxpay_dsl.wechat.crypto.merchant_files import MerchantFiles

__all__ = ["init"]

_HELP = """Make a profile and check it. 生成配置

Takes the zip of the merchant platform as downloaded (or apiclient_cert.p12, or the folder of the unpacked files),
writes apiclient_key.pem, apiclient_cert.pem, pub_key.pem and the profile with mode 0600, and runs `wxpay doctor`. It
prompts for what no option gives; secrets come from WXPAY_APIV3_KEY and WXPAY_APIV2_KEY, or from a prompt that does not
show them. Existing files are overwritten only after confirmation.

\b
Examples:
  wxpay init
  wxpay init shop/wxpay.toml --from 1900000109_20260101_cert.zip
  WXPAY_APIV3_KEY=… wxpay init --from cert.zip --public-key pub_key.pem --public-key-id PUB_KEY_ID_…

Exit code 0 if the profile is made and no check of doctor fails, 1 if one does.
"""

_FILE: Final = click.Path(path_type=Path)
_PUBLIC_KEY: Final = "pub_key.pem"
_SOURCE: Final = "Your certificate (商户API证书): the zip as downloaded, apiclient_cert.p12, or a folder"
_MCHID: Final = "Merchant id (商户号)"
_PUBLIC_KEY_TITLE: Final = "WeChat Pay's public key (微信支付公钥), pub_key.pem; empty in certificate mode"

T = TypeVar("T")


@click.command(help=_HELP)
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), default=Path("wxpay.toml"))
@click.option(
    "--from", "source", metavar="PATH", type=_FILE, help="The zip, the .p12, or the folder of both PEM files."
)
@click.option("--mchid", metavar="ID", help="The merchant id (商户号); by default that of the certificate.")
@click.option("--public-key", metavar="FILE", type=_FILE, help="WeChat Pay's public key (微信支付公钥), pub_key.pem.")
@click.option("--public-key-id", metavar="ID", help="Its id, PUB_KEY_ID_…")
@click.option("--base-url", metavar="URL", help="The URL of another service than WeChat Pay, such as a sandbox.")
@click.option("--check/--no-check", default=True, help="Whether to run `wxpay doctor` at the end; on by default.")
@json_option
def init(
    file: Path,
    source: Path | None,
    mchid: str | None,
    public_key: Path | None,
    public_key_id: str | None,
    base_url: str | None,
    check: bool,  # noqa: FBT001 (a flag of the command line)
    as_json: bool,  # noqa: FBT001 (likewise)
) -> int:
    from wxpay_dsl.cli.output.terminal import note, write_json
    from wxpay_dsl.wechat.crypto.certificates import certificate_serial

    merchant_files, mchid, location = _merchant(source, mchid)
    platform_key = _platform_key(public_key, public_key_id, location)
    apiv3_key = _secret("apiv3_key", "APIv3 key (APIv3密钥), 32 characters", needed=not platform_key)
    apiv2_key = _secret("apiv2_key", "APIv2 key (APIv2密钥), 32 characters", needed=False)
    settings = {
        "mchid": mchid,
        "serial": certificate_serial(merchant_files.certificate),
        "private_key": "apiclient_key.pem",
        "certificate": "apiclient_cert.pem",
        "apiv3_key": apiv3_key,
        "apiv2_key": apiv2_key,
        "base_url": base_url or "",
    }
    files = dict(merchant_files.pem)
    if platform_key:
        files[_PUBLIC_KEY] = platform_key[1]
    files[file.name] = _profile(settings, platform_key[0] if platform_key else "").encode()
    written = _write(file.parent, files)
    result = {"profile": str(file), "written": [str(path) for path in written]}
    if not as_json:
        for path in written:
            note(f"written: {path} (0600)")
    if not check:
        if as_json:
            write_json(result)
        return 0
    from .doctor import run_checks

    return 0 if run_checks(file, as_json=as_json, extra=result) else 1


def _merchant(source: Path | None, mchid: str | None) -> tuple[MerchantFiles, str, Path]:
    """``(files, mchid, path)``: the merchant's key and certificate, the merchant id, and where the files are."""
    from wxpay_dsl.wechat.crypto.certificates import certificate_subject
    from wxpay_dsl.wechat.crypto.merchant_files import needs_password, read_merchant_files

    def read(text: str) -> tuple[MerchantFiles, Path]:
        path = Path(text).expanduser()
        if not needs_password(path):
            return read_merchant_files(path), path
        # The password is the merchant id unless it was changed.
        password = os.environ.get("WXPAY_P12_PASSWORD") or mchid or _prompt("--mchid", _MCHID, _digits)
        try:
            return read_merchant_files(path, password), path
        except ConfigurationError as error:
            if "wrong password" not in str(error) or not sys.stdin.isatty():
                raise
        password = click.prompt("Password of the container", hide_input=True, err=True)
        return read_merchant_files(path, password), path

    files, path = read(str(source)) if source is not None else _prompt("--from", _SOURCE, read)
    subject = certificate_subject(files.certificate)
    chosen = _digits(mchid or subject or _prompt("--mchid", _MCHID, _digits))
    if subject and chosen != subject:
        raise ConfigurationError(f"--mchid is {chosen}, but the certificate is that of merchant {subject}")
    return files, chosen, path


def _platform_key(file: Path | None, key_id: str | None, source: Path) -> tuple[str, bytes] | None:
    """``(id, PEM)`` of WeChat Pay's public key; None in certificate mode."""
    from wxpay_dsl.wechat.crypto.platform_key import is_public_key_id, platform_key

    def read(text: str) -> Path | None:
        if not text:
            return None
        path = Path(text).expanduser()
        platform_key("PUB_KEY_ID_0", path)  # checks the file; the real id is read below
        return path

    def read_id(text: str) -> str:
        if not is_public_key_id(text.strip()):
            raise ConfigurationError("the id begins with PUB_KEY_ID_ (商户平台-API安全-微信支付公钥)")
        return text.strip()

    if file is not None:
        path = read(str(file))
    else:
        beside = (source if source.is_dir() else source.parent) / _PUBLIC_KEY
        default = str(beside) if beside.is_file() else ""
        path = _prompt("--public-key", _PUBLIC_KEY_TITLE, read, default=default, needed=False)
    if path is None:
        if key_id is not None:
            raise click.UsageError("--public-key-id needs --public-key, the file of the key")
        return None
    chosen = read_id(key_id) if key_id is not None else _prompt("--public-key-id", "Its id, PUB_KEY_ID_…", read_id)
    return chosen, path.read_bytes()


def _secret(name: str, title: str, *, needed: bool) -> str:
    """A secret key from the environment, or from a prompt that does not show it; empty if there is none."""
    from wxpay_dsl.settings.settings import ENVIRONMENT

    def read(text: str) -> str:
        if len(text.encode()) != 32 and (text or needed):
            raise ConfigurationError(f"{title}: it is 32 characters, not {len(text)}")
        return text

    variable = ENVIRONMENT[name]
    value = os.environ.get(variable)
    if value:
        return read(value)
    label = title if needed else f"{title}; empty for none"
    return _prompt(variable, f"{label} (not shown)", read, default="", needed=needed, hide=True)


def _prompt(
    option: str,
    text: str,
    read: Callable[[str], T],
    *,
    default: str | None = None,
    needed: bool = True,
    hide: bool = False,
) -> T:
    """Prompts on the terminal until ``read`` accepts the input, and returns its value.

    Without a terminal the default is taken. Raises UsageError there if the value is ``needed``.
    """
    from wxpay_dsl.cli.output.terminal import note

    if not sys.stdin.isatty():
        if needed:
            raise click.UsageError(f"cannot prompt without a terminal: give {option} ({text})")
        return read(default or "")
    while True:
        value = click.prompt(text, default=default, show_default=bool(default), hide_input=hide, err=True)
        try:
            return read(value.strip())
        except ConfigurationError as error:
            note(str(error))


def _digits(text: str) -> str:
    if not text.isdigit():
        raise ConfigurationError(f"the merchant id (商户号) is digits only, such as 1900000109, not {text[:20]!r}")
    return text


def _profile(settings: Mapping[str, str], key_id: str) -> str:
    # A JSON string is a valid TOML basic string.
    lines = [f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in settings.items() if value]
    table = ["", "[platform_keys]", f"{json.dumps(key_id)} = {json.dumps(_PUBLIC_KEY)}"] if key_id else []
    return "\n".join(["# Made by `wxpay init`. It holds secrets: keep it out of version control.", *lines, *table, ""])


def _write(folder: Path, files: Mapping[str, bytes]) -> list[Path]:
    """Writes the files with mode 0600; a file with other content is overwritten only after confirmation.

    Raises UsageError without a terminal to confirm, or if a file cannot be written.
    """
    from wxpay_dsl.settings.file_permissions import write_private

    contents = {folder / name: content for name, content in files.items()}
    try:
        existing = [path for path, content in contents.items() if path.exists() and path.read_bytes() != content]
        if existing:
            shown = ", ".join(str(path) for path in existing)
            if not sys.stdin.isatty():
                raise click.UsageError(
                    f"{shown}: already exists; run on a terminal to confirm overwriting, or move it away"
                )
            click.confirm(f"Overwrite {shown}?", abort=True, err=True)
        folder.mkdir(parents=True, exist_ok=True)
        for path, content in contents.items():
            write_private(path, content)
    except OSError as error:
        raise click.UsageError(f"{error.filename or folder}: {error.strerror}") from None
    return list(contents)
