"""Explains why the signature of a request is not valid: the header, the key, or which line of the signed message.

The digest that was signed can be recovered from an RSA signature (PKCS#1 v1.5) with the public key. This shows whether
the signature was made with the matching private key; if so, the wrongly built message is found by comparing digests.

https://pay.weixin.qq.com/doc/v3/merchant/4012365342
"""

from __future__ import annotations

import hashlib
from binascii import Error as Base64Error
from binascii import a2b_base64
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from attrs import field, frozen
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256

from wxpay_dsl.wechat.crypto.certificates import certificate_serial, certificate_subject
from wxpay_dsl.wechat.v3 import authorization, sign_error
from wxpay_dsl.wechat.v3 import signing as signing_v3
from wxpay_dsl.wechat.v3.verification import CLOCK_WINDOW

from .check import Check
from .message_variants import Parts, messages, meta_of

__all__ = ["Signing", "diagnose_request"]

#: Maximum length of a displayed message, in bytes.
_SHOWN: Final = 300
#: Maximum length of a nonce, in characters.
_NONCE: Final = 32

#: DER prefix of a signed digest to the name and the function of its algorithm.
_DIGESTS: Final[Mapping[bytes, tuple[str, Callable[[bytes], Any]]]] = {
    bytes.fromhex("3031300d060960864801650304020105000420"): ("SHA-256", hashlib.sha256),
    bytes.fromhex("3021300906052b0e03021a05000414"): ("SHA-1", lambda data: hashlib.sha1(data, usedforsecurity=False)),
    bytes.fromhex("3020300c06082a864886f70d020505000410"): (
        "MD5",
        lambda data: hashlib.md5(data, usedforsecurity=False),
    ),
    bytes.fromhex("3041300d060960864801650304020205000430"): ("SHA-384", hashlib.sha384),
    bytes.fromhex("3051300d060960864801650304020305000440"): ("SHA-512", hashlib.sha512),
}


@frozen
class Signing:
    """The merchant's public key, which should verify the signature, and what is known of it."""

    key: RSAPublicKey = field(repr=False)
    #: The serial of the key's certificate, and the merchant id; empty if unknown.
    serial: str = ""
    mchid: str = ""
    certificate: x509.Certificate | None = field(default=None, repr=False)

    @classmethod
    def of(cls, certificate: x509.Certificate) -> Signing:
        """From the merchant's certificate (商户API证书). Raises ValueError if its key is not RSA."""
        key = certificate.public_key()
        if not isinstance(key, RSAPublicKey):
            raise ValueError("the certificate's key is not an RSA key")  # noqa: TRY004 (the type is right, the content is not)
        return cls(key, certificate_serial(certificate), certificate_subject(certificate), certificate)


def diagnose_request(
    header: str, method: str, url: str, body: bytes, signing: Signing, now: float, *, detail: Any = None
) -> Iterator[Check]:
    """The checks from the header to the signature; the last failed one tells why the signature is not valid.

    ``header``: the value of ``Authorization``; ``url``: the URL, or its raw path and query, as it was sent; ``body``:
    the bytes that were sent; ``now``: Unix time in seconds; ``detail``: the ``detail`` of the service's ``SIGN_ERROR``,
    if there is one. Raises nothing, whatever was sent.
    """
    header = header.strip().removeprefix("Authorization:").strip()
    try:
        given = authorization.parse(header)
    except authorization.AuthorizationError as error:
        yield Check("header", good=False, text=str(error), mend=_form_of(header))
        return
    if given.scheme != authorization.RSA_SCHEME:
        text = f"{given.scheme}: only {authorization.RSA_SCHEME} can be explained"
        yield Check("header", good=False, text=text)
        return
    yield Check("header", good=True, text=f"{given.scheme} with its five parts")
    yield _clock(given, now)
    if len(given.nonce) > _NONCE:
        yield Check("nonce", good=False, text=f"{len(given.nonce)} characters; at most {_NONCE} are accepted")
    yield from _identity(given, signing)
    target = _target(url.strip())
    if any(not character.isprintable() or character.isspace() for character in target):
        text = f"{target[:120]!r} contains characters that are not valid in a request line: give the URL as it was sent"
        yield Check("URL", good=False, text=text)
        return
    meta = meta_of(body)
    parts = Parts(
        method.upper(),
        target,
        given.timestamp,
        given.nonce,
        body if meta is None else meta,
        b"" if meta is None else body,
    )
    message = signing_v3.request_message(parts.method, target, given.timestamp, given.nonce, parts.body)
    yield Check("message", good=None, text=f"{len(message)} bytes to sign: {_shown(message)}")
    verified = signing_v3.verify(message, given.signature, signing.key)
    if verified:
        yield Check("signature", good=True, text="valid for this key and exactly this message")
    else:
        yield _explain(given.signature, parts, message, signing.key)
    seen = sign_error.explain(message, detail)
    if seen:
        yield Check("service", good=False, text=seen)


def _form_of(header: str) -> str:
    form = f'the format is {authorization.RSA_SCHEME} mchid="…",nonce_str="…",timestamp="…",serial_no="…",signature="…"'
    quoted = '"' in header
    return (
        form if quoted else f"{form} (a shell removes quotes: put single quotes around the whole value, or use @FILE)"
    )


def _target(url: str) -> str:
    """The raw path and query of a URL, as in the request line."""
    if "://" not in url.partition("?")[0]:
        return url.partition("#")[0] or "/"
    parts = urlsplit(url)
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _clock(given: authorization.Authorization, now: float) -> Check:
    age = int(now) - given.timestamp
    if abs(age) <= CLOCK_WINDOW:
        return Check("clock", good=True, text=f"signed {age} s ago, within {CLOCK_WINDOW} s")
    when = f"{age} s ago" if age > 0 else f"{-age} s ahead of this machine's clock"
    text = (
        f"signed {when} ({datetime.fromtimestamp(given.timestamp, UTC):%Y-%m-%d %H:%M:%S} UTC); the service accepts "
        f"it only within {CLOCK_WINDOW} s"
    )
    return Check("clock", good=None, text=text)


def _identity(given: authorization.Authorization, signing: Signing) -> Iterator[Check]:
    if given.serial.startswith("PUB_KEY_ID_"):
        mend = "openssl x509 -in apiclient_cert.pem -noout -serial shows it"
        text = "serial_no is WeChat Pay's public key id (微信支付公钥ID); give the serial of the merchant certificate"
        yield Check("serial", good=False, text=text, mend=mend)
    elif signing.serial:
        same = given.serial.upper() == signing.serial
        lost = given.serial.upper().lstrip("0") == signing.serial.lstrip("0")
        text = f"serial_no {given.serial} matches the certificate (商户API证书序列号)"
        if not same:
            why = ": its leading zeros are missing" if lost else ""
            text = f"serial_no is {given.serial}, the certificate's is {signing.serial}{why}"
        yield Check("serial", good=same, text=text)
    if signing.mchid:
        same = given.mchid == signing.mchid
        text = f"mchid {given.mchid} matches the certificate (商户号)"
        if not same:
            text = f"mchid is {given.mchid}, but key and certificate belong to {signing.mchid}"
        yield Check("merchant", good=same, text=text)
    if signing.certificate is not None:
        end = signing.certificate.not_valid_after_utc
        if end < datetime.now(UTC):
            mend = "make a new one on the merchant platform (商户平台-API安全-商户API证书)"
            yield Check("certificate", good=False, text=f"it expired on {end:%Y-%m-%d}", mend=mend)


def _explain(signature: str, parts: Parts, message: bytes, key: RSAPublicKey) -> Check:
    """The check that tells why the signature is not valid."""
    raw = _decoded(signature)
    if isinstance(raw, str):
        return Check("signature", good=False, text=raw)
    size = key.key_size // 8
    if len(raw) != size:
        text = f"it is {len(raw)} bytes, a signature by this key has {size}: it is truncated, or made with another key"
        return Check("signature", good=False, text=text)
    try:
        recovered = key.recover_data_from_signature(raw, PKCS1v15(), None)
    except (InvalidSignature, ValueError):
        return _foreign(raw, message, key)
    name, hashed, digest = _split(recovered)
    if hashed is None:
        text = f"this key made it, but over {len(recovered)} bytes that are not a digest: sign with SHA256withRSA"
        return Check("signature", good=False, text=text)
    wrong = "" if name == "SHA-256" else f"it uses {name} instead of SHA-256 (SHA256withRSA)"
    for mistake, other in messages(parts):
        if hashed(other).digest() == digest:
            text = "; ".join(each for each in (wrong, mistake) if each)
            return Check("signature", good=False, text=f"this key made it, over another message: {text}")
    mend = (
        "print the message in the client where it is signed, and compare it with the one above, byte by byte (a proxy "
        "or a library may have changed URL or body after signing)"
    )
    text = f"this key made it, over another message, but no known mistake explains it{'; ' if wrong else ''}{wrong}"
    return Check("signature", good=False, text=text, mend=mend)


def _foreign(raw: bytes, message: bytes, key: RSAPublicKey) -> Check:
    try:
        key.verify(raw, message, PSS(MGF1(SHA256()), PSS.AUTO), SHA256())
    except InvalidSignature:
        mend = (
            "private key and certificate are a pair: take apiclient_key.pem and apiclient_cert.pem from one download, "
            "or make a new certificate (商户平台-API安全); wxpay doctor shows whether they belong together"
        )
        return Check("signature", good=False, text="it was made with another private key", mend=mend)
    text = "this key made it over this message, but with PSS padding instead of PKCS#1 v1.5 (SHA256withRSA)"
    return Check("signature", good=False, text=text)


def _decoded(signature: str) -> bytes | str:
    """The bytes of a signature, or why it is not base64."""
    try:
        return a2b_base64(signature, strict_mode=True)
    except Base64Error:
        pass
    if "%" in signature and not isinstance(_decoded(unquote(signature)), str):
        return "it is percent-encoded: use the plain base64 in the header"
    if "-" in signature or "_" in signature:
        return "it is URL-safe base64 (- and _): use standard base64 (+ and /)"
    if " " in signature:
        return "it contains white space: a + was turned into a space, or the base64 was wrapped"
    return "it is not valid base64: truncated, or with other characters in it"


def _split(recovered: bytes) -> tuple[str, Callable[[bytes], Any] | None, bytes]:
    for prefix, (name, hashed) in _DIGESTS.items():
        if recovered.startswith(prefix):
            return name, hashed, recovered[len(prefix) :]
    return "", None, b""


def _shown(message: bytes) -> str:
    text = message[:_SHOWN].decode("utf-8", "replace").replace("\n", "\\n")
    return f"{text} …" if len(message) > _SHOWN else text
