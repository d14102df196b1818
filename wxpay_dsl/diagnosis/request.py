"""Explains why the signature of a request does not verify: the header, the key, or which line of the message.

A signature by RSA (PKCS#1 v1.5) gives away to whoever has the public key the very digest that was signed. So it is
known whether the key made it at all, and if it did, a mistaken message is found by comparing digests.

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

#: Characters of a message that are shown.
_SHOWN: Final = 300
_NONCE: Final = 32

#: How a digest is packed before it is signed, and what takes it.
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
    """Whose signature it should be: the merchant's public key, and what is known of it."""

    key: RSAPublicKey = field(repr=False)
    #: The serial that belongs to the key, and the merchant; empty where nobody says.
    serial: str = ""
    mchid: str = ""
    certificate: x509.Certificate | None = field(default=None, repr=False)

    @classmethod
    def of(cls, certificate: x509.Certificate) -> Signing:
        """By the merchant's certificate (商户API证书). Raises ValueError for one without an RSA key."""
        key = certificate.public_key()
        if not isinstance(key, RSAPublicKey):
            raise ValueError("the certificate's key is not an RSA key")  # noqa: TRY004 (of a wrong content)
        return cls(key, certificate_serial(certificate), certificate_subject(certificate), certificate)


def diagnose_request(
    header: str, method: str, url: str, body: bytes, signing: Signing, now: float, *, detail: Any = None
) -> Iterator[Check]:
    """The steps from the header to the signature; the last one that is not good says why it does not verify.

    ``header``: the value of ``Authorization``; ``url``: whole, or its raw path and query, as it was sent; ``body``: the
    bytes that were sent; ``now``: Unix time; ``detail``: that of the service's ``SIGN_ERROR``, if there is one.
    Raises nothing for whatever was sent.
    """
    header = header.strip().removeprefix("Authorization:").strip()
    try:
        given = authorization.parse(header)
    except authorization.AuthorizationError as error:
        yield Check("header", good=False, text=str(error), mend=_form_of(header))
        return
    if given.scheme != authorization.RSA_SCHEME:
        text = f"{given.scheme}: only {authorization.RSA_SCHEME} is explained here"
        yield Check("header", good=False, text=text)
        return
    yield Check("header", good=True, text=f"{given.scheme} with its five parts")
    yield _clock(given, now)
    if len(given.nonce) > _NONCE:
        yield Check("nonce", good=False, text=f"{len(given.nonce)} characters; at most {_NONCE} are taken")
    yield from _identity(given, signing)
    target = _target(url.strip())
    if any(not character.isprintable() or character.isspace() for character in target):
        text = f"{target[:120]!r} has characters in it that no request line has: give the URL as it was sent"
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
    yield Check("message", good=None, text=f"{len(message)} bytes are to be signed: {_shown(message)}")
    verified = signing_v3.verify(message, given.signature, signing.key)
    if verified:
        yield Check("signature", good=True, text="it is the key's, over exactly this message")
    else:
        yield _culprit(given.signature, parts, message, signing.key)
    seen = sign_error.explain(message, detail)
    if seen:
        yield Check("service", good=False, text=seen)


def _form_of(header: str) -> str:
    form = f'it reads {authorization.RSA_SCHEME} mchid="…",nonce_str="…",timestamp="…",serial_no="…",signature="…"'
    quoted = '"' in header
    return form if quoted else f"{form} (a shell takes quotes away: single quotes around it all, or a file and @FILE)"


def _target(url: str) -> str:
    """Path and query of a URL, raw, as they stand in the request line."""
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
        f"signed {when} ({datetime.fromtimestamp(given.timestamp, UTC):%Y-%m-%d %H:%M:%S} UTC); the service takes it "
        f"within {CLOCK_WINDOW} s of that moment only"
    )
    return Check("clock", good=None, text=text)


def _identity(given: authorization.Authorization, signing: Signing) -> Iterator[Check]:
    if given.serial.startswith("PUB_KEY_ID_"):
        mend = "openssl x509 -in apiclient_cert.pem -noout -serial shows the right one"
        text = (
            "serial_no is WeChat Pay's public key id (微信支付公钥ID); the merchant certificate's serial belongs there"
        )
        yield Check("serial", good=False, text=text, mend=mend)
    elif signing.serial:
        same = given.serial.upper() == signing.serial
        lost = given.serial.upper().lstrip("0") == signing.serial.lstrip("0")
        text = f"serial_no {given.serial} is the certificate's (商户API证书序列号)"
        if not same:
            why = ": its leading zeros are missing" if lost else ""
            text = f"serial_no is {given.serial}, the certificate's is {signing.serial}{why}"
        yield Check("serial", good=same, text=text)
    if signing.mchid:
        same = given.mchid == signing.mchid
        text = f"mchid {given.mchid} is the certificate's (商户号)"
        if not same:
            text = f"mchid is {given.mchid}, but key and certificate are those of {signing.mchid}"
        yield Check("merchant", good=same, text=text)
    if signing.certificate is not None:
        end = signing.certificate.not_valid_after_utc
        if end < datetime.now(UTC):
            mend = "make a new one on the merchant platform (商户平台-API安全-商户API证书)"
            yield Check("certificate", good=False, text=f"it ended on {end:%Y-%m-%d}", mend=mend)


def _culprit(signature: str, parts: Parts, message: bytes, key: RSAPublicKey) -> Check:
    """Why the signature does not verify."""
    raw = _decoded(signature)
    if isinstance(raw, str):
        return Check("signature", good=False, text=raw)
    size = key.key_size // 8
    if len(raw) != size:
        text = f"it is {len(raw)} bytes, a signature by this key has {size}: it is cut off, or another key's"
        return Check("signature", good=False, text=text)
    try:
        packed = key.recover_data_from_signature(raw, PKCS1v15(), None)
    except (InvalidSignature, ValueError):
        return _foreign(raw, message, key)
    name, taken, digest = _unpacked(packed)
    if taken is None:
        text = f"the key made it, but over {len(packed)} bytes that are no digest: sign with SHA256withRSA"
        return Check("signature", good=False, text=text)
    wrong = "" if name == "SHA-256" else f"it is made with {name}, where SHA-256 belongs (SHA256withRSA)"
    for told, other in messages(parts):
        if taken(other).digest() == digest:
            text = "; ".join(each for each in (wrong, told) if each)
            return Check("signature", good=False, text=f"the key made it, over another message: {text}")
    mend = (
        "print the message in the client, right where it is signed, and hold it against the one above, byte by byte "
        "(a proxy or a library may have changed URL or body after that)"
    )
    text = f"the key made it, over another message, and the usual mistakes are not it{'; ' if wrong else ''}{wrong}"
    return Check("signature", good=False, text=text, mend=mend)


def _foreign(raw: bytes, message: bytes, key: RSAPublicKey) -> Check:
    try:
        key.verify(raw, message, PSS(MGF1(SHA256()), PSS.AUTO), SHA256())
    except InvalidSignature:
        mend = (
            "private key and certificate are a pair: take apiclient_key.pem and apiclient_cert.pem from one download, "
            "or make a new certificate (商户平台-API安全); wxpay doctor shows whether they belong together"
        )
        return Check("signature", good=False, text="another private key made it, whatever the message was", mend=mend)
    text = "the key made it over this message, but with PSS padding; PKCS#1 v1.5 belongs there (SHA256withRSA)"
    return Check("signature", good=False, text=text)


def _decoded(signature: str) -> bytes | str:
    """The bytes of a signature, or why it is not base64."""
    try:
        return a2b_base64(signature, strict_mode=True)
    except Base64Error:
        pass
    if "%" in signature and not isinstance(_decoded(unquote(signature)), str):
        return "it is percent-encoded: put the base64 into the header as it is"
    if "-" in signature or "_" in signature:
        return "it is base64 for URLs (- and _); the plain one belongs there (+ and /)"
    if " " in signature:
        return "there are blanks in it: a + was turned into a space, or the base64 was wrapped"
    return "it is not whole base64: cut off, or with something else in it"


def _unpacked(packed: bytes) -> tuple[str, Callable[[bytes], Any] | None, bytes]:
    for prefix, (name, taken) in _DIGESTS.items():
        if packed.startswith(prefix):
            return name, taken, packed[len(prefix) :]
    return "", None, b""


def _shown(message: bytes) -> str:
    text = message[:_SHOWN].decode("utf-8", "replace").replace("\n", "\\n")
    return f"{text} …" if len(message) > _SHOWN else text
