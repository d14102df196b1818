"""``wxpay notify verify``: explains why a notification does or does not verify."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from wxpay_dsl.cli.input.options import json_option, profile_option
from wxpay_dsl.cli.output.checks import print_checks

if TYPE_CHECKING:
    from wxpay_dsl import Wechatpay
    from wxpay_dsl.wechat.crypto.platform_key import PlatformKey

__all__ = ["read_headers", "verify_notification"]

_HELP = """Explain, step by step, why a notification does or does not verify. 排查验签失败

--headers is a file of the headers as received, one per line (or a JSON object); --body a file of the unchanged body.

\b
Example:
  wxpay notify verify --headers headers.txt --body body.json --profile wxpay.toml

Exit code 0 if it verifies, 6 if it does not.
"""

_FILE: Final = click.Path(path_type=Path, dir_okay=False)


@click.command(help=_HELP)
@click.option("--headers", "headers_file", metavar="FILE", type=_FILE, required=True, help="The headers as received.")
@click.option(
    "--body", "body_file", metavar="FILE", type=_FILE, required=True, help="The body as received, byte for byte."
)
@profile_option
@json_option
def verify_notification(
    headers_file: Path,
    body_file: Path,
    profile: Path | None,
    as_json: bool,  # noqa: FBT001 (a flag of the command line)
) -> int:
    from wxpay_dsl import Wechatpay
    from wxpay_dsl.diagnosis.notification import diagnose_v2, diagnose_v3
    from wxpay_dsl.notify.acknowledgements import dialect_of

    client = Wechatpay(profile=profile)
    merchant_keys, body = client.merchant_keys, _read(body_file)
    if dialect_of(body) == "v2":
        checks = list(diagnose_v2(body, merchant_keys))
    else:
        headers = read_headers(_read(headers_file))
        keys = asyncio.run(_keys(client, headers))
        checks = list(diagnose_v3(headers, body, merchant_keys, keys, time.time()))
    return 0 if print_checks(checks, as_json=as_json) else 6


async def _keys(client: Wechatpay, headers: Mapping[str, str]) -> dict[str, PlatformKey]:
    """The platform keys of the profile, and the one that signed if it can be downloaded, by id."""
    keys = {key.id: key for key in client.settings.keys}
    serial = next((value for name, value in headers.items() if name.lower() == "wechatpay-serial"), "")
    if serial and serial not in keys:
        downloaded = await client.keyring.find(serial)
        if downloaded is not None:
            keys[downloaded.id] = downloaded
    await client.close()
    return keys


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise click.UsageError(f"{file}: {error.strerror}") from None


def read_headers(raw: bytes) -> dict[str, str]:
    """The headers of a file: a JSON object, or lines of ``Name: value``; other lines are ignored.

    Raises UsageError if there is no header.
    """
    text = raw.decode("utf-8-sig", "replace")
    if text.lstrip().startswith("{"):
        try:
            document = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise click.UsageError(f"--headers is not JSON: {error}") from None
        return {str(name): value if isinstance(value, str) else str(value) for name, value in document.items()}
    headers = {}
    for line in text.splitlines():
        # curl prints headers after `> ` and `< `.
        name, colon, value = line.removeprefix("> ").removeprefix("< ").partition(":")
        if colon and name.strip() and " " not in name.strip():
            headers[name.strip()] = value.strip()
    if not headers:
        raise click.UsageError("--headers has no line `Name: value`")
    return headers
