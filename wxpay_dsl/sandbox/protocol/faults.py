"""Faults on request: what the network and the service itself do to a client now and then.

By header, for one call: ``Sandbox-Fault: delay=0.5, bad-signature``; or by rule, for a share of the calls, or for so
many of them.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Final

from attrs import evolve, frozen

from wxpay_dsl.sandbox.keys.platform import Platform
from wxpay_dsl.wechat.v3.signing import PROBE_PREFIX

from .messages import Call, RawResponse, Refusal, Response

__all__ = ["HEADER", "KINDS", "Fault", "Faults", "Rule", "instead", "mangled", "read"]

HEADER: Final = "Sandbox-Fault"
#: Each kind of fault, what it does, and the value that it takes where none is given.
KINDS: Final[Mapping[str, tuple[str, float]]] = {
    "bad-signature": ("the answer's signature is not that of its bytes", 0),
    "unknown-serial": ("the answer names a key that nobody knows", 0),
    "stale-timestamp": ("the answer is signed right, VALUE seconds ago", 600),
    "sign-test": ("probe traffic: a signature that begins with WECHATPAY/SIGNTEST/", 0),
    "no-signature": ("the answer has none of the signature's headers", 0),
    "rate-limit": ("429 FREQUENCY_LIMITED, Retry-After VALUE seconds; nothing is done", 1),
    "system-error": ("500 SYSTEM_ERROR; nothing is done", 0),
    "response-lost": ("500 SYSTEM_ERROR, though it was done", 0),
    "bad-gateway": ("502 from a proxy, in HTML; nothing is done", 0),
    "truncated": ("the connection ends in the middle of the body", 0),
    "drop-after": ("the connection is reset, though it was done", 0),
    "drop-before": ("the connection is reset, and nothing is done", 0),
    "delay": ("the answer comes VALUE seconds late", 1),
    "rotate-key": ("the platform's certificate is changed before the answer is signed", 0),
}

_HTML: Final = (
    b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n"
    b"<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
)
_SIGN: Final = re.compile(rb"(<sign>(?:<!\[CDATA\[)?)([0-9A-F]{32,64})")
_FLIPPED: Final = bytes.maketrans(b"0123456789ABCDEF", b"1032547698BADCFE")


@frozen
class Fault:
    """One fault of one call."""

    kind: str
    value: float


@frozen
class Rule:
    """Calls that go wrong."""

    kind: str
    value: float
    #: Of a hundred calls, how many hundredths.
    share: float = 1.0
    #: How many more calls; None for all.
    times: int | None = None
    #: ``/v3/pay/*``: only paths like this.
    path: str = "*"


class Faults:
    """The rules that are in force."""

    def __init__(self, shares: Mapping[str, float] | None = None, seed: int | None = None) -> None:
        """``shares``: of each kind, the share of calls that it hits, 0 to 1. Raises ValueError."""
        self.rules: list[Rule] = []
        self._random = random.Random(seed)  # noqa: S311 - it decides what goes wrong, it protects nothing
        for kind, share in (shares or {}).items():
            self.add(kind, share=share)

    def add(
        self, kind: str, *, value: float | None = None, share: float = 1.0, times: int | None = None, path: str = "*"
    ) -> None:
        """Adds a rule. Raises ValueError for a kind that is none of :data:`KINDS`, or a share beyond 0 to 1."""
        if kind not in KINDS:
            raise ValueError(f"{kind!r} is no fault; there are {', '.join(KINDS)}")
        if not 0 <= share <= 1:
            raise ValueError(f"a share is 0 to 1, not {share}")
        self.rules.append(Rule(kind, KINDS[kind][1] if value is None else value, share, times, path))

    def clear(self) -> None:
        """Forgets all rules."""
        self.rules.clear()

    def drawn(self, call: Call) -> list[Fault]:
        """The faults of a call: those of its header, and those that a rule gives it. Raises Refusal."""
        found = read(call.headers[HEADER]) if HEADER in call.headers else []
        for rule in list(self.rules):
            if fnmatchcase(call.path, rule.path) and self._random.random() < rule.share:
                found.append(Fault(rule.kind, rule.value))
                if rule.times is not None:
                    self._use(rule)
        return found

    def _use(self, rule: Rule) -> None:
        place = self.rules.index(rule)
        left = (rule.times or 1) - 1
        if left:
            self.rules[place] = evolve(rule, times=left)
        else:
            del self.rules[place]


def read(header: str) -> list[Fault]:
    """The faults that a header asks for. Raises Refusal INVALID_REQUEST."""
    found = []
    for item in header.split(","):
        kind, _, value = item.strip().partition("=")
        try:
            found.append(Fault(kind, float(value) if value else KINDS[kind][1]))
        except (KeyError, ValueError):
            text = f"{HEADER}: {item.strip()[:60]!r}; there are {', '.join(KINDS)}"
            raise Refusal(400, "INVALID_REQUEST", text, signed=False) from None
    return found


def instead(faults: Iterable[Fault]) -> Response | None:
    """What is answered in the place of doing what was asked for."""
    for fault in faults:
        if fault.kind == "rate-limit":
            headers = {"Retry-After": f"{fault.value:g}"}
            return Refusal(429, "FREQUENCY_LIMITED", "频率超限，请降低请求接口频率", headers=headers).response()
        if fault.kind == "system-error":
            return Refusal(500, "SYSTEM_ERROR", "系统异常，请稍后重试").response()
        if fault.kind == "bad-gateway":
            return Response(502, _HTML, content_type="text/html", signed=False)
        if fault.kind == "drop-before":
            return Response(500, None, signed=False)
    return None


def mangled(wire: RawResponse, faults: Iterable[Fault], platform: Platform) -> RawResponse:
    """An answer after what its faults do to it."""
    for fault in faults:
        wire = _mangled(wire, fault, platform)
    return wire


def _mangled(wire: RawResponse, fault: Fault, platform: Platform) -> RawResponse:
    match fault.kind:
        case "delay":
            return evolve(wire, delay=wire.delay + fault.value)
        case "drop-after" | "drop-before":
            return evolve(wire, reset=True)
        case "truncated":
            return evolve(wire, cut=len(wire.body) // 2)
        case "response-lost":
            headers = {"Content-Type": "application/json; charset=utf-8"}
            return evolve(
                wire,
                status=500,
                headers=headers,
                body=b'{"code":"SYSTEM_ERROR","message":"\xe7\xb3\xbb\xe7\xbb\x9f\xe5\xbc\x82\xe5\xb8\xb8"}',
            )
        case "bad-signature" if "Wechatpay-Signature" not in wire.headers:
            # APIv2 signs inside.
            return evolve(wire, body=_SIGN.sub(lambda found: found[1] + found[2].translate(_FLIPPED), wire.body))
        case _ if "Wechatpay-Signature" not in wire.headers:
            return wire
        case _:
            return evolve(wire, headers=_signed_wrong(wire, fault, platform))


def _signed_wrong(wire: RawResponse, fault: Fault, platform: Platform) -> Mapping[str, str]:
    headers = dict(wire.headers)
    signature = headers["Wechatpay-Signature"]
    match fault.kind:
        case "bad-signature":
            headers["Wechatpay-Signature"] = signature[::-1].lstrip("=") + "=" * (
                len(signature) - len(signature.rstrip("="))
            )
        case "unknown-serial":
            headers["Wechatpay-Serial"] = headers["Wechatpay-Serial"][::-1]
        case "sign-test":
            headers["Wechatpay-Signature"] = f"{PROBE_PREFIX}{signature}"
        case "stale-timestamp":
            pair = platform.find(headers["Wechatpay-Serial"])
            if pair is not None:
                headers |= platform.sign(pair, wire.body, int(headers["Wechatpay-Timestamp"]) - int(fault.value))
        case "no-signature":
            headers = {name: value for name, value in headers.items() if not name.startswith("Wechatpay-")}
    return headers
