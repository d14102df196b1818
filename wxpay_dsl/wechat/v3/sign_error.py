"""Explains ``401 SIGN_ERROR`` by comparing the message that was signed with the one that the service built.

``detail.sign_information`` of the error has the message as the service built it from the request that it received,
with the body truncated, and its full length in bytes.

https://pay.weixin.qq.com/doc/v3/merchant/4012365342
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

__all__ = ["explain"]

_LINES: Final = ("HTTP method", "request target", "timestamp", "nonce")
_CERTIFICATE: Final = "`serial` must be that of the API certificate in force (商户平台-API安全), 40 hexadecimal digits"
#: Remedies by part of ``Authorization``, the signature aside.
_ADVICE: Final = {
    "timestamp": "set this machine's clock (NTP); it must be within five minutes of the service's",
    "serial": _CERTIFICATE,
    "serial_no": _CERTIFICATE,
    "mchid": "`mchid` must be the merchant whose certificate `serial` names",
    "nonce_str": "it must be new for each request, and 32 characters at most",
}
#: Bytes of a line that are shown.
_SHOWN: Final = 120


def explain(signed: bytes, detail: Any) -> str:
    """The reason for the error: the field that the service names, or the line of the message that differs, if any.

    ``signed`` is the canonical message (签名串) that was signed, ``detail`` that of the error. Empty if ``detail`` has
    no information.
    """
    named_field = _named_field(detail)
    if named_field:
        return named_field
    seen, length = _information(detail)
    if not signed or not seen:
        return ""
    ours, theirs = signed.split(b"\n", 4), seen.encode("utf-8", "replace").split(b"\n", 4)
    for number, (name, our, their) in enumerate(zip(_LINES, ours, theirs, strict=False), 1):
        if our != their:
            return (
                f"line {number} of the signed message, the {name}, is {_show(our)} here and {_show(their)} to the "
                f"service: a proxy or gateway in between changes it"
            )
    if len(theirs) < len(ours):
        return f"the message that the service built has {len(theirs)} lines, the signed one {len(ours)}"
    body, seen_body = ours[4].removesuffix(b"\n"), theirs[4].rstrip(b"\n")
    # The service truncates the body, possibly in the middle of a character.
    if not body.startswith(seen_body.rstrip("\ufffd".encode())):
        return (
            f"line 5 of the signed message, the body, begins with {_show(body[: len(seen_body)])} here and with "
            f"{_show(seen_body)} to the service: it was serialised again after it was signed"
        )
    if length is not None and length != len(signed):
        return (
            f"line 5 of the signed message, the body, makes it {len(signed)} bytes here and {length} to the service: "
            f"it was serialised again, re-encoded or cut after it was signed"
        )
    return (
        "the service built the very same message, so the key is wrong: `private_key` must be that of the certificate "
        "whose serial is `serial`, of this `mchid`, and not replaced by a newer one (商户平台-API安全)"
    )


def _named_field(detail: Any) -> str:
    """The remedy for the part of ``Authorization`` that the service names; empty if that is the signature itself."""
    given = detail.get("field") if isinstance(detail, Mapping) else None
    field = given.strip().lower() if isinstance(given, str) else ""
    if field not in _ADVICE:
        return ""
    issue = detail.get("issue")
    reason = f" ({issue[:_SHOWN]!r})" if isinstance(issue, str) and issue else ""
    return f"the service rejects the {field}{reason}, not the signature: {_ADVICE[field]}"


def _information(detail: Any) -> tuple[str, int | None]:
    """The message as the service built it, truncated, and its full length in bytes if given."""
    information = detail.get("sign_information") if isinstance(detail, Mapping) else None
    if not isinstance(information, Mapping):
        return "", None
    seen, length = information.get("truncated_sign_message"), information.get("sign_message_length")
    if not isinstance(seen, str):
        return "", None
    if "\n" not in seen:
        # Some responses have the line feeds escaped, as ``\\n``.
        seen = seen.replace("\\n", "\n")
    if isinstance(length, str) and length.isascii() and length.isdigit() and len(length) < 10:
        length = int(length)
    return seen, length if isinstance(length, int) else None


def _show(line: bytes) -> str:
    text = line[:_SHOWN].decode("utf-8", "replace")
    return repr(text) + ("…" if len(line) > _SHOWN else "")
