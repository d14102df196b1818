"""The sandbox's home folder: the files that a merchant downloads from the merchant platform, under the same names.

The subfolder ``.sandbox`` has the platform's private keys and the state. An existing home is reused: the same merchant
and the same keys.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    pkcs12,
)

from wxpay_dsl.core.errors import ConfigurationError
from wxpay_dsl.settings.file_permissions import write_private
from wxpay_dsl.wechat.crypto.certificates import certificate_serial, load_certificate
from wxpay_dsl.wechat.crypto.keys import load_private_key

from .identity import Merchant, PlatformKeyPair

__all__ = ["STATE", "read", "state_file", "write"]

#: The subfolder of a home for the platform's files.
STATE: Final = ".sandbox"

_SECRETS: Final = "secrets.json"
_PUBLIC_KEY: Final = "pub_key_private.pem"
_CERTIFICATE_KEY: Final = "platform_key.pem"
_BRAND_KEY: Final = "brand_key.pem"


def read(home: Path) -> tuple[Merchant, PlatformKeyPair, PlatformKeyPair] | None:
    """Load a home: its merchant, the pair of the public key and that of the certificate; None if there is no home.

    Raises ConfigurationError for an existing home that cannot be read.
    """
    if not (home / STATE / _SECRETS).exists():
        return None
    try:
        stored = json.loads((home / STATE / _SECRETS).read_text("utf-8"))
        certificate = load_certificate(home / "apiclient_cert.pem")
        merchant = Merchant(
            stored["mchid"],
            load_private_key(home / "apiclient_key.pem"),
            certificate,
            certificate_serial(certificate),
            stored["apiv3_key"],
            stored["apiv2_key"],
        )
        platform = load_certificate(home / "platform_cert.pem")
        return (
            merchant,
            PlatformKeyPair(stored["public_key_id"], load_private_key(home / STATE / _PUBLIC_KEY)),
            PlatformKeyPair(certificate_serial(platform), load_private_key(home / STATE / _CERTIFICATE_KEY), platform),
        )
    except (OSError, ValueError, KeyError, TypeError, ConfigurationError) as error:
        raise ConfigurationError(
            f"the sandbox's home {home} cannot be read ({error}): delete the folder to create a new one"
        ) from None


def state_file(home: Path) -> Path:
    """The path of a home's state file; its folder is created if it is missing. Raises OSError."""
    folder = home / STATE
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder / "state.sqlite"


def write(
    home: Path,
    merchant: Merchant,
    public_key: PlatformKeyPair,
    certificate: PlatformKeyPair,
    base_url: str,
    ca: str | None = None,
    brand: Merchant | None = None,
) -> None:
    """Write a home, or update the profile of an existing one with ``base_url``. All files are private to their owner.

    ``ca``: the certificate of the authority of a sandbox that serves TLS, in PEM. ``brand``: the brand (品牌直连) whose
    credentials the profile has, too. Raises OSError.
    """
    home.mkdir(parents=True, exist_ok=True)
    state = home / STATE
    state.mkdir(mode=0o700, exist_ok=True)
    if certificate.certificate is None:
        raise ValueError("the platform's certificate is missing")
    files: dict[Path, bytes] = {
        home / "apiclient_key.pem": _private_pem(merchant.private_key),
        home / "apiclient_cert.pem": merchant.certificate.public_bytes(Encoding.PEM),
        home / "pub_key.pem": public_key.private_key.public_key().public_bytes(
            Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
        ),
        home / "platform_cert.pem": certificate.certificate.public_bytes(Encoding.PEM),
        state / _PUBLIC_KEY: _private_pem(public_key.private_key),
        state / _CERTIFICATE_KEY: _private_pem(certificate.private_key),
    }
    if ca is not None:
        files[home / "ca.pem"] = ca.encode()
    if brand is not None:
        files[home / _BRAND_KEY] = _private_pem(brand.private_key)
    for path, content in files.items():
        write_private(path, content)
    if not (home / "apiclient_cert.p12").exists():
        write_private(home / "apiclient_cert.p12", _pkcs12(merchant))
    profile = _profile(home.resolve(), merchant, brand, public_key.id, certificate.id, base_url, tls=ca is not None)
    write_private(home / "wxpay.toml", profile.encode())
    # Last: without this file a folder is not a home, so an interrupted write leaves none.
    secrets = {
        "mchid": merchant.mchid,
        "apiv3_key": merchant.apiv3_key,
        "apiv2_key": merchant.apiv2_key,
        "public_key_id": public_key.id,
    }
    write_private(state / _SECRETS, json.dumps(secrets, indent=2).encode())


def _private_pem(key: RSAPrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _pkcs12(merchant: Merchant) -> bytes:
    """The PKCS #12 container; its password is the merchant id, as that of the real one."""
    password = BestAvailableEncryption(merchant.mchid.encode())
    return pkcs12.serialize_key_and_certificates(
        b"Tenpay Certificate", merchant.private_key, merchant.certificate, None, password
    )


def _profile(
    home: Path,
    merchant: Merchant,
    brand: Merchant | None,
    public_key_id: str,
    certificate_id: str,
    base_url: str,
    *,
    tls: bool,
) -> str:
    def text(value: str | Path) -> str:
        # A JSON string is a valid TOML basic string.
        return json.dumps(str(value), ensure_ascii=False)

    brand_lines = []
    if brand is not None:
        brand_lines = [
            f"brand_id = {text(brand.mchid)}",
            f"brand_serial = {text(brand.serial)}",
            f"brand_private_key = {text(home / _BRAND_KEY)}",
            f"brand_api_key = {text(brand.apiv3_key)}",
            f"brand_platform_keys = {{{public_key_id} = {text(home / 'pub_key.pem')}}}",
        ]
    return "\n".join(
        (
            "# The profile of a sandbox, rewritten at each start. Its keys are valid in that sandbox only.",
            f"mchid = {text(merchant.mchid)}",
            f"serial = {text(merchant.serial)}",
            f"private_key = {text(home / 'apiclient_key.pem')}",
            f"certificate = {text(home / 'apiclient_cert.pem')}",
            f"apiv3_key = {text(merchant.apiv3_key)}",
            f"apiv2_key = {text(merchant.apiv2_key)}",
            f"base_url = {text(base_url)}",
            *([f"ca = {text(home / 'ca.pem')}"] if tls else []),
            *brand_lines,
            "",
            "[platform_keys]",
            f"{public_key_id} = {text(home / 'pub_key.pem')}",
            f"{certificate_id} = {text(home / 'platform_cert.pem')}",
            "",
        )
    )
