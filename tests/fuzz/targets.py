"""The targets of fuzzing: each function parses any bytes as input from a foreign peer, and fails if a parser does.

A parser must read them or raise its own error, and say so on one line of bounded length; what it reads must hold
together (what is written again is read the same, however the bytes are cut). ``python -m tests.fuzz NAME`` looks for
inputs guided by coverage; ``test_fuzz.py`` runs the kept corpus and some random ones in every run of the tests.
"""

from __future__ import annotations

import asyncio
import atexit
import base64
import copy
import json
import pickle
import re
import shutil
import tempfile
import time
from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Final

from multidict import CIMultiDict

from tests.fuzz.notifications_v2 import fuzz_notifications_v2
from wxpay_dsl.client import tree
from wxpay_dsl.core.errors import ConfigurationError, SdkError, SpecError
from wxpay_dsl.core.http.decoding import Digest, FileDecodeError, FileDecoder
from wxpay_dsl.core.http.retry import retry_after
from wxpay_dsl.core.messages import Exchange, Options, RawResponse, Request
from wxpay_dsl.core.openapi import parse as parse_document
from wxpay_dsl.core.openapi import read_document
from wxpay_dsl.core.specs.loader import load, outline
from wxpay_dsl.core.specs.model import Operation
from wxpay_dsl.core.specs.yaml12 import read as read_yaml
from wxpay_dsl.sandbox import Sandbox
from wxpay_dsl.sandbox.protocol.messages import Call
from wxpay_dsl.wechat import bills
from wxpay_dsl.wechat.chains import CHAINS
from wxpay_dsl.wechat.crypto.certificates import load_certificate, load_pkcs12
from wxpay_dsl.wechat.crypto.keys import load_private_key, load_public_key
from wxpay_dsl.wechat.crypto.merchant_files import read_merchant_files
from wxpay_dsl.wechat.errors import VerificationError
from wxpay_dsl.wechat.platform_keys.certificates import PlatformCertificatesError, decrypt_certificates
from wxpay_dsl.wechat.platform_keys.store import KeyStoreError, StoredCertificates
from wxpay_dsl.wechat.v2 import xml, xml_nested
from wxpay_dsl.wechat.v3 import authorization
from wxpay_dsl.wechat.v3 import signing as signing_v3
from wxpay_dsl.wechat.v3.dialect import v3
from wxpay_dsl.wechat.v3.verification import check_clock, read_headers

__all__ = ["TARGETS", "Target"]

Target = Callable[[bytes], None]

#: Characters of an error's sentence: whoever logs it must not be made to write megabytes.
LONGEST: Final = 2000
#: Names of XML elements that are written.
_WRITTEN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*\Z")
#: Bytes that a small download may unpack to here.
UNPACKED: Final = 1 << 20


def told(error: SdkError) -> None:
    """An error is one line of bounded length, and survives pickling and copying."""
    line = str(error)
    assert len(line) < LONGEST, f"{type(error).__name__} of {len(line)} characters"
    assert line.isprintable(), f"{type(error).__name__} breaks its line: {line[:200]!r}"
    assert str(pickle.loads(pickle.dumps(error))) == line  # noqa: S301 (our own)
    assert str(copy.copy(error)) == line


def fuzz_xml(data: bytes) -> None:
    """The XML of APIv2 responses and notifications."""
    try:
        fields = xml.loads(data)
    except xml.XmlError as error:
        told(error)
    else:
        # Names with a namespace's colon, or in other scripts, are read, as expat reads them, and never written.
        if all(_WRITTEN.match(name) for name in fields):
            assert xml.loads(xml.dumps(fields)) == fields
    try:
        xml_nested.loads(data)
    except xml.XmlError as error:
        told(error)


@lru_cache(maxsize=1)
def operations() -> tuple[Operation | None, ...]:
    """Operations that return JSON, a file, or nothing; and None."""
    found = []
    for path, verb in (
        ("v3/pay/transactions/native", "post"),
        ("v3/billdownload/file", "get"),
        ("v3/pay/transactions/out-trade-no/{out_trade_no}/close", "post"),
    ):
        branch = tree().find(tuple(path.split("/")))
        assert branch is not None, path
        found.append(branch.verbs[verb].operation())
    return (None, *found)


KINDS: Final = ("application/json", "text/html; charset=gbk", "", "application/json; charset=utf-16", "image/png")
STATUSES: Final = (200, 204, 302, 400, 401, 404, 429, 500, 502)


def fuzz_answers(data: bytes) -> None:
    """Bodies of responses: successful ones, and errors, which are not signed."""
    if len(data) < 3:
        return
    operation = operations()[data[0] % 4]
    status = STATUSES[data[1] % len(STATUSES)]
    said = data[3:40].decode("latin-1")
    headers = CIMultiDict({"Content-Type": KINDS[data[2] % len(KINDS)], "Request-ID": said, "Content-Encoding": said})
    response = RawResponse("GET /v3/x", status, headers, data[3:], safe=bool(data[0] & 4))
    dialect = v3()
    try:
        read = dialect.decode(operation, response)
    except SdkError as error:
        told(error)
    else:
        assert isinstance(read, (dict, list, str, int, float, bool, bytes, type(None)))
    error = dialect.parse_error(operation, response)
    told(error)
    assert error.body == data[3:]  # type: ignore[attr-defined]  # every refusal has it
    assert dialect.explain is not None
    told(dialect.explain(_exchange(), error))
    asked = retry_after({"Retry-After": data[3:].decode("latin-1")})
    assert asked is None or 0 <= asked < 1e12


@lru_cache(maxsize=1)
def _exchange() -> Exchange:
    """One whose message was signed."""
    request = Request("GET /v3/x", "GET", "https://x/v3/x", {}, b"", None, "v3", {}, Options(), safe=True)
    return Exchange(request, signed_message=b"GET\n/v3/x\n1\nN\n\n")


def fuzz_signatures(data: bytes) -> None:
    """The header fields of a signature."""
    pieces = (data + b"\0" * 4).split(b"\0")
    names = ("Wechatpay-Timestamp", "wechatpay-nonce", "Wechatpay_Signature", "WECHATPAY-SERIAL")
    texts = [piece.decode("latin-1") for piece in pieces]
    try:
        signed = read_headers(dict(zip(names, texts, strict=False)), "GET /v3/x")
        check_clock(signed, time.time(), "GET /v3/x")
    except VerificationError as error:
        told(error)
    else:
        assert abs(signed.timestamp - time.time()) < 302
    assert not signing_v3.verify(b"x", texts[0], _merchant_key().public_key())


def fuzz_bills(data: bytes) -> None:
    """Bills with any content, in chunks of any size."""

    def read(size: int) -> tuple[list[Any], Any, str]:
        async def pieces() -> Any:
            for start in range(0, len(data), size):
                yield data[start : start + size]

        async def collect() -> tuple[list[Any], Any, str]:
            rows = bills.rows(pieces())
            found = list[Any]()
            try:
                async for row in rows:
                    found.append(row)
            except bills.BillFormatError as error:
                told(error)
                return found, rows.summary, str(error)
            return found, rows.summary, ""

        return _loop().run_until_complete(collect())

    assert read(len(data) or 1) == read(7)


def fuzz_downloads(data: bytes) -> None:
    """Downloaded files, compressed or not, within the size limit."""
    hashed, cut = bool(data[:1] > b"\x80"), 1 + (data[1] if len(data) > 1 else 0)
    unpacker = FileDecoder(Digest("SHA1", "00" * 20) if hashed else None, UNPACKED)
    size, refusal = 0, ""
    try:
        for start in range(2, len(data), cut):
            size += sum(map(len, unpacker.feed(data[start : start + cut])))
        size += sum(map(len, unpacker.finish()))
    except FileDecodeError as error:
        refusal = str(error)
    assert bool(refusal) or not hashed, "no input here has this hash"
    assert len(refusal) < LONGEST
    assert size <= UNPACKED


def fuzz_authorization(data: bytes) -> None:
    """The Authorization header that the sandbox parses."""
    header = data.decode("latin-1")
    try:
        given = authorization.parse(header)
    except authorization.AuthorizationError as error:
        told(error)
        return
    again = authorization.build(
        given.mchid, given.serial, given.timestamp, given.nonce, given.signature, scheme=given.scheme
    )
    assert authorization.parse(again) == given
    assert "\n" not in again


TARGETS_OF_CALLS: Final = (
    *("/v3/pay/transactions/native", "/v3/refund/domestic/refunds", "/v3/marketing/favor/media/image-upload"),
    *("/v3/pay/transactions/out-trade-no/%s?mchid=1900000109", "/pay/unifiedorder", "/%s", "/sandbox/%s", "/v3/%s?%s"),
    *("/sandbox/pay", "/sandbox/faults", "/sandbox/clock", "/v3/applyment4sub/applyment/"),
)


def fuzz_sandbox(data: bytes) -> None:
    """Calls of the sandbox, with a valid signature or not: it responds to each without an internal error."""
    if len(data) < 4:
        return
    running, merchant = _sandbox()
    template, rest = TARGETS_OF_CALLS[data[0] % len(TARGETS_OF_CALLS)], data[4:]
    method = ("POST", "GET", "PUT", "DELETE", "PATCH", "X")[data[1] % 6]
    text = "".join(c for c in rest[: data[2]].decode("latin-1") if c.isprintable() and c != " ")
    target = template.replace("%s", text)
    body = rest[data[2] :] if data[3] & 1 else rest
    headers = CIMultiDict({"Accept": "*/*", "User-Agent": "fuzz", "Host": "127.0.0.1"})
    kinds = ("application/json", 'multipart/form-data; boundary="b"', f"multipart/form-data; boundary={text[:70]}", "")
    headers["Content-Type"] = kinds[(data[3] >> 1) % 4]
    if data[3] & 8:
        message = signing_v3.request_message(method, target, int(time.time()), "N" * 32, body)
        signature = signing_v3.sign(message, merchant.private_key)
        headers["Authorization"] = authorization.build(
            merchant.mchid, merchant.serial, int(time.time()), "N" * 32, signature
        )
    else:
        headers["Authorization"] = f"WECHATPAY2-SHA256-RSA2048 {text}"
    call = Call(method, target, headers, body)

    async def respond() -> None:
        wire = running.respond(call, "127.0.0.1")
        assert 200 <= wire.status < 600
        assert wire.status != 500, wire.body[:500]
        assert all(str(value).isprintable() for value in wire.headers.values())

    _loop().run_until_complete(respond())
    if template.startswith("/sandbox"):
        running.control.reset()
        running.control.faults.clear()


def fuzz_keys(data: bytes) -> None:
    """Keys, certificates and containers in any format."""
    for read in (load_private_key, load_public_key, load_certificate, partial(load_private_key, password="1")):
        try:
            read(data)
        except ConfigurationError as error:
            told(error)
    if data[:1] == b"\x30" and not _is_slow(data):
        try:
            load_pkcs12(data, "1900000109")
        except ConfigurationError as error:
            told(error)


def _is_slow(data: bytes) -> bool:
    """Whether a container may ask for millions of rounds of hashing: OpenSSL does as it is told, and this is our own
    file, so that nobody is defended against it.
    """
    return len(data) > 4096


def fuzz_specs(data: bytes) -> None:
    """YAML: as a document, in outline, and as a whole spec."""
    try:
        read_yaml(data, "x.yaml")
    except SpecError as error:
        told(error)
    try:
        outline(data, "x.yaml", "v3")
    except SpecError as error:
        told(error)
    file = _folder() / "x.yaml"
    file.write_bytes(data)
    try:
        load((str(_folder()),), str(file), "v3", CHAINS)
    except SpecError as error:
        told(error)


def fuzz_openapi(data: bytes) -> None:
    """OpenAPI documents, from wherever one was found."""
    try:
        imported = read_document(parse_document(data, "x.yaml"))
    except SpecError as error:
        told(error)
        return
    for name, text in imported.files.items():
        assert ".." not in Path(name).parts
        assert not Path(name).is_absolute()
        read_yaml(text, name)


def fuzz_certificates(data: bytes) -> None:
    """The answer with platform certificates, and what a store kept of one."""
    try:
        decrypt_certificates(data, b"0" * 32)
    except PlatformCertificatesError as error:
        told(error)
    try:
        StoredCertificates.loads(data)
    except KeyStoreError as error:
        told(error)
    inner = {"algorithm": "AEAD_AES_256_GCM", "nonce": data[:12].decode("latin-1"), "associated_data": ""}
    whole = {**inner, "ciphertext": base64.b64encode(data).decode()}
    try:
        decrypt_certificates(json.dumps({"data": [{"serial_no": "0A", "encrypt_certificate": whole}]}), b"0" * 32)
    except PlatformCertificatesError as error:
        told(error)


def fuzz_archives(data: bytes) -> None:
    """What is given as the zip of the merchant platform."""
    file = _folder() / "cert.zip"
    file.write_bytes(data)
    try:
        read_merchant_files(file, "1900000109")
    except ConfigurationError as error:
        told(error)


@lru_cache(maxsize=1)
def _loop() -> asyncio.AbstractEventLoop:
    return asyncio.new_event_loop()


@lru_cache(maxsize=1)
def _sandbox() -> tuple[Any, Any]:
    sandbox = Sandbox()
    _loop().run_until_complete(sandbox.start())
    atexit.register(lambda: _loop().run_until_complete(sandbox.stop()))
    return sandbox._require_app(), sandbox.merchant


@lru_cache(maxsize=1)
def _merchant_key() -> Any:
    import yaml

    texts = yaml.safe_load((Path(__file__).parents[1] / "cases/keys.yaml").read_text("utf-8"))
    return load_private_key(texts["pkcs8"])


@lru_cache(maxsize=1)
def _folder() -> Path:
    memory = Path("/dev/shm")  # noqa: S108 (a private folder is made in it)
    folder = tempfile.mkdtemp(prefix="wxpay-fuzz-", dir=memory if memory.is_dir() else None)
    atexit.register(shutil.rmtree, folder)
    return Path(folder)


TARGETS: Final[dict[str, Target]] = {
    "xml": fuzz_xml,
    "answers": fuzz_answers,
    "signatures": fuzz_signatures,
    "bills": fuzz_bills,
    "downloads": fuzz_downloads,
    "authorization": fuzz_authorization,
    "sandbox": fuzz_sandbox,
    "keys": fuzz_keys,
    "specs": fuzz_specs,
    "certificates": fuzz_certificates,
    "openapi": fuzz_openapi,
    "archives": fuzz_archives,
    "notifications_v2": fuzz_notifications_v2,
}
