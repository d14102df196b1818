"""The merchant's key and certificate as the merchant platform hands them out: a zip, a PKCS#12 container, or PEM files.

https://pay.weixin.qq.com/doc/v3/merchant/4013053053
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Final

from attrs import field, frozen
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from wxpay_dsl.core.errors import ConfigurationError
from wxpay_dsl.core.file_names import is_file_name, shown_file

from .certificates import load_certificate, load_pkcs12, public_key_matches
from .keys import load_private_key

__all__ = ["CERTIFICATE", "CONTAINER", "KEY", "MerchantFiles", "needs_password", "read_merchant_files"]

KEY: Final = "apiclient_key.pem"
CERTIFICATE: Final = "apiclient_cert.pem"
CONTAINER: Final = "apiclient_cert.p12"

_WHAT: Final = "the merchant's certificate files (商户API证书)"
#: Bytes of a zip, members of it, and bytes of one of them; the real one has four of 3 KB each.
_ARCHIVE: Final = 1024 * 1024
_MEMBERS: Final = 64
_MEMBER: Final = 128 * 1024


@frozen
class MerchantFiles:
    """A merchant's key and certificate, which belong together."""

    private_key: RSAPrivateKey = field(repr=False)
    certificate: x509.Certificate
    #: Both as PEM, by the names that the merchant platform gives them; as they came, where they came so.
    pem: Mapping[str, bytes] = field(repr=False)

    def __reduce__(self) -> str:
        raise TypeError("a private key is never pickled")


def needs_password(source: Path) -> bool:
    """Whether only the container is there, whose password is the merchant id. Raises ConfigurationError."""
    found = _found(source)
    return not (KEY in found and CERTIFICATE in found)


def read_merchant_files(source: Path, password: str = "") -> MerchantFiles:
    """Key and certificate in ``source``: the zip as it was downloaded, ``apiclient_cert.p12``, or a folder.

    ``password`` is the container's; PEM files are taken where they are. Of a zip a few members are read by their names,
    nothing is unpacked. Raises ConfigurationError for files that are missing, damaged, too large, or not a pair.
    """
    found = _found(source)
    if KEY in found and CERTIFICATE in found:
        key, certificate = load_private_key(found[KEY]), load_certificate(found[CERTIFICATE])
        if not public_key_matches(key, certificate):
            raise ConfigurationError(f"{_WHAT}: {KEY} is not the key of {CERTIFICATE}; take both from one download")
        return MerchantFiles(key, certificate, {KEY: found[KEY], CERTIFICATE: found[CERTIFICATE]})
    container = load_pkcs12(found[CONTAINER], password)
    pem = {
        KEY: container.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        CERTIFICATE: container.certificate.public_bytes(Encoding.PEM),
    }
    return MerchantFiles(container.private_key, container.certificate, pem)


def _found(source: Path) -> Mapping[str, bytes]:
    """The files of a source by their names: key and certificate, or at least the container."""
    if not is_file_name(source):
        raise ConfigurationError(f"{_WHAT}: {shown_file(source)}")
    try:
        if source.is_dir():
            found = {name: _read(source / name) for name in (KEY, CERTIFICATE, CONTAINER) if (source / name).is_file()}
        elif zipfile.is_zipfile(source):
            found = _members(source)
        elif source.suffix.lower() == ".pem":
            found = {name: _read(source.parent / name) for name in (KEY, CERTIFICATE)}
        else:
            found = {CONTAINER: _read(source)}
    except OSError as error:
        raise ConfigurationError(f"{_WHAT}: {shown_file(error.filename or source)}: {error.strerror}") from None
    if CONTAINER not in found and not (KEY in found and CERTIFICATE in found):
        have = ", ".join(found) or "none of them"
        raise ConfigurationError(
            f"{_WHAT}: {shown_file(source)} has {have}; it needs {KEY} and {CERTIFICATE}, or {CONTAINER}"
        )
    return found


def _read(file: Path) -> bytes:
    with file.open("rb") as opened:
        data = opened.read(_MEMBER + 1)
    return _bounded(data, str(file))


def _members(source: Path) -> dict[str, bytes]:
    if source.stat().st_size > _ARCHIVE:
        raise ConfigurationError(
            f"{_WHAT}: {shown_file(source)} is larger than {_ARCHIVE} bytes: it is not the platform's zip"
        )
    found: dict[str, bytes] = {}
    try:
        with zipfile.ZipFile(source) as archive:
            if len(archive.infolist()) > _MEMBERS:
                raise ConfigurationError(f"{_WHAT}: {shown_file(source)} has more than {_MEMBERS} files in it")
            for member in archive.infolist():
                path = PurePosixPath(member.filename.replace("\\", "/"))
                # What macOS adds to a zip has the same names again.
                if path.name not in (KEY, CERTIFICATE, CONTAINER) or "__MACOSX" in path.parts:
                    continue
                if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                    # LZMA would take as much memory as its header says.
                    raise ConfigurationError(f"{_WHAT}: {path.name} is packed in a way that the platform does not use")
                with archive.open(member) as opened:
                    data = _bounded(opened.read(_MEMBER + 1), path.name)
                if found.setdefault(path.name, data) != data:
                    raise ConfigurationError(f"{_WHAT}: {shown_file(source)} has two different {path.name} in it")
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError, EOFError, zlib.error) as error:
        raise ConfigurationError(f"{_WHAT}: {shown_file(source)} cannot be read: {error!s:.200}") from None
    return found


def _bounded(data: bytes, name: str) -> bytes:
    if len(data) > _MEMBER:
        raise ConfigurationError(f"{_WHAT}: {name} is more than {_MEMBER} bytes, which no key or certificate is")
    return data
