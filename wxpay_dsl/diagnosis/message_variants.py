"""Generates the messages that clients sign by mistake instead of the correct one, each with a description.

``wxpay explain`` compares them with the digest of a signature that was made with the right key over a wrong message.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations, islice, permutations, product
from typing import Final
from urllib.parse import quote, quote_plus, unquote, unquote_plus

from attrs import frozen

from wxpay_dsl.wechat.chains import BASE_URL
from wxpay_dsl.wechat.v3.serialisations import serialisations

__all__ = ["Parts", "messages", "meta_of"]

#: Maximum number of mistakes that are combined.
_AT_ONCE: Final = 3
#: Maximum number of messages, and of their bytes in total, so that hashing takes seconds at most.
_TRIED: Final = 200_000
_BYTES: Final = 1024 * 1024 * 1024
#: Maximum number of query parameters of which all orders are tried.
_ORDERED: Final = 5
#: Maximum difference in seconds of timestamps that were taken twice.
_LATER: Final = 5

_META: Final = re.compile(rb'name="?meta"?[^\r\n]*\r\n(?:[^\r\n]+\r\n)*\r\n(.*?)\r\n--', re.DOTALL)
_ESCAPE: Final = re.compile(r"%[0-9A-Fa-f]{2}")


@frozen
class Parts:
    """The parts of a signed message: the request as it was sent, and timestamp and nonce from its header."""

    method: str
    #: Raw path and query.
    target: str
    timestamp: int
    nonce: str
    #: The body, or the part ``meta`` of an upload.
    body: bytes
    #: The whole body of an upload; empty for other requests.
    form: bytes = b""


Variant = tuple[str, bytes]


def meta_of(body: bytes) -> bytes | None:
    """The part ``meta`` of a multipart body, which is what an upload signs; None if there is none."""
    found = _META.search(body) if body.startswith(b"--") else None
    return found[1] if found is not None else None


def messages(parts: Parts) -> Iterator[tuple[str, bytes]]:
    """Pairs of description and message, fewest mistakes first; the description of the correct message is empty."""
    lines: tuple[list[Variant], ...] = (
        [("", parts.method.encode()), *_methods(parts.method)],
        [("", parts.target.encode()), *_targets(parts.target)],
        [("", str(parts.timestamp).encode()), *_timestamps(parts.timestamp)],
        [("", parts.nonce.encode()), *_nonces(parts.nonce)],
        [("", parts.body), *_bodies(parts)],
        [("", b""), *((told, told.encode()) for told in _SHAPES)],
    )
    yield from islice(_combined(lines), min(_TRIED, _BYTES // (len(parts.body) + len(parts.form) + 256)))


def _combined(lines: Sequence[list[Variant]]) -> Iterator[tuple[str, bytes]]:
    for mistakes in range(_AT_ONCE + 1):
        for places in combinations(range(len(lines)), mistakes):
            choices = [line[1:] if place in places else line[:1] for place, line in enumerate(lines)]
            for chosen in product(*choices):
                *values, shape = chosen
                told = "; ".join(name for name, _ in chosen if name)
                yield told, _SHAPES.get(shape[0], _canonical)([value for _, value in values])


def _canonical(lines: list[bytes]) -> bytes:
    return b"\n".join((*lines, b""))


_SHAPES: Final[Mapping[str, Callable[[list[bytes]], bytes]]] = {
    "the line feed after the body was left out": b"\n".join,
    "the line of the empty body was left out": lambda lines: b"\n".join((*lines[:4], b"")),
    "the lines were ended by \\r\\n": lambda lines: b"\r\n".join((*lines, b"")),
    "the line feeds were written as a backslash and an n": lambda lines: b"\\n".join((*lines, b"")),
    "the line feeds were left out": b"".join,
    "nonce and timestamp were swapped": lambda lines: _canonical([*lines[:2], lines[3], lines[2], lines[4]]),
    "method and URL were left out, as in the message of a response": lambda lines: _canonical(lines[2:]),
    "the message begins with a byte order mark": lambda lines: b"\xef\xbb\xbf" + _canonical(lines),
}


def _methods(method: str) -> Iterator[Variant]:
    for name in ("GET", "POST", "PUT", "PATCH", "DELETE", method.lower(), method.capitalize()):
        if name != method:
            yield f"the method {name} was signed, {method} was sent", name.encode()


def _targets(target: str) -> Iterator[Variant]:
    seen = {target}
    for told, other in _other_targets(target):
        if other not in seen:
            seen.add(other)
            # Decoded text may contain characters that a URL cannot: the client signed before encoding.
            yield f"{told} ({other[:120]})", other.encode("utf-8", "surrogateescape")


def _other_targets(target: str) -> Iterator[tuple[str, str]]:
    path, mark, query = target.partition("?")
    if mark:
        yield "the URL was signed without its query", path
        yield "the URL's ? was left out", path + query
    for host in (BASE_URL, "https://api2.wechatpay.cn", "https://apihk.mch.weixin.qq.com"):
        yield "the whole URL was signed, where path and query alone belong", host + target
        yield "the host was signed with the path", host.removeprefix("https://") + target
    pairs = query.split("&") if query else []
    if 1 < len(pairs) <= _ORDERED:
        for order in permutations(pairs):
            yield (
                "the query's parameters were signed in another order than they were sent in",
                f"{path}?{'&'.join(order)}",
            )
    elif pairs:
        yield "the query's parameters were sorted, and sent unsorted", f"{path}?{'&'.join(sorted(pairs))}"
    if any(not pair.partition("=")[2] for pair in pairs):
        kept = "&".join(pair for pair in pairs if pair.partition("=")[2])
        yield "parameters without a value were left out", f"{path}?{kept}" if kept else path
    yield "the URL was signed decoded, and sent percent-encoded", unquote(target)
    yield "the URL was signed decoded, and sent percent-encoded", unquote_plus(target)
    yield "path and query were signed decoded in part", unquote(path) + mark + query
    yield "path and query were signed decoded in part", path + mark + unquote(query)
    yield "path and query were signed decoded in part", path + mark + unquote_plus(query)
    yield "percent escapes were signed in lower case", _ESCAPE.sub(lambda found: found[0].lower(), target)
    yield "percent escapes were signed in upper case", _ESCAPE.sub(lambda found: found[0].upper(), target)
    yield "a blank was signed as %20, and sent as +", target.replace("+", "%20")
    yield "a blank was signed as +, and sent as %20", target.replace("%20", "+")
    yield "the URL was signed percent-encoded twice", target.replace("%", "%25")
    coded = "the URL was signed percent-encoded otherwise than it was sent"
    for safe in ("", ":", ":,", "~:@!$'()*,;"):
        yield coded, _recoded(path, query, safe)
    yield (
        coded,
        quote(unquote(path), safe="/")
        + mark
        + "&".join("=".join(quote_plus(unquote_plus(word)) for word in pair.split("=", 1)) for pair in pairs),
    )
    yield "the path was signed with a slash at its end", f"{path.rstrip('/')}/{mark}{query}"
    yield "the path was signed without the slash at its end", path.rstrip("/") + mark + query
    yield "the path was signed without the slash at its beginning", target.lstrip("/")
    yield "a ? without a query was signed", f"{path}?"
    for version in ("/v3", "/v3/global"):
        if path.startswith(f"{version}/"):
            yield f"the path was signed without {version}", target.removeprefix(version)


def _recoded(path: str, query: str, safe: str) -> str:
    decoded = "/".join(quote(unquote(segment), safe=safe) for segment in path.split("/"))
    if not query:
        return decoded
    pairs = ("=".join(quote(unquote(word), safe=safe) for word in pair.split("=", 1)) for pair in query.split("&"))
    return f"{decoded}?{'&'.join(pairs)}"


def _timestamps(timestamp: int) -> Iterator[Variant]:
    for away in range(1, _LATER + 1):
        for other in (timestamp - away, timestamp + away):
            told = f"the timestamp was taken twice: {other} was signed, {timestamp} is in the header"
            yield told, str(other).encode()
    yield "the timestamp was signed in milliseconds", str(timestamp * 1000).encode()


def _nonces(nonce: str) -> Iterator[Variant]:
    others = {
        "the nonce was signed in lower case": nonce.lower(),
        "the nonce was signed in upper case": nonce.upper(),
        "the nonce was signed without its dashes": nonce.replace("-", ""),
        "the nonce was signed empty": "",
    }
    yield from ((told, other.encode()) for told, other in others.items() if other != nonce)


def _bodies(parts: Parts) -> Iterator[Variant]:
    body = parts.body
    if body:
        yield "the body was left out of the message", b""
    else:
        for empty in (b"{}", b"null", b"[]", b'""', b"undefined"):
            yield f"{empty.decode()} was signed for a body, none was sent", empty
        query = parts.target.partition("?")[2]
        if query:
            yield "the query was signed once more as the body", query.encode()
    if body.rstrip() != body:
        yield "the body was signed without the line end it was sent with", body.rstrip(b"\r\n")
        yield "the body was signed without the blanks around it", body.strip()
    for style, other in serialisations(body):
        told = (
            f"the JSON was serialised twice: signed {style}, sent otherwise. Serialise once, sign and send these bytes"
        )
        yield told, other
    if body:
        yield "the body was signed with a line end that was not sent", body + b"\n"
        yield "line ends of the body were signed as \\r\\n", body.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        yield "line ends of the body were signed as \\n", body.replace(b"\r\n", b"\n")
        yield "the body was signed without its byte order mark", body.removeprefix(b"\xef\xbb\xbf")
        yield "the body was signed as GBK, and sent as UTF-8", _encoded(body, "utf-8", "gb18030")
        yield "the body was signed as Latin-1, and sent as UTF-8", _encoded(body, "utf-8", "latin-1")
        yield "the body was signed as UTF-8, and sent as GBK", _encoded(body, "gb18030", "utf-8")
    if parts.form:
        yield "the whole form was signed; of an upload the part meta alone is", parts.form


def _encoded(body: bytes, sent: str, signed: str) -> bytes:
    try:
        return body.decode(sent).encode(signed)
    except UnicodeError:
        return body
