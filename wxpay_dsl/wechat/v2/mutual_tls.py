"""TLS contexts with the merchant's client certificate (商户API证书), which APIv2 requires to refund or transfer money.

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
from wxpay_dsl.core.files.names import shown_file

if TYPE_CHECKING:
    from wxpay_dsl.core.messages import Request

__all__ = ["ClientCertificate", "Contexts", "client_context", "load_key", "mutual_tls", "verifying_context"]


@frozen
class ClientCertificate:
    """The merchant's certificate and private key for TLS. The key is not in the repr, and never pickled."""

    private_key: RSAPrivateKey = field(repr=False)
    certificate: x509.Certificate
    #: The intermediate certificates between this certificate and its root.
    chain: tuple[x509.Certificate, ...] = ()

    def __reduce__(self) -> str:
        raise TypeError("a client certificate comes with its private key and is never pickled")


def verifying_context(ca: str | None = None) -> ssl.SSLContext:
    """A context that verifies servers with the system's certificate authorities and those in ``ca``.

    ``ca`` is the path of a PEM file, or PEM text. Raises ConfigurationError if it has no certificates.
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


def client_context(certificate: ClientCertificate, ca: str | None = None) -> ssl.SSLContext:
    """A context that presents ``certificate`` to servers, and verifies them as :func:`verifying_context` does."""
    context = verifying_context(ca)
    try:
        load_key(context, certificate.private_key, (certificate.certificate, *certificate.chain))
    except ssl.SSLError as error:
        raise ConfigurationError(f"the client certificate (商户API证书) cannot be used: {error.reason}") from None
    return context


def load_key(
    context: ssl.SSLContext,
    private_key: RSAPrivateKey | EllipticCurvePrivateKey,
    certificates: Iterable[x509.Certificate],
) -> None:
    """Loads a key and its certificate chain, own certificate first, into ``context``. Raises ssl.SSLError."""
    # Python's ssl loads a key from a file only. This file is readable by its owner only, has the key encrypted with a
    # random password, and is removed before this function returns.
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
    """A cache of the TLS contexts of a process's merchants, by certificate and CA.

    A client for the same merchant reuses the context, and with it open connections. Creating one takes 22 ms.
    """

    def __init__(self, limit: int = 1000) -> None:
        self._limit = limit
        self._kept: dict[tuple[bytes, str], ssl.SSLContext] = {}
        self._lock = threading.Lock()

    def get(self, certificate: ClientCertificate, ca: str | None) -> ssl.SSLContext:
        """The context of :func:`client_context`, created at the first use."""
        own = certificate.certificate.fingerprint(hashes.SHA256())
        # With the key: a wrong key for the same certificate must fail, not reuse the context of the right one.
        number = certificate.private_key.public_key().public_numbers().n
        identity = own + number.to_bytes((number.bit_length() + 7) // 8, "big"), ca or ""
        with self._lock:
            context = self._kept.pop(identity, None) or client_context(certificate, ca)
            if len(self._kept) >= self._limit:
                del self._kept[next(iter(self._kept))]
            # The most recently used entry is the last one; the first one is evicted.
            self._kept[identity] = context
        return context


def mutual_tls(
    certificate: ClientCertificate | None,
    ca: str | None = None,
    *,
    required: bool = True,
    contexts: Contexts | None = None,
) -> Callable[[Request], ssl.SSLContext | None]:
    """The function that gives the TLS context of a request: the merchant's for operations that need it, else None.

    The context is created at the first use, or taken from ``contexts``. With ``required`` False, operations that need a
    certificate are sent without one if there is none, as the sandbox environments allow; otherwise the function raises
    ConfigurationError for them.
    """
    created: list[ssl.SSLContext] = []
    cache = Contexts() if contexts is None else contexts

    def context(request: Request) -> ssl.SSLContext | None:
        operation = request.operation
        needed = operation is not None and operation.mutual_tls
        # An undeclared APIv2 path may need the certificate; presenting it to one that does not is harmless.
        if not needed and not (operation is None and request.dialect == "v2"):
            return None
        if certificate is None:
            if needed and required:
                raise ConfigurationError(
                    f"{request.name} requires the merchant's client certificate (商户API证书): give `p12` "
                    f"(apiclient_cert.p12), or `certificate` (apiclient_cert.pem) beside `private_key`"
                )
            return None
        if not created:
            created.append(cache.get(certificate, ca))
        return created[0]

    return context
