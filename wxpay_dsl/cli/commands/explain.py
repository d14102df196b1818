"""``wxpay explain``: explains why the signature of a request does not verify."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from wxpay_dsl.cli.input.completion import complete_data
from wxpay_dsl.cli.input.options import json_option, profile_option

if TYPE_CHECKING:
    from wxpay_dsl.diagnosis.request import Signing

__all__ = ["explain"]

_HELP = """Explain why the signature of a request does not verify. 排查签名错误 (SIGN_ERROR)

Give the request exactly as it was sent, and the key that should have signed it: a certificate, a public key, or a
profile. It tells whether that key made the signature, and which line of the signed message differs from the request:
method, URL, timestamp, nonce or body.

\b
Examples:
  wxpay explain --authorization @authorization.txt --method POST --url https://api.mch.weixin.qq.com/v3/pay/… \\
    --body @body.json --certificate apiclient_cert.pem
  wxpay explain --authorization 'WECHATPAY2-SHA256-RSA2048 mchid="…",…' --method GET --url '/v3/…?mchid=…' \\
    --profile wxpay.toml --response @response.json

--response is the body of the service's 401 SIGN_ERROR, which says what the service saw. Exit code 0 if the signature
verifies, 6 if it does not.
"""

_FILE: Final = click.Path(path_type=Path, dir_okay=False)
#: The largest body in bytes; uploads to the service are at most 5 MB.
_LIMIT: Final = 16 * 1024 * 1024


@click.command(help=_HELP)
@click.option(
    "--authorization",
    metavar="TEXT|@FILE",
    shell_complete=complete_data,
    required=True,
    help="The value of the header, as it was sent.",
)
@click.option("--method", metavar="VERB", required=True, help="GET, POST …")
@click.option("--url", metavar="URL", required=True, help="As it was sent, percent-encoded; or its path and query.")
@click.option(
    "--body",
    metavar="TEXT|@FILE",
    shell_complete=complete_data,
    default="",
    help="The body as it was sent; empty by default.",
)
@click.option("--certificate", metavar="FILE", type=_FILE, help="The merchant's certificate, apiclient_cert.pem.")
@click.option("--public-key", metavar="FILE", type=_FILE, help="The merchant's public key.")
@profile_option
@click.option(
    "--response", metavar="TEXT|@FILE", shell_complete=complete_data, help="The body of the response 401 SIGN_ERROR."
)
@json_option
def explain(
    authorization: str,
    method: str,
    url: str,
    body: str,
    certificate: Path | None,
    public_key: Path | None,
    profile: Path | None,
    response: str | None,
    as_json: bool,  # noqa: FBT001 (a flag of the command line)
) -> int:
    from wxpay_dsl.cli.output.checks import print_checks
    from wxpay_dsl.diagnosis.request import diagnose_request

    header = _bytes("--authorization", authorization).decode("utf-8", "replace")
    detail = _detail(_bytes("--response", response)) if response is not None else None
    signing = _signing(certificate, public_key, profile)
    checks = diagnose_request(header, method, url, _bytes("--body", body), signing, time.time(), detail=detail)
    return 0 if print_checks(list(checks), as_json=as_json) else 6


def _bytes(option: str, given: str) -> bytes:
    if not given.startswith("@"):
        return given.encode("utf-8", "surrogateescape")
    try:
        with Path(given[1:]).open("rb") as file:
            data = file.read(_LIMIT + 1)
    except OSError as error:
        raise click.UsageError(f"{option} {given}: {error.strerror}") from None
    if len(data) > _LIMIT:
        raise click.UsageError(f"{option} {given}: more than {_LIMIT} bytes, larger than any request")
    return data


def _detail(body: bytes) -> Any:
    try:
        response = json.loads(body)
    except (ValueError, RecursionError):
        response = None
    if not isinstance(response, dict):
        raise click.UsageError("--response is the JSON body of the service's response")
    return response.get("detail")


def _signing(certificate: Path | None, public_key: Path | None, profile: Path | None) -> Signing:
    from wxpay_dsl.diagnosis.request import Signing
    from wxpay_dsl.wechat.crypto.certificates import load_certificate
    from wxpay_dsl.wechat.crypto.keys import load_public_key

    if certificate is not None:
        try:
            return Signing.of(load_certificate(certificate))
        except ValueError as error:
            raise click.UsageError(f"--certificate {certificate}: {error}") from None
    if public_key is not None:
        return Signing(load_public_key(public_key))
    if profile is None and not any(name in os.environ for name in ("WXPAY_PROFILE", "WXPAY_PRIVATE_KEY", "WXPAY_P12")):
        raise click.UsageError(
            "which key made the signature? Give --certificate apiclient_cert.pem, --public-key or --profile"
        )
    return _of_profile(profile)


def _of_profile(profile: Path | None) -> Signing:
    from wxpay_dsl.diagnosis.request import Signing
    from wxpay_dsl.settings.settings import Settings
    from wxpay_dsl.wechat.signers.local import LocalSigner

    settings = Settings.load({}, profile=profile)
    if not isinstance(settings.signer, LocalSigner):
        raise click.UsageError("the profile's private key is not in a file: give --certificate apiclient_cert.pem")
    files = settings.client_certificate
    key = settings.signer.private_key.public_key()
    return Signing(key, settings.serial, settings.mchid, files.certificate if files is not None else None)
