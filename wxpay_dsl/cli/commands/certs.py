"""``wxpay certs``: downloads WeChat Pay's platform certificates, shows them, and saves them as PEM."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from wxpay_dsl.cli.input.options import json_option, profile_option

if TYPE_CHECKING:
    from wxpay_dsl import Wechatpay
    from wxpay_dsl.wechat.crypto.platform_key import PlatformKey

__all__ = ["certs"]

_HELP = """Download the platform certificates and show them. 下载平台证书

They are decrypted with the APIv3 key, and the response is verified with the certificate that it contains. In public-key
mode (微信支付公钥) there are none: the configured public key is shown.

\b
Examples:
  wxpay certs --profile wxpay.toml
  wxpay certs --out certs/            # one PEM file each, named by its serial
  wxpay certs --json | jq -r '.[0].id'
"""


@click.command(help=_HELP)
@profile_option
@click.option(
    "--out",
    metavar="FOLDER",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write each as a PEM file into this folder.",
)
@json_option
def certs(profile: Path | None, out: Path | None, as_json: bool) -> None:  # noqa: FBT001 (a flag of the command line)
    from wxpay_dsl import Wechatpay
    from wxpay_dsl.cli.output.terminal import note, write_json

    keys = asyncio.run(_download(Wechatpay(profile=profile)))
    now = datetime.now(UTC)
    if as_json:
        write_json([_described(key, now) for key in keys])
    else:
        _show(keys, now)
    if out is not None:
        for path in _save(keys, out):
            note(f"written: {path}")


async def _download(wxpay: Wechatpay) -> list[PlatformKey]:
    """Downloads the certificates and returns all platform keys of the client, configured public keys included."""
    from wxpay_dsl.cli.output.terminal import note
    from wxpay_dsl.core.errors import ConfigurationError, ServiceError
    from wxpay_dsl.wechat.platform_keys.refreshing import RefreshingKeyring

    async with wxpay:
        keyring = wxpay.keyring
        if not isinstance(keyring, RefreshingKeyring):
            raise ConfigurationError(
                "certificates are encrypted: give `apiv3_key` (APIv3密钥) in the profile, or as WXPAY_APIV3_KEY"
            )
        try:
            await keyring.refresh()
        except ServiceError as error:
            # In public-key mode the service has no certificates: it answers 404 or 500.
            if error.status not in (404, 500) or not len(keyring.keys):
                raise
            note(f"no certificates, public-key mode only: {error.status} {error.code} {error.message}")
        return list(keyring.keys)


def _described(key: PlatformKey, now: datetime) -> dict[str, Any]:
    return {
        "id": key.id,
        "kind": "public_key" if key.certificate is None else "certificate",
        "not_before": key.not_before.isoformat() if key.not_before else None,
        "not_after": key.not_after.isoformat() if key.not_after else None,
        "valid": key.valid_at(now),
    }


def _show(keys: Iterable[PlatformKey], now: datetime) -> None:
    from rich.table import Table

    from wxpay_dsl.cli.output.terminal import stdout

    table = Table(box=None, pad_edge=False, expand=False)
    # Serials are copied from here: fold them, never truncate.
    table.add_column("serial or id 序列号", overflow="fold")
    for title in ("from 生效", "until 失效", "days left 剩余天数"):
        table.add_column(title, no_wrap=title != "days left 剩余天数")
    for key in keys:
        begins = f"{key.not_before:%Y-%m-%d}" if key.not_before else ""
        ends, left = "does not expire", ""
        if key.not_after is not None:
            ends, left = f"{key.not_after:%Y-%m-%d}", str((key.not_after - now).days)
        table.add_row(key.id, begins, ends, left, style=None if key.valid_at(now) else "red")
    stdout().print(table)


def _save(keys: Iterable[PlatformKey], folder: Path) -> Iterable[Path]:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    from wxpay_dsl.core.files.atomic_write import write_atomically
    from wxpay_dsl.wechat.crypto.shangmi import Sm2PublicKey

    try:
        folder.mkdir(parents=True, exist_ok=True)
        for key in keys:
            path = folder / f"{key.id}.pem"
            if key.certificate is not None:
                pem = key.certificate.public_bytes(Encoding.PEM)
            elif isinstance(key.public_key, Sm2PublicKey):
                pem = key.public_key.pem()
            else:
                pem = key.public_key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
            write_atomically(path, pem, private=False)
            yield path
    except OSError as error:
        raise click.UsageError(f"--out {folder}: {error.strerror}") from None
