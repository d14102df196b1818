"""Reads key material in any form (PEM, DER, base64, a path, a ``file://`` URL) into labelled blocks of DER.

It does not parse keys or certificates. Errors never show what might be a secret: a text is quoted only if it is almost
certainly a path.
"""

from __future__ import annotations

import binascii
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from attrs import field, frozen

from wxpay_dsl.core.errors import ConfigurationError
from wxpay_dsl.core.files.names import shown_file

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ["Block", "file_of", "find", "read_blocks"]

#: The most bytes that are read; no key is that large. A path of a log file or a device must not exhaust memory.
_LIMIT = 128 * 1024

_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,64})-----(.*?)-----END \1-----", re.DOTALL)
_BASE64 = re.compile(rb"[A-Za-z0-9+/\s]+={0,2}\s*")
#: The first base64 characters of any DER SEQUENCE of 128 bytes or more.
_BASE64_OF_DER = b"MI"
#: The first base64 characters of a PEM text, as ``base64 apiclient_key.pem`` writes it for a variable of one line.
_BASE64_OF_PEM = b"LS0tLS1CRUdJTi"
#: The first bytes of other files that are mistaken for keys, and what the error says.
_OTHERS = (
    (b"PK\x03\x04", "this is a zip: unpack it, and give the file in it (apiclient_key.pem, apiclient_cert.pem)"),
    (b"<", "this is HTML or XML"),
    (b"{", "this is JSON"),
    (b"\xff\xfe", "this is text in UTF-16: save it as UTF-8"),
    (b"\xfe\xff", "this is text in UTF-16: save it as UTF-8"),
    (b"ssh-", "this is an SSH key"),
)
_DER_SEQUENCE = b"\x30"
_UTF8_BOM = b"\xef\xbb\xbf"


@frozen
class Block:
    """One block of key material. ``label`` is that of PEM (``CERTIFICATE``), or empty for DER."""

    label: str
    der: bytes = field(repr=False)
    #: The PEM text if it has headers that are needed to decrypt the key (``Proc-Type: 4,ENCRYPTED``); otherwise empty.
    encrypted_pem: bytes = field(default=b"", repr=False)


def read_blocks(thing: str | bytes | os.PathLike[str], what: str) -> tuple[Block, ...]:
    """All blocks in ``thing``, in their order; at least one.

    ``thing`` is PEM, DER or base64 of either, or the path or ``file://`` URL of a file with one of these, of at most
    128 KiB. ``what`` names it in errors ("merchant private key"). Raises :class:`ConfigurationError` if there is no
    such file, or if its content cannot be a key or a certificate.
    """
    return _parse(_read(thing, what), what)


def find(blocks: Collection[Block], *labels: str) -> Block | None:
    """The first block with one of ``labels`` or without a label; None if there is none."""
    return next((block for block in blocks if block.label in labels or not block.label), None)


def file_of(thing: object) -> Path | None:
    """The file that ``thing`` names; None if it is the key material itself, or cannot name a file."""
    if not isinstance(thing, (str, os.PathLike)) or (isinstance(thing, str) and (not thing or _is_material(thing))):
        return None
    path = os.fspath(thing)
    try:
        return Path(_path_of_url(path, "") if path.startswith("file:") else path).expanduser()
    except (ConfigurationError, RuntimeError):
        return None


def _read(thing: str | bytes | os.PathLike[str], what: str) -> bytes:
    if isinstance(thing, str) and not thing.strip():
        raise ConfigurationError(f"{what}: it is empty")
    if isinstance(thing, bytes):
        data = thing
    elif isinstance(thing, str) and _is_material(thing):
        data = thing.encode("utf-8", "replace")
    elif isinstance(thing, (str, os.PathLike)):
        data = _read_file(thing, what)
    else:
        raise ConfigurationError(
            f"{what}: got {type(thing).__name__}; expected PEM or DER, a path, a file:// URL or a key object"
        )
    if len(data) > _LIMIT:
        raise ConfigurationError(f"{what}: more than {_LIMIT} bytes, too large for a key or certificate")
    return data


def _is_material(text: str) -> bool:
    if "-----BEGIN" in text:
        return True
    stripped = text.lstrip("\ufeff \t\r\n")
    # No path consists of 200 base64 characters that start with MI, and no key has fewer characters.
    return (
        len(stripped) >= 200
        and stripped.startswith((_BASE64_OF_DER.decode(), _BASE64_OF_PEM.decode()))
        and _BASE64.fullmatch(stripped.encode("utf-8", "replace")) is not None
    )


def _read_file(thing: str | os.PathLike[str], what: str) -> bytes:
    path = os.fsdecode(thing)
    shown = shown_file(path) if not isinstance(thing, str) or _is_surely_a_path(path) else _withheld(path)
    if path.startswith("file:"):
        path = _path_of_url(path, what)
    try:
        with Path(path).expanduser().open("rb") as file:
            return file.read(_LIMIT + 1)
    except FileNotFoundError:
        raise ConfigurationError(
            f"{what}: no such file: {shown}; give PEM text, or a path relative to {Path.cwd()}"
        ) from None
    except (OSError, ValueError, RuntimeError) as error:
        # ValueError: a null character; RuntimeError: an unknown ~user. Their messages quote the path.
        reason = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
        raise ConfigurationError(f"{what}: cannot read {shown}: {reason}") from None


def _is_surely_a_path(text: str) -> bool:
    """Whether a text is a path and not a secret in the wrong setting: API keys and base64 have no dot."""
    return len(text) <= 1024 and "\n" not in text and ("." in text or text.startswith(("/", "~", "file:")))


def _withheld(text: str) -> str:
    return f"(a text of {len(text)} characters that is not a key; not shown, as it may be a secret)"


def _path_of_url(url: str, what: str) -> str:
    parts = urlsplit(url)
    if parts.netloc not in ("", "localhost") or not parts.path.startswith("/"):
        raise ConfigurationError(
            f"{what}: a file URL needs three slashes and an absolute path, as in file:///etc/wxpay/key.pem; "
            f"for a relative path leave out file://"
        )
    path = unquote(parts.path)
    # file:///C:/keys/a.pem
    return path[1:] if os.name == "nt" and re.match(r"/[A-Za-z]:", path) else path


def _parse(data: bytes, what: str) -> tuple[Block, ...]:
    data = data.removeprefix(_UTF8_BOM)
    if b"-----BEGIN" in data:
        # A key from an environment variable or a JSON value may have its line breaks escaped as \n.
        text = data.replace(b"\\r", b"").replace(b"\\n", b"\n")
        blocks = tuple(_block(label, body, what) for label, body in _BLOCK.findall(text))
        if not blocks:
            raise ConfigurationError(
                f"{what}: the PEM text has a BEGIN line but no matching END line; was only its first line copied?"
            )
        return blocks
    if data.startswith(_DER_SEQUENCE):
        return (Block("", data),)
    if data.lstrip().startswith(_BASE64_OF_PEM) and _BASE64.fullmatch(data):
        decoded = _decode(data, what)
        if b"-----BEGIN" in decoded:  # limits the recursion to one level
            return _parse(decoded, what)
    if data.lstrip().startswith(_BASE64_OF_DER) and _BASE64.fullmatch(data):
        return (Block("", _decode(data, what)),)
    problem = next((text for start, text in _OTHERS if data.lstrip().startswith(start)), "neither PEM, DER nor base64")
    raise ConfigurationError(f"{what}: {problem if data.strip() else 'it is empty'}")


def _block(label: bytes, body: bytes, what: str) -> Block:
    name = label.decode("ascii")
    if b":" in body:
        lines = [line.strip() for line in body.strip().splitlines()]
        pem = b"\n".join([b"-----BEGIN " + label + b"-----", *lines, b"-----END " + label + b"-----", b""])
        return Block(name, b"", pem)
    return Block(name, _decode(body, what))


def _decode(text: bytes, what: str) -> bytes:
    try:
        return binascii.a2b_base64(b"".join(text.split()), strict_mode=True)
    except binascii.Error as error:
        raise ConfigurationError(f"{what}: damaged base64: {error}") from None
