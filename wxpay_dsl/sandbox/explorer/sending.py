"""Sends a call through the real client, signed as the sandbox's merchant, and tells all that went and came."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from yarl import URL

from wxpay_dsl.core.chain import Target
from wxpay_dsl.core.errors import SdkError, ServiceError, ValidationError
from wxpay_dsl.core.files import File
from wxpay_dsl.core.forms import file_fields
from wxpay_dsl.core.model import SECTIONS, Operation
from wxpay_dsl.sandbox import faults
from wxpay_dsl.sandbox.messages import Refusal
from wxpay_dsl.wechat import authorization, signing_v3
from wxpay_dsl.wechat.environments_v2 import SANDBOXES
from wxpay_dsl.wechat.errors import SignatureError
from wxpay_dsl.wechat.errors_v2 import ReturnCodeError

from .description import keyword_of

if TYPE_CHECKING:
    from wxpay_dsl.core.exchange import Exchange, Response
    from wxpay_dsl.core.hooks import Call
    from wxpay_dsl.core.tree import Declared
    from wxpay_dsl.sandbox.server import Sandbox

__all__ = ["FILE", "PICTURE", "environment_of", "fault_options", "sent", "target_of", "unknown"]

#: Bytes of a body that are shown.
_SHOWN: Final = 256 * 1024
#: What the file of an upload is called in code.
FILE: Final = "image.png"
#: What is uploaded where no file was chosen: a picture of one pixel.
PICTURE: Final = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="


async def sent(
    sandbox: Sandbox,
    declared: Declared,
    fields: Mapping[str, Any],
    files: Mapping[str, Any],
    *,
    check: bool,
    fault: str,
) -> dict[str, Any]:
    """Calls ``declared`` with ``fields`` and what is in ``files`` (``{field: {"name", "base64"}}``).

    ``check`` False leaves it to the sandbox to find fault with the fields. ``fault``: what is to go wrong, a kind of
    :data:`wxpay_dsl.sandbox.faults.KINDS` or "". Raises Refusal for files that are none, and for a kind that is none.
    """
    from wxpay_dsl.client import Wechatpay

    calls: list[Call] = []

    @contextmanager
    def noted(call: Call) -> Iterator[None]:
        calls.append(call)
        yield

    told: dict[str, Any] = {"request": None, "answer": None, "data": None, "error": None}
    given = {**fields, **_files(declared, files), **fault_options(fault)}
    # What no spec knows goes where most fields go, for the sandbox to say what it thinks of it.
    strange = {} if check else {name: given.pop(name) for name in unknown(declared.operation(), fields)}
    settings = {**sandbox.credentials, **environment_of(declared.operation())}
    if declared.operation().family == "brand":
        settings |= sandbox.brand_credentials
    async with Wechatpay(**settings, retries=0, hooks=[noted]) as client:
        try:
            reply = await client.call(
                target_of(declared), strange or None, given if check else {**given, "validate": False}
            )
            told["data"] = reply.data if not isinstance(reply.data, bytes) else f"{len(reply.data)} bytes"
        except SdkError as error:
            told["error"] = _error(error)
    exchange = calls[-1].exchange if calls else None
    if exchange is not None and exchange.method:
        told["request"] = _request(exchange)
        if exchange.response is not None:
            told["answer"] = _answer(exchange.response, exchange, calls[-1].error)
    return told


def fault_options(fault: str) -> dict[str, Any]:
    """The options of a call in which ``fault`` happens, none for "". Raises Refusal for a kind that is none."""
    if not fault:
        return {}
    faults.read(fault)
    return {"headers": {faults.HEADER: fault}}


def target_of(declared: Declared) -> Target:
    """What a call of ``declared`` means, nothing in its path filled in yet."""
    return Target(declared.verb, declared.operation().chain, declared, {})


def environment_of(operation: Operation) -> dict[str, Any]:
    """What a client needs to be told for an operation of one of APIv2's sandbox environments (仿真测试系统)."""
    return next(({"v2_sandbox": name} for name in SANDBOXES if name in operation.chain), {})


def unknown(operation: Operation, fields: Mapping[str, Any]) -> list[str]:
    """The names among ``fields`` that the spec has not."""
    names = {
        keyword_of(section, name)
        for section in SECTIONS
        if (schema := operation.section(section)) is not None
        for name in schema.properties
    }
    return [name for name in fields if name not in names]


def _files(declared: Declared, given: Mapping[str, Any]) -> dict[str, File]:
    """Bytes only: what a page says is never taken for a path on this machine."""
    found = {}
    for name in file_fields(declared.operation()):
        chosen = given.get(name)
        try:
            content = base64.b64decode(chosen["base64"] if chosen else PICTURE, validate=True)
            found[name] = File(content, str(chosen["name"]) if chosen else "picture.png")
        except (KeyError, TypeError, ValueError, binascii.Error):
            raise Refusal(400, "PARAM_ERROR", f"`files.{name}` is no name and base64", signed=False) from None
    return found


def _request(exchange: Exchange) -> dict[str, Any]:
    headers = exchange.request_headers
    told: dict[str, Any] = {
        "line": f"{exchange.method} {URL(exchange.url, encoded=True).raw_path_qs}",
        "headers": [[name, value] for name, value in headers.items()],
        "body": _text(exchange.request_body),
        "message": exchange.signed_message.decode("utf-8", "replace"),
        "authorization": None,
    }
    header = headers.get("Authorization", "")
    if header:
        signed = authorization.parse(header)
        told["authorization"] = {
            "scheme": signed.scheme,
            "mchid": signed.mchid,
            "nonce_str": signed.nonce,
            "timestamp": str(signed.timestamp),
            "serial_no": signed.serial,
            "signature": signed.signature,
        }
    return told


def _answer(response: Response, exchange: Exchange, error: BaseException | None) -> dict[str, Any]:
    headers = response.headers
    operation = exchange.request.operation
    message, nonce = "", headers.get("Wechatpay-Nonce")
    if nonce is not None and len(response.body) <= _SHOWN:
        try:
            signed = signing_v3.response_message(headers.get("Wechatpay-Timestamp", ""), nonce, response.body)
            message = signed.decode("utf-8", "replace")
        except ValueError:
            message = ""
    # An answer that says no is not verified by the client, which only reports it; nor is what APIv2 did not understand.
    success = 200 <= response.status < 300 and not isinstance(error, ReturnCodeError)
    verifies = operation is None or operation.verify or bool(operation.digest_header)
    return {
        "status": response.status,
        "headers": [[name, value] for name, value in headers.items()],
        "body": _text(response.body),
        "message": message,
        "verified": not isinstance(error, SignatureError) if success and verifies else None,
    }


def _error(error: SdkError) -> dict[str, Any]:
    told: dict[str, Any] = {"kind": type(error).__name__, "text": str(error), "faults": [], "hint": ""}
    if isinstance(error, ValidationError):
        told["text"] = "请求未发出 · nothing was sent"
        told["faults"] = [[fault.path, fault.message] for fault in error.faults]
    elif isinstance(error, ServiceError):
        told["text"] = f"{error.status} {error.code} {error.message}".strip()
        told["hint"] = error.hint
    return told


def _text(body: bytes) -> str:
    if len(body) > _SHOWN:
        return f"({len(body)} bytes)"
    try:
        return body.decode()
    except UnicodeDecodeError:
        return f"({len(body)} bytes)"
