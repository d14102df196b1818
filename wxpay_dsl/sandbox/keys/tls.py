"""TLS of the sandbox: a certificate authority, a server certificate, and optional client certificates."""

from __future__ import annotations

import asyncio
import ipaddress
import secrets
import ssl
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

from attrs import field, frozen
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from wxpay_dsl.wechat.crypto.certificates import certificate_serial
from wxpay_dsl.wechat.v2.mutual_tls import load_key

__all__ = ["Authority", "client_serial", "make_authority", "server_context", "throwaway_authority"]

_YEARS: Final = timedelta(days=2 * 365)


@frozen
class Authority:
    """A certificate authority for one sandbox; only clients that are configured with its certificate trust it."""

    private_key: ec.EllipticCurvePrivateKey = field(repr=False)
    certificate: x509.Certificate

    @property
    def pem(self) -> str:
        """Its certificate in PEM, for the setting ``ca`` of clients."""
        return self.certificate.public_bytes(Encoding.PEM).decode()

    def __reduce__(self) -> str:
        raise TypeError("an Authority holds a private key and cannot be pickled")


def make_authority() -> Authority:
    """Make an authority with a new key; its certificate is valid for two years."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name("wxpay-dsl sandbox CA")
    usage = x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    builder = (
        _builder(name, name, key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    return Authority(key, builder.sign(key, hashes.SHA256()))


@lru_cache(maxsize=1)
def throwaway_authority() -> Authority:
    """This process's authority, shared by its sandboxes."""
    return make_authority()


def server_context(authority: Authority, host: str, merchants: Iterable[x509.Certificate]) -> ssl.SSLContext:
    """The TLS context of a server on ``host`` that requests client certificates and accepts those of ``merchants``.

    A client without a certificate is served too, since only some operations require one.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    public = authority.private_key.public_key()
    certificate = (
        _builder(_name("wxpay-dsl sandbox"), authority.certificate.subject, key.public_key())
        .add_extension(x509.SubjectAlternativeName(_alternatives(host)), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(public), critical=False)
        .sign(authority.private_key, hashes.SHA256())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    load_key(context, key, (certificate,))
    trusted = "".join(each.public_bytes(Encoding.PEM).decode() for each in merchants)
    if trusted:
        context.verify_mode = ssl.CERT_OPTIONAL
        context.load_verify_locations(cadata=trusted)
    return context


def client_serial(transport: asyncio.BaseTransport | None) -> str | None:
    """The serial of the client's verified certificate; None if it presented none."""
    connection = transport.get_extra_info("ssl_object") if transport is not None else None
    der = connection.getpeercert(binary_form=True) if connection is not None else None
    return certificate_serial(x509.load_der_x509_certificate(der)) if der else None


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC).replace(microsecond=0)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(secrets.randbits(158) | 1)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + _YEARS)
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _alternatives(host: str) -> list[x509.GeneralName]:
    names: list[x509.GeneralName] = [x509.DNSName("localhost")]
    for address in dict.fromkeys(("127.0.0.1", "::1", host)):
        try:
            names.append(x509.IPAddress(ipaddress.ip_address(address)))
        except ValueError:
            if address != "localhost":
                names.append(x509.DNSName(address))
    return names
