"""Reads the merchant's key and certificate as downloaded from the merchant platform: zip, PKCS#12 or PEM files.

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
from wxpay_dsl.core.files.names import is_file_name, shown_file

from .certificates import load_certificate, load_pkcs12, public_key_matches
from .keys import load_private_key

__all__ = ["CERTIFICATE", "CONTAINER", "KEY", "MerchantFiles", "needs_password", "read_merchant_files"]

KEY: Final = "apiclient_key.pem"
CERTIFICATE: Final = "apiclient_cert.pem"
CONTAINER: Final = "apiclient_cert.p12"

_WHAT: Final = "the merchant's certificate files (商户API证书)"
#: Limits for a zip: its bytes, its members, and the bytes of a member. The real one has four members of 3 KB.
_ARCHIVE: Final = 1024 * 1024
_MEMBERS: Final = 64
_MEMBER: Final = 128 * 1024


@frozen
class MerchantFiles:
    """A merchant's private key and the matching certificate."""

    private_key: RSAPrivateKey = field(repr=False)
    certificate: x509.Certificate
    #: Both as PEM, by their usual file names; unchanged if the source has PEM files.
    pem: Mapping[str, bytes] = field(repr=False)

    def __reduce__(self) -> str:
        raise TypeError("a private key is never pickled")


def needs_password(source: Path) -> bool:
    """Whether the source has only the container, which needs a password. Raises ConfigurationError."""
    files = _files_in(source)
    return not (KEY in files and CERTIFICATE in files)


def read_merchant_files(source: Path, password: str = "") -> MerchantFiles:
    """Reads key and certificate from ``source``: the downloaded zip, the container, a PEM file, or a folder.

    ``password`` is that of the container; PEM files are preferred to it. From a zip, only the members with the expected
    names are read, into memory. Raises ConfigurationError for files that are missing, damaged, too large, or do not
    match.
    """
    files = _files_in(source)
    if KEY in files and CERTIFICATE in files:
        key, certificate = load_private_key(files[KEY]), load_certificate(files[CERTIFICATE])
        if not public_key_matches(key, certificate):
            raise ConfigurationError(f"{_WHAT}: {KEY} does not match {CERTIFICATE}; take both from the same download")
        return MerchantFiles(key, certificate, {KEY: files[KEY], CERTIFICATE: files[CERTIFICATE]})
    container = load_pkcs12(files[CONTAINER], password)
    pem = {
        KEY: container.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        CERTIFICATE: container.certificate.public_bytes(Encoding.PEM),
    }
    return MerchantFiles(container.private_key, container.certificate, pem)


def _files_in(source: Path) -> Mapping[str, bytes]:
    """The files in a source by name: key and certificate, or at least the container."""
    if not is_file_name(source):
        raise ConfigurationError(f"{_WHAT}: {shown_file(source)}")
    try:
        if source.is_dir():
            files = {name: _read(source / name) for name in (KEY, CERTIFICATE, CONTAINER) if (source / name).is_file()}
        elif zipfile.is_zipfile(source):
            files = _zip_members(source)
        elif source.suffix.lower() == ".pem":
            files = {name: _read(source.parent / name) for name in (KEY, CERTIFICATE)}
        else:
            files = {CONTAINER: _read(source)}
    except OSError as error:
        raise ConfigurationError(f"{_WHAT}: {shown_file(error.filename or source)}: {error.strerror}") from None
    if CONTAINER not in files and not (KEY in files and CERTIFICATE in files):
        have = ", ".join(files) or "none of them"
        raise ConfigurationError(
            f"{_WHAT}: {shown_file(source)} has {have}; it needs {KEY} and {CERTIFICATE}, or {CONTAINER}"
        )
    return files


def _read(file: Path) -> bytes:
    with file.open("rb") as opened:
        data = opened.read(_MEMBER + 1)
    return _check_size(data, str(file))


def _zip_members(source: Path) -> dict[str, bytes]:
    if source.stat().st_size > _ARCHIVE:
        raise ConfigurationError(
            f"{_WHAT}: {shown_file(source)} is larger than {_ARCHIVE} bytes: it is not the platform's zip"
        )
    files: dict[str, bytes] = {}
    try:
        with zipfile.ZipFile(source) as archive:
            if len(archive.infolist()) > _MEMBERS:
                raise ConfigurationError(f"{_WHAT}: {shown_file(source)} has more than {_MEMBERS} files in it")
            for member in archive.infolist():
                path = PurePosixPath(member.filename.replace("\\", "/"))
                # macOS adds metadata files with the same names to a zip.
                if path.name not in (KEY, CERTIFICATE, CONTAINER) or "__MACOSX" in path.parts:
                    continue
                if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                    # LZMA could allocate as much memory as its header demands.
                    raise ConfigurationError(f"{_WHAT}: {path.name} is packed in a way that the platform does not use")
                with archive.open(member) as opened:
                    data = _check_size(opened.read(_MEMBER + 1), path.name)
                if files.setdefault(path.name, data) != data:
                    raise ConfigurationError(f"{_WHAT}: {shown_file(source)} has two different {path.name} in it")
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError, EOFError, zlib.error) as error:
        raise ConfigurationError(f"{_WHAT}: {shown_file(source)} cannot be read: {error!s:.200}") from None
    return files


def _check_size(data: bytes, name: str) -> bytes:
    if len(data) > _MEMBER:
        raise ConfigurationError(f"{_WHAT}: {name} is more than {_MEMBER} bytes, which no key or certificate is")
    return data
