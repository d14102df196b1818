"""X.509 certificates and PKCS#12 containers: the merchant's (商户API证书) and WeChat Pay's (平台证书)."""

from __future__ import annotations

from attrs import field, frozen
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID

from wxpay_dsl.core.errors import ConfigurationError

from . import pem
from .keys import KeyMaterial, certificate_of, check_private_key, load_public_key

__all__ = [
    "Pkcs12",
    "certificate_serial",
    "certificate_subject",
    "load_certificate",
    "load_pkcs12",
    "public_key_matches",
]


#: The version of a container, the INTEGER 3, which is its first element.
_VERSION = bytes.fromhex("020103")
#: The start of the object ids of RC2, RC4 and 3DES in PKCS#12 (1.2.840.113549.1.12.1), which are not encrypted.
_OLD_ENCRYPTION = bytes.fromhex("2a864886f70d010c01")
_OLD = (
    "this OpenSSL does not offer its old encryption (RC2 or 3DES). Convert it once: "
    "openssl pkcs12 -legacy -in apiclient_cert.p12 -nodes -out all.pem && "
    "openssl pkcs12 -export -in all.pem -out apiclient_cert.new.p12 && rm all.pem; "
    "or give apiclient_key.pem and apiclient_cert.pem instead"
)


@frozen
class Pkcs12:
    """The contents of ``apiclient_cert.p12``. The key is not in the repr."""

    private_key: RSAPrivateKey = field(repr=False)
    certificate: x509.Certificate
    #: The intermediate certificates between this certificate and its root, in the container's order.
    chain: tuple[x509.Certificate, ...] = ()


def load_certificate(thing: KeyMaterial | x509.Certificate) -> x509.Certificate:
    """Loads a certificate from ``thing``: PEM, DER, base64 of DER, a path, a ``file://`` URL, or a loaded certificate.

    Of several in one PEM text it is the first, the holder's own. Validity and issuer are not checked. Raises
    :class:`ConfigurationError` for a missing file, a key instead of a certificate, or damaged data.
    """
    what = "certificate (证书)"
    if isinstance(thing, x509.Certificate):
        return thing
    blocks = pem.read_blocks(thing, what)
    block = pem.find(blocks, "CERTIFICATE")
    if block is None:
        raise ConfigurationError(f"{what}: this is PEM of {blocks[0].label}, not of a certificate")
    try:
        return certificate_of(block.der)
    except ValueError as error:
        raise ConfigurationError(f"{what}: damaged, or not a certificate") from error


def certificate_serial(certificate: x509.Certificate) -> str:
    """The serial number in upper-case hexadecimal, two digits a byte, as ``openssl x509 -serial`` prints it.

    This is the ``serial_no`` of ``Authorization`` and the value of ``Wechatpay-Serial``. A leading
    zero is kept: WeChat Pay's serials have 40 digits, the first of which may be 0.
    """
    digits = f"{certificate.serial_number:X}"
    return digits if len(digits) % 2 == 0 else f"0{digits}"


def certificate_subject(certificate: x509.Certificate) -> str:
    """The merchant id (商户号) in a merchant's certificate, its common name; empty if that is not a number."""
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    value = names[0].value if names else ""
    return value if isinstance(value, str) and value.isdigit() else ""


def load_pkcs12(thing: KeyMaterial, password: str | bytes) -> Pkcs12:
    """Loads key and certificate from a PKCS#12 container (``apiclient_cert.p12``), whose password is the 商户号.

    ``thing`` is DER, base64 of DER, a path or a ``file://`` URL. Raises :class:`ConfigurationError` for a
    missing file, a wrong password, a container without key or certificate, a key that does not match the
    certificate, and for the old RC2 or 3DES encryption if OpenSSL does not support it; that error says how to convert
    the container.
    """
    what = "PKCS#12 container (商户API证书 apiclient_cert.p12)"
    block = pem.read_blocks(thing, what)[0]
    if block.label:
        raise ConfigurationError(f"{what}: this is PEM of {block.label}; the container is a binary file")
    if _VERSION not in block.der[2:9]:
        raise ConfigurationError(f"{what}: this is DER of something else, not a PKCS#12 container")
    secret = password.encode() if isinstance(password, str) else password
    try:
        content = pkcs12.load_pkcs12(block.der, secret)
    except (ValueError, UnsupportedAlgorithm) as error:
        old = f"; or {_OLD}" if _OLD_ENCRYPTION in block.der else ""
        raise ConfigurationError(
            f"{what}: wrong password (WeChat Pay sets the merchant id, 商户号), or damaged{old}"
        ) from error
    if content.cert is None or content.key is None:
        missing = "certificate" if content.cert is None else "private key"
        raise ConfigurationError(f"{what}: it holds no {missing}")
    if not isinstance(content.key, RSAPrivateKey):
        raise ConfigurationError(f"{what}: its key is not an RSA key")
    key = check_private_key(content.key, what)
    if not public_key_matches(key, content.cert.certificate):
        raise ConfigurationError(f"{what}: its key does not match its certificate")
    return Pkcs12(key, content.cert.certificate, tuple(other.certificate for other in content.additional_certs))


def public_key_matches(private_key: RSAPrivateKey, certificate: x509.Certificate | RSAPublicKey) -> bool:
    """Whether ``certificate`` (or a bare public key) is the counterpart of ``private_key``."""
    public = certificate if isinstance(certificate, RSAPublicKey) else load_public_key(certificate)
    return public.public_numbers() == private_key.public_key().public_numbers()
