"""The sandbox's home folder: what a merchant downloads from the merchant platform, under the names it has there.

Beside those files, in ``.sandbox``, lies what only the platform has. A home that is there is reused: the same
merchant, the same keys.
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

#: Where the platform's own things are, inside a home.
STATE: Final = ".sandbox"

_SECRETS: Final = "secrets.json"
_PUBLIC_KEY: Final = "pub_key_private.pem"
_CERTIFICATE_KEY: Final = "platform_key.pem"
_BRAND_KEY: Final = "brand_key.pem"


def read(home: Path) -> tuple[Merchant, PlatformKeyPair, PlatformKeyPair] | None:
    """The merchant, the public key pair and the certificate's pair of a home, or None where there is no home yet.

    Raises ConfigurationError for a home that is there and cannot be read.
    """
    if not (home / STATE / _SECRETS).exists():
        return None
    try:
        told = json.loads((home / STATE / _SECRETS).read_text("utf-8"))
        certificate = load_certificate(home / "apiclient_cert.pem")
        merchant = Merchant(
            told["mchid"],
            load_private_key(home / "apiclient_key.pem"),
            certificate,
            certificate_serial(certificate),
            told["apiv3_key"],
            told["apiv2_key"],
        )
        platform = load_certificate(home / "platform_cert.pem")
        return (
            merchant,
            PlatformKeyPair(told["public_key_id"], load_private_key(home / STATE / _PUBLIC_KEY)),
            PlatformKeyPair(certificate_serial(platform), load_private_key(home / STATE / _CERTIFICATE_KEY), platform),
        )
    except (OSError, ValueError, KeyError, TypeError, ConfigurationError) as error:
        raise ConfigurationError(
            f"the sandbox's home {home} cannot be read ({error}): remove the folder to start anew"
        ) from None


def state_file(home: Path) -> Path:
    """The file of a home's business; its folder is made where it is missing. Raises OSError."""
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
    """Writes a home, or brings its profile up to date with ``base_url``; private keys can be read by their owner only.

    ``ca``: the authority of a sandbox that serves TLS, in PEM. ``brand``: the brand (品牌直连) that the profile can
    call as, too. Raises OSError.
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
    # Last: a home whose writing was cut short is none.
    told = {
        "mchid": merchant.mchid,
        "apiv3_key": merchant.apiv3_key,
        "apiv2_key": merchant.apiv2_key,
        "public_key_id": public_key.id,
    }
    write_private(state / _SECRETS, json.dumps(told, indent=2).encode())


def _private_pem(key: RSAPrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _pkcs12(merchant: Merchant) -> bytes:
    """Its password is the merchant id, as the real container's is."""
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
        # A TOML basic string takes what a JSON string takes.
        return json.dumps(str(value), ensure_ascii=False)

    said_of_brand = []
    if brand is not None:
        said_of_brand = [
            f"brand_id = {text(brand.mchid)}",
            f"brand_serial = {text(brand.serial)}",
            f"brand_private_key = {text(home / _BRAND_KEY)}",
            f"brand_api_key = {text(brand.apiv3_key)}",
            f"brand_platform_keys = {{{public_key_id} = {text(home / 'pub_key.pem')}}}",
        ]
    return "\n".join(
        (
            "# The profile of a sandbox: written at each of its starts. Nothing in it is worth anything elsewhere.",
            f"mchid = {text(merchant.mchid)}",
            f"serial = {text(merchant.serial)}",
            f"private_key = {text(home / 'apiclient_key.pem')}",
            f"certificate = {text(home / 'apiclient_cert.pem')}",
            f"apiv3_key = {text(merchant.apiv3_key)}",
            f"apiv2_key = {text(merchant.apiv2_key)}",
            f"base_url = {text(base_url)}",
            *([f"ca = {text(home / 'ca.pem')}"] if tls else []),
            *said_of_brand,
            "",
            "[platform_keys]",
            f"{public_key_id} = {text(home / 'pub_key.pem')}",
            f"{certificate_id} = {text(home / 'platform_cert.pem')}",
            "",
        )
    )
