"""The control over HTTP, for other processes and other languages: JSON under ``/sandbox/``.

=====================================  ==========================================================================
``POST /sandbox/pay``                  ``{"order": CODE_URL|PREPAY_ID|H5_URL|NUMBER, "openid"?}``
``POST /sandbox/decline``              ``{"order"}``
``POST /sandbox/sign``                 ``{"order": TOKEN|LINK|NUMBER, "openid"?}``
``POST /sandbox/confirm``              ``{"order": PACKAGE|NUMBER, "openid"?}``
``POST /sandbox/terminate``            ``{"contract_id"}``
``POST /sandbox/refund``               ``{"refund": NUMBER, "end": "succeed"|"abnormal"|"close"}``
``POST /sandbox/complaint``            ``{"order", "detail"?, "phone"?}``
``POST /sandbox/clock``                ``{"advance": SECONDS}``
``POST /sandbox/settings``             ``{"automatic"?: true|false, "mode"?: "public-key"|"certificate"|"both"}``
``POST /sandbox/run-pending``          completes all pending steps
``POST /sandbox/notifications``        delivery: ``{"speed"?, "copies"?, "out_of_order"?, "max_delay"?, "redeliver"?}``
``GET /sandbox/notifications``         the deliveries, oldest first, with each attempt and the merchant's response
``POST /sandbox/resend``               ``{"id"}``: sends a notification again, whatever was responded before
``POST /sandbox/faults``               ``{"kind", "value"?, "share"?, "times"?, "path"?}``; ``DELETE`` removes all
``POST /sandbox/stage-certificate``    makes a new platform certificate available for download
``POST /sandbox/rotate-certificate``   signs with the staged certificate, or with a new one
``POST /sandbox/balance``              ``{"mchid", "amount": FEN}``
``POST /sandbox/merchants``            ``{"mchid"}``: adds a merchant; responds with its keys
``POST /sandbox/reset``                removes all records and faults
``GET /sandbox/status``                clock, mode, merchants, faults
``GET /sandbox/list/KIND``             records: transactions, refunds, profit_sharing_orders …
=====================================  ==========================================================================
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

import attrs
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from wxpay_dsl.sandbox.protocol.faults import KINDS
from wxpay_dsl.sandbox.protocol.messages import Call, Refusal, Response

from .access import PREFIX
from .control import Control

__all__ = ["respond"]

_LIST: Final = f"{PREFIX}/list/"

Body = Mapping[str, Any]


def respond(control: Control, call: Call) -> Response:
    """The response to a call of the control API. Raises Refusal."""
    if call.method == "GET" and call.path.startswith(_LIST):
        return _json(control.list(call.path.removeprefix(_LIST)))
    handler = _HANDLERS.get((call.method, call.path.removeprefix(PREFIX)))
    if handler is None:
        raise Refusal(404, "RESOURCE_NOT_EXISTS", f"{call.method} {call.path[:200]}", signed=False)
    try:
        body = json.loads(call.body) if call.body else {}
        json.dumps(body, ensure_ascii=False).encode()  # a lone surrogate cannot be repeated in a response
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise _param_error("the body is not a JSON object")
    try:
        return _json(handler(control, body))
    except KeyError as error:
        raise _param_error(f"missing field: {error.args[0]}") from None
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise _param_error(str(error)) from None


def _json(data: Any) -> Response:
    return Response(200, data, signed=False)


def _param_error(message: str) -> Refusal:
    return Refusal(400, "PARAM_ERROR", message, signed=False)


def _approve_with(method: Callable[..., dict[str, Any]]) -> Callable[[Control, Body], Any]:
    def handle(control: Control, body: Body) -> Any:
        return method(control, str(body["order"]), str(body.get("openid", "")))

    return handle


def _create_complaint(control: Control, body: Body) -> Any:
    options = {name: str(body[name]) for name in ("detail", "phone") if name in body}
    return control.create_complaint(str(body["order"]), **options)


def _change_settings(control: Control, body: Body) -> Any:
    if "automatic" in body:
        control.set_auto_complete(automatic=bool(body["automatic"]))
    if "mode" in body:
        control.set_mode(body["mode"])
    return _status(control, body)


def _add_fault(control: Control, body: Body) -> Any:
    names = ("value", "share", "times", "path")
    control.faults.add(str(body["kind"]), **{name: body[name] for name in names if name in body})
    return _status(control, body)


def _clear_faults(control: Control, body: Body) -> Any:
    control.faults.clear()
    return _status(control, body)


def _set_balance(control: Control, body: Body) -> Any:
    amount = body["amount"]
    if type(amount) is not int:
        raise ValueError(f"amount must be an integer, in fen, not {amount!r:.40}")
    control.set_balance(str(body["mchid"]), amount)
    return attrs.asdict(control.state.account(str(body["mchid"])))


def _add_merchant(control: Control, body: Body) -> Any:
    merchant = control.add_merchant(str(body["mchid"]))
    key = merchant.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return {
        "mchid": merchant.mchid,
        "serial": merchant.serial,
        "private_key": key.decode(),
        "certificate": merchant.certificate.public_bytes(Encoding.PEM).decode(),
        "apiv3_key": merchant.apiv3_key,
        "apiv2_key": merchant.apiv2_key,
    }


def _set_delivery_options(control: Control, body: Body) -> Any:
    control.sender.delivery_options = attrs.evolve(control.sender.delivery_options, **body)
    return attrs.asdict(control.sender.delivery_options)


def _resend(control: Control, body: Body) -> Any:
    delivery_id = str(body["id"])
    delivery = control.state.deliveries.get(delivery_id)
    if delivery is None:
        raise Refusal(404, "RESOURCE_NOT_EXISTS", "通知不存在", signed=False)
    control.sender.resend(delivery)
    return {"id": delivery_id}


def _reset(control: Control, body: Body) -> Any:
    control.reset()
    return _status(control, body)


def _status(control: Control, body: Body) -> Any:
    return {
        "now": control.state.now,
        "automatic": control.state.automatic,
        "mode": control.platform.mode,
        "merchants": list(control.merchants),
        "faults": [attrs.asdict(rule) for rule in control.faults.rules],
        "kinds_of_fault": {kind: description for kind, (description, _) in KINDS.items()},
    }


_HANDLERS: Final[Mapping[tuple[str, str], Callable[[Control, Body], Any]]] = {
    ("POST", "/pay"): _approve_with(Control.pay),
    ("POST", "/sign"): _approve_with(Control.sign),
    ("POST", "/confirm"): _approve_with(Control.confirm),
    ("POST", "/decline"): lambda control, body: control.decline(str(body["order"])),
    ("POST", "/terminate"): lambda control, body: control.terminate(str(body["contract_id"])),
    ("POST", "/refund"): lambda control, body: control.complete_refund(str(body["refund"]), str(body["end"])),
    ("POST", "/complaint"): _create_complaint,
    ("POST", "/clock"): lambda control, body: {"now": control.advance_clock(float(body["advance"]))},
    ("POST", "/settings"): _change_settings,
    ("POST", "/run-pending"): lambda control, body: {"settled": control.run_pending()},
    ("POST", "/faults"): _add_fault,
    ("DELETE", "/faults"): _clear_faults,
    ("POST", "/notifications"): _set_delivery_options,
    ("GET", "/notifications"): lambda control, body: control.list("notifications"),
    ("POST", "/resend"): _resend,
    ("POST", "/stage-certificate"): lambda control, body: {"serial": control.stage_certificate()},
    ("POST", "/rotate-certificate"): lambda control, body: {"serial": control.rotate_certificate()},
    ("POST", "/balance"): _set_balance,
    ("POST", "/merchants"): _add_merchant,
    ("POST", "/reset"): _reset,
    ("GET", "/status"): _status,
}
