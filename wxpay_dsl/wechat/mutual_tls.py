"""The client certificate (商户API证书) that APIv2 demands where money leaves: TLS contexts, one a merchant.

https://pay.weixin.qq.com/doc/v2/merchant/4011985891
"""

from __future__ import annotations

import os
import secrets
import ssl
import tempfile
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import field, frozen
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from wxpay_dsl.core.errors import ConfigurationError
from wxpay_dsl.core.file_names import shown_file

if TYPE_CHECKING:
    from wxpay_dsl.core.request import Request

__all__ = ["ClientCertificate", "Contexts", "install", "mutual_tls", "presenting", "trusting"]


@frozen
class ClientCertificate:
    """Whom a TLS connection is from. The key stays out of the repr, and out of pickles."""

    private_key: RSAPrivateKey = field(repr=False)
    certificate: x509.Certificate
    #: The authorities between the certificate and its root.
    chain: tuple[x509.Certificate, ...] = ()

    def __reduce__(self) -> str:
        raise TypeError("a client certificate comes with its private key and is never pickled")


def trusting(ca: str | None = None) -> ssl.SSLContext:
    """A context that verifies servers by the system's authorities, and by those in ``ca``, a PEM file or text.

    Raises ConfigurationError where that holds none.
    """
    context = ssl.create_default_context()
    if ca is not None:
        try:
            if "-----BEGIN" in ca:
                context.load_verify_locations(cadata=ca)
            else:
                context.load_verify_locations(cafile=ca)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) and not isinstance(error, ssl.SSLError) else None
            reason = reason or "no certificates in PEM"
            shown = "its text" if "-----BEGIN" in ca else shown_file(ca)
            raise ConfigurationError(f"`ca`: {shown} cannot be used: {reason}") from None
    return context


def presenting(certificate: ClientCertificate, ca: str | None = None) -> ssl.SSLContext:
    """A context that shows servers ``certificate``, and verifies them as :func:`trusting` does."""
    context = trusting(ca)
    try:
        install(context, certificate.private_key, (certificate.certificate, *certificate.chain))
    except ssl.SSLError as error:
        raise ConfigurationError(f"the client certificate (商户API证书) cannot be used: {error.reason}") from None
    return context


def install(
    context: ssl.SSLContext,
    private_key: RSAPrivateKey | EllipticCurvePrivateKey,
    certificates: Iterable[x509.Certificate],
) -> None:
    """Gives ``context`` a key, and the certificates that belong to it, the holder's own first. Raises ssl.SSLError."""
    # Python's TLS takes a key from a file only: this one holds it encrypted, under a password that nobody has, for
    # its owner alone, and is gone before this function returns.
    password = secrets.token_hex(32)
    key = private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(password.encode()))
    chain = b"".join(certificate.public_bytes(Encoding.PEM) for certificate in certificates)
    descriptor, path = tempfile.mkstemp(prefix="wxpay-", suffix=".pem")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(key + chain)
        context.load_cert_chain(path, password=password)
    finally:
        Path(path).unlink()


class Contexts:
    """The TLS contexts of a process's merchants, by certificate: a merchant who comes again finds his, and with it the
    connections that are open. One takes 22 ms to make.
    """

    def __init__(self, most: int = 1000) -> None:
        self._most = most
        self._kept: dict[tuple[bytes, str], ssl.SSLContext] = {}
        self._lock = threading.Lock()

    def presenting(self, certificate: ClientCertificate, ca: str | None) -> ssl.SSLContext:
        """See :func:`presenting`."""
        own = certificate.certificate.fingerprint(hashes.SHA256())
        # With the key: another one under the same certificate is a mistake, which its owner is to be told.
        number = certificate.private_key.public_key().public_numbers().n
        identity = own + number.to_bytes((number.bit_length() + 7) // 8, "big"), ca or ""
        with self._lock:
            context = self._kept.pop(identity, None) or presenting(certificate, ca)
            if len(self._kept) >= self._most:
                del self._kept[next(iter(self._kept))]
            # The last is the one that was asked for last.
            self._kept[identity] = context
        return context


def mutual_tls(
    certificate: ClientCertificate | None,
    ca: str | None = None,
    *,
    demanded: bool = True,
    contexts: Contexts | None = None,
) -> Callable[[Request], ssl.SSLContext | None]:
    """The TLS of each request: the merchant's own, for operations that need it, made once or found in ``contexts``.

    ``demanded`` False lets those operations pass without a certificate, as the sandbox environments do. What it gives
    raises ConfigurationError for an operation that needs a certificate where there is none.
    """
    made: list[ssl.SSLContext] = []
    kept = Contexts() if contexts is None else contexts

    def context(request: Request) -> ssl.SSLContext | None:
        operation = request.operation
        needed = operation is not None and operation.mutual_tls
        # Of a path that no spec declares nobody knows; APIv2's may need it, and it harms none that does not.
        if not needed and not (operation is None and request.family == "v2"):
            return None
        if certificate is None:
            if needed and demanded:
                raise ConfigurationError(
                    f"{request.name} demands the merchant's client certificate (商户API证书): give `p12` "
                    f"(apiclient_cert.p12), or `certificate` (apiclient_cert.pem) beside `private_key`"
                )
            return None
        if not made:
            made.append(kept.presenting(certificate, ca))
        return made[0]

    return context
