"""X.509 certificates and PKCS#12 containers: the merchant's (商户API证书) and WeChat Pay's (平台证书)."""

from __future__ import annotations

from attrs import field, frozen
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID

from wxpay_dsl.core.errors import ConfigurationError
from wxpay_dsl.wechat import pem
from wxpay_dsl.wechat.keys import KeyMaterial, certificate_of, check_private_key, load_public_key

__all__ = [
    "Pkcs12",
    "certificate_serial",
    "certificate_subject",
    "load_certificate",
    "load_pkcs12",
    "public_key_matches",
]


#: The version of a container, the INTEGER 3, which comes first in it.
_VERSION = bytes.fromhex("020103")
#: The start of the object ids of RC2, RC4 and 3DES in PKCS#12 (1.2.840.113549.1.12.1), which stand there unencrypted.
_OLD_ENCRYPTION = bytes.fromhex("2a864886f70d010c01")
_OLD = (
    "this OpenSSL does not offer its old encryption (RC2 or 3DES). Convert it once: "
    "openssl pkcs12 -legacy -in apiclient_cert.p12 -nodes -out all.pem && "
    "openssl pkcs12 -export -in all.pem -out apiclient_cert.new.p12 && rm all.pem; "
    "or give apiclient_key.pem and apiclient_cert.pem instead"
)


@frozen
class Pkcs12:
    """What ``apiclient_cert.p12`` holds. The key stays out of the repr."""

    private_key: RSAPrivateKey = field(repr=False)
    certificate: x509.Certificate
    #: The authorities between the certificate and its root, in the container's order.
    chain: tuple[x509.Certificate, ...] = ()


def load_certificate(thing: KeyMaterial | x509.Certificate) -> x509.Certificate:
    """The certificate in ``thing``: PEM, DER, base64 of DER, a path, a ``file://`` URL, or loaded already.

    Of several in one PEM text the first, which is the holder's own. Validity and issuer are not looked at
    here. Raises :class:`ConfigurationError` for a missing file, a key in a certificate's place, or damage.
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
    """The serial number in upper-case hexadecimal, two digits a byte, as ``openssl x509 -serial`` shows it.

    This is the ``serial_no`` of ``Authorization`` and the value of ``Wechatpay-Serial``. Leading zeros of a
    byte stay: WeChat Pay's serials are 40 digits, and one of them may begin with 0.
    """
    digits = f"{certificate.serial_number:X}"
    return digits if len(digits) % 2 == 0 else f"0{digits}"


def certificate_subject(certificate: x509.Certificate) -> str:
    """The merchant id (商户号) in a merchant's certificate; empty where it names none."""
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    value = names[0].value if names else ""
    return value if isinstance(value, str) and value.isdigit() else ""


def load_pkcs12(thing: KeyMaterial, password: str | bytes) -> Pkcs12:
    """Key and certificate of a PKCS#12 container (``apiclient_cert.p12``), whose password is the 商户号.

    ``thing`` is DER, base64 of DER, a path or a ``file://`` URL. Raises :class:`ConfigurationError` for a
    missing file, a wrong password, a container without key or certificate, a key that is not the
    certificate's, and for the old RC2 or 3DES encryption where OpenSSL has it switched off; that error says
    how to convert the container.
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
        raise ConfigurationError(f"{what}: its key is not the key of its certificate")
    return Pkcs12(key, content.cert.certificate, tuple(other.certificate for other in content.additional_certs))


def public_key_matches(private_key: RSAPrivateKey, certificate: x509.Certificate | RSAPublicKey) -> bool:
    """Whether ``certificate`` (or a bare public key) is the counterpart of ``private_key``."""
    public = certificate if isinstance(certificate, RSAPublicKey) else load_public_key(certificate)
    return public.public_numbers() == private_key.public_key().public_numbers()
