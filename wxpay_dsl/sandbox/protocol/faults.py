"""Faults on request: errors of the network and of the service that a client must handle.

By header, for one call: ``Sandbox-Fault: delay=0.5, bad-signature``; or by rule, for a share or a number of calls.
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

__all__ = ["HEADER", "KINDS", "Fault", "Faults", "Rule", "apply_faults", "parse_header", "response_instead"]

HEADER: Final = "Sandbox-Fault"
#: Each kind of fault: ``(description, default value)``.
KINDS: Final[Mapping[str, tuple[str, float]]] = {
    "bad-signature": ("the response's signature does not match its bytes", 0),
    "unknown-serial": ("the response names an unknown platform key", 0),
    "stale-timestamp": ("the response has a valid signature, made VALUE seconds ago", 600),
    "sign-test": ("probe traffic: a signature that begins with WECHATPAY/SIGNTEST/", 0),
    "no-signature": ("the response has no signature headers", 0),
    "rate-limit": ("429 FREQUENCY_LIMITED, Retry-After VALUE seconds; the call is not processed", 1),
    "system-error": ("500 SYSTEM_ERROR; the call is not processed", 0),
    "response-lost": ("500 SYSTEM_ERROR, though the call was processed", 0),
    "bad-gateway": ("502 from a proxy, in HTML; the call is not processed", 0),
    "truncated": ("the connection is closed in the middle of the body", 0),
    "drop-after": ("the connection is reset after the call was processed", 0),
    "drop-before": ("the connection is reset; the call is not processed", 0),
    "delay": ("the response is delayed by VALUE seconds", 1),
    "rotate-key": ("the platform certificate is rotated before the response is signed", 0),
}

_HTML: Final = (
    b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n"
    b"<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
)
_SIGN: Final = re.compile(rb"(<sign>(?:<!\[CDATA\[)?)([0-9A-F]{32,64})")
_FLIPPED: Final = bytes.maketrans(b"0123456789ABCDEF", b"1032547698BADCFE")


@frozen
class Fault:
    """One fault of one call; the unit of ``value`` depends on the kind (:data:`KINDS`)."""

    kind: str
    value: float


@frozen
class Rule:
    """A fault that is injected into matching calls."""

    kind: str
    value: float
    #: The share of calls, 0 to 1.
    share: float = 1.0
    #: How many more calls; None for no limit.
    times: int | None = None
    #: Only calls whose path matches this pattern, as ``/v3/pay/*`` (:mod:`fnmatch`).
    path: str = "*"


class Faults:
    """The active rules, in the order in which they were added."""

    def __init__(self, shares: Mapping[str, float] | None = None, seed: int | None = None) -> None:
        """``shares``: ``{kind: share of calls, 0 to 1}``. ``seed`` makes the random choice reproducible.

        Raises ValueError as :meth:`add` does.
        """
        self.rules: list[Rule] = []
        self._random = random.Random(seed)  # noqa: S311 - not used for security
        for kind, share in (shares or {}).items():
            self.add(kind, share=share)

    def add(
        self, kind: str, *, value: float | None = None, share: float = 1.0, times: int | None = None, path: str = "*"
    ) -> None:
        """Add a rule; ``value`` defaults to that of :data:`KINDS`.

        Raises ValueError for a kind that is not in :data:`KINDS`, or a share outside 0 to 1.
        """
        if kind not in KINDS:
            raise ValueError(f"{kind!r} is not a kind of fault; the kinds are {', '.join(KINDS)}")
        if not 0 <= share <= 1:
            raise ValueError(f"share must be between 0 and 1, not {share}")
        self.rules.append(Rule(kind, KINDS[kind][1] if value is None else value, share, times, path))

    def clear(self) -> None:
        """Remove all rules."""
        self.rules.clear()

    def draw(self, call: Call) -> list[Fault]:
        """The faults of a call: those of its header, and those drawn by the rules.

        Raises Refusal as :func:`parse_header` does.
        """
        found = parse_header(call.headers[HEADER]) if HEADER in call.headers else []
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


def parse_header(header: str) -> list[Fault]:
    """The faults of a ``Sandbox-Fault`` header: ``kind[=value], …``. Raises Refusal 400 INVALID_REQUEST."""
    found = []
    for item in header.split(","):
        kind, _, value = item.strip().partition("=")
        try:
            found.append(Fault(kind, float(value) if value else KINDS[kind][1]))
        except (KeyError, ValueError):
            text = f"{HEADER}: {item.strip()[:60]!r} is not a fault; the kinds are {', '.join(KINDS)}"
            raise Refusal(400, "INVALID_REQUEST", text, signed=False) from None
    return found


def response_instead(faults: Iterable[Fault]) -> Response | None:
    """The response to a call that is not processed because of one of its faults; None if it is to be processed."""
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


def apply_faults(wire: RawResponse, faults: Iterable[Fault], platform: Platform) -> RawResponse:
    """The response with ``faults`` applied: headers or body altered, delayed, truncated or dropped."""
    for fault in faults:
        wire = _apply_fault(wire, fault, platform)
    return wire


def _apply_fault(wire: RawResponse, fault: Fault, platform: Platform) -> RawResponse:
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
            # The signature of APIv2 is in the body.
            return evolve(wire, body=_SIGN.sub(lambda found: found[1] + found[2].translate(_FLIPPED), wire.body))
        case _ if "Wechatpay-Signature" not in wire.headers:
            return wire
        case _:
            return evolve(wire, headers=_tampered_headers(wire, fault, platform))


def _tampered_headers(wire: RawResponse, fault: Fault, platform: Platform) -> Mapping[str, str]:
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
