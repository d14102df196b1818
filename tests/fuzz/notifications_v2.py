"""What may be made of a true APIv2 notification, or of a page's signature, by someone without the key: any input is a
series of changes to one, and whatever is still called signed must be exactly what was signed.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

from tests.notify.conftest import PAYMENT_V2, Sender, make_sender
from wxpay_dsl.core.errors import SdkError
from wxpay_dsl.notify import Notifications
from wxpay_dsl.wechat.v2 import signing as signing_v2
from wxpay_dsl.wechat.v2 import xml

__all__ = ["fuzz_notifications_v2"]

MCHID: Final = "1900000109"
CODES: Final = {"return_code": "SUCCESS", "result_code": "SUCCESS", "mch_id": MCHID}
#: What begins: true notifications of each kind, then what the same key signs for pages and links.
STARTS: Final[tuple[Mapping[str, str], ...]] = (
    {**PAYMENT_V2, "time_end": "20261201101010"},
    {**PAYMENT_V2, "trade_state": "PAY_FAIL", "err_code": "NOTENOUGH", "attach": ""},
    {**PAYMENT_V2, "result_code": "FAIL", "err_code": "NOTENOUGH", "attach": "a=1"},
    {**CODES, "change_type": "DELETE", "contract_id": "Wx1", "operate_time": "2026-11-30 10:00:00", "attach": "a"},
    {"mch_id": MCHID, "plate_number": "A00000", "vehicle_event_type": "NORMAL", "sub_mch_id": "1"},
    {**CODES, "combine_out_trade_no": "C1", "sub_order_list": "[]", "err_code": "X", "combine_mch_id": MCHID},
    {"mch_id": MCHID, "event_type": "TRANSACTION.SUCCESS", "event_id": "EV-1", "event_nonce": "0123456789ab"},
    {"mch_id": MCHID, "plan_id": "1", "contract_code": "2", "notify_url": "https://shop.example/n"},
    {"appId": "wx1", "timeStamp": "1", "nonceStr": "n", "package": "prepay_id=wx2", "signType": "MD5"},
    {"appid": "wx1", "partnerid": MCHID, "prepayid": "wx2", "package": "Sign=WXPay", "noncestr": "n", "timestamp": "1"},
)
NAMES: Final = tuple(
    dict.fromkeys(
        [
            "attach",
            "z",
            "a",
            "req_info",
            "event_ciphertext",
            "mchid",
            "nonce_str",
            "sign",
            "total_fee",
            "transaction_id",
        ]
        + [name for start in STARTS for name in start]
    )
)
VALUES: Final = (
    "",
    "SUCCESS",
    "FAIL",
    "PAY_FAIL",
    "1",
    " ",
    "\n",
    "&",
    "=",
    "x&y=1",
    MCHID,
    "DELETE",
    "TRANSACTION.FAIL",
)
#: What a handler may decide by.
TOLD: Final = ("total_fee", "time_end", "trade_state", "openid", "contract_code", *CODES)
#: The values that each kind must have under its signature; of what the signature covers only.
NEEDED: Final[Mapping[str, tuple[str, ...]]] = {
    "v2/transaction-": ("return_code", "result_code", "out_trade_no"),
    "v2/combined-transactions-": ("return_code", "result_code", "combine_out_trade_no"),
    "v2/contract-changed": ("return_code", "result_code", "change_type", "contract_id"),
    "v2/vehicle-state-changed-for-parking": ("vehicle_event_type", "plate_number"),
}


@lru_cache(maxsize=1)
def _world() -> tuple[Sender, Notifications, asyncio.AbstractEventLoop]:
    sender = make_sender()
    return sender, Notifications(sender.merchant_keys, store="memory"), asyncio.new_event_loop()


def fuzz_notifications_v2(data: bytes) -> None:
    """Changes to a signed message: no change that its signature does not cover may alter its meaning."""
    if len(data) < 2:
        return
    sender, _, _ = _world()
    start = dict(STARTS[data[0] % len(STARTS)])
    if "event_id" in start:
        start = {**xml.loads(sender.event("v2/TRANSACTION.SUCCESS", {"state": "x"}, now=1.8e9).body), "sign": ""}
    fields = _signed(start, "HMAC-SHA256" if data[1] & 1 else "MD5")
    true = dict(fields)
    steps = iter(data[2:202])
    for code in steps:
        change = CHANGES[code % len(CHANGES)]
        fields = change(fields, steps)
        if change is _sign_anew:
            true = dict(fields)
    event = _parsed(fields)
    if event is None or not event.signed:
        return
    covered = {name: value for name, value in fields.items() if value and name != "sign"}
    assert _digest(covered, len(fields["sign"])) == fields["sign"], "called signed, and is not"
    if "req_info" in covered:
        assert event.type == "v2/refund-processed"
    elif "event_ciphertext" in covered:
        assert event.type == f"v2/{covered['event_type']}"
        assert event.id == f"{covered['event_type']}/{covered['event_id']}".rstrip("/")
    else:
        needed = next((names for kind, names in NEEDED.items() if event.type.startswith(kind)), None)
        assert needed is not None, f"{event.type} is called signed"
        assert all(covered.get(name) for name in needed)
        # Numbered fields (`coupon_id_0` …) are read as lists under their declared name, `coupon_id_$n`.
        lists = {name: value for name, value in event.resource.items() if "$" in name}
        assert event.resource.keys() - lists <= covered.keys()
        assert all(str(item) in covered.values() for value in lists.values() for item in value)
        if event.type == "v2/transaction-success":
            assert covered["return_code"] == covered["result_code"] == "SUCCESS"
            assert covered.get("trade_state", "SUCCESS") == "SUCCESS"
        parts = event.id.split("/", 1)[1]
        for part in parts.split("/"):
            assert part == "" or part in "/".join(covered.values()), "identified by something that is not signed"
    if not any("&" in value for value in true.values()):  # whose signature is that of several messages by itself
        original = _parsed(true)
        assert original is not None, "what was refused as it came is taken after a change"
        assert (event.type, event.id) == (original.type, original.id), "one signature, two notifications"
        told = (*TOLD, "attach") if event.type.startswith("v2/transaction-") else TOLD
        assert all(event.resource.get(name) == original.resource.get(name) for name in told), "a field was moved"


def _parsed(fields: Mapping[str, str]) -> Any:
    """The notification, or None if it is refused, or cannot be represented."""
    _, notifications, loop = _world()
    try:
        body = xml.dumps(fields)
    except xml.XmlError:
        return None
    try:
        return loop.run_until_complete(notifications.parse({}, body, MCHID))
    except SdkError:
        return None


def _digest(covered: Mapping[str, str], length: int) -> str:
    """An independent implementation of the signature."""
    key = _world()[0].merchant.apiv2_key
    message = "&".join([*(f"{name}={covered[name]}" for name in sorted(covered)), f"key={key}"]).encode()
    if length == 32:
        return hashlib.md5(message, usedforsecurity=False).hexdigest().upper()
    return hmac.new(key.encode(), message, hashlib.sha256).hexdigest().upper()


def _signed(fields: Mapping[str, str], sign_type: str) -> dict[str, str]:
    return {**fields, "sign": signing_v2.sign(fields, _world()[0].merchant.apiv2_key, sign_type)}


Steps = Iterator[int]
Change = Callable[[dict[str, str], Steps], dict[str, str]]


def _name(fields: Mapping[str, str], steps: Steps) -> str:
    names = sorted(fields)
    return names[next(steps, 0) % len(names)] if names else "a"


def _add_empty(fields: dict[str, str], steps: Steps) -> dict[str, str]:
    name = NAMES[next(steps, 0) % len(NAMES)]
    return {**fields, name: fields.get(name, "")}


def _set(fields: dict[str, str], steps: Steps) -> dict[str, str]:
    return {**fields, NAMES[next(steps, 0) % len(NAMES)]: VALUES[next(steps, 0) % len(VALUES)]}


def _remove(fields: dict[str, str], steps: Steps) -> dict[str, str]:
    gone = _name(fields, steps)
    return {name: value for name, value in fields.items() if name != gone}


def _merge(fields: dict[str, str], steps: Steps) -> dict[str, str]:
    """Moves a field into the value of the one before it, which keeps the signature."""
    name = _name(fields, steps)
    before = max((each for each in fields if each < name and each != "sign" and fields[each]), default="")
    if not before or name == "sign":
        return fields
    rest = {each: value for each, value in fields.items() if each != name}
    return {**rest, before: f"{fields[before]}&{name}={fields[name]}"}


def _split(fields: dict[str, str], steps: Steps) -> dict[str, str]:
    """Moves a part of a value into a field, which may keep the signature."""
    name = _name(fields, steps)
    value, found, rest = fields.get(name, "").partition("&")
    inner, equals, text = rest.partition("=")
    return {**fields, name: value, inner: text} if found and equals and inner in NAMES else fields


def _rename(fields: dict[str, str], steps: Steps) -> dict[str, str]:
    old, new = _name(fields, steps), NAMES[next(steps, 0) % len(NAMES)]
    return {(new if name == old else name): value for name, value in fields.items()}


def _trim(fields: dict[str, str], steps: Steps) -> dict[str, str]:
    name = _name(fields, steps)
    return {**fields, name: fields.get(name, "").strip()}


def _lower(fields: dict[str, str], steps: Steps) -> dict[str, str]:
    name = _name(fields, steps)
    return {**fields, name: fields.get(name, "").lower()}


def _sign_anew(fields: dict[str, str], steps: Steps) -> dict[str, str]:
    """The fields, signed as by the service."""
    fields = {name: value for name, value in fields.items() if name != "sign"}
    return _signed(fields, "HMAC-SHA256" if next(steps, 0) & 1 else "MD5")


CHANGES: Final[tuple[Change, ...]] = (
    *(_add_empty, _set, _remove, _merge, _split, _rename, _trim, _lower, _sign_anew, _add_empty, _merge),
)
