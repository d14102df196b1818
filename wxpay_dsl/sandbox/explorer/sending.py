"""Sends a call through the real client, signed as the sandbox's merchant, and reports the exchange in full."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from yarl import URL

from wxpay_dsl.core.chain.node import Target
from wxpay_dsl.core.errors import SdkError, ServiceError, ValidationError
from wxpay_dsl.core.request.files import File
from wxpay_dsl.core.request.forms import file_fields
from wxpay_dsl.core.specs.model import SECTIONS, Operation
from wxpay_dsl.sandbox.protocol import faults
from wxpay_dsl.sandbox.protocol.messages import Refusal
from wxpay_dsl.wechat.errors import VerificationError
from wxpay_dsl.wechat.v2.environments import SANDBOXES
from wxpay_dsl.wechat.v2.errors import ReturnCodeError
from wxpay_dsl.wechat.v3 import authorization
from wxpay_dsl.wechat.v3 import signing as signing_v3

from .description import keyword_of

if TYPE_CHECKING:
    from wxpay_dsl.core.chain.tree import Declared
    from wxpay_dsl.core.messages import Exchange, RawResponse
    from wxpay_dsl.core.observe.hooks import Call

    from .served import ServedSandbox

__all__ = ["FILE", "PICTURE", "WECOM_SECRET", "client_settings", "fault_options", "send", "target_of", "unknown_names"]

#: Bytes of a body that are shown.
_SHOWN: Final = 256 * 1024
#: Any secret of a WeCom application (企业微信应用的secret).
WECOM_SECRET: Final = "wecom-secret-of-the-sandbox"  # noqa: S105 - a placeholder
#: The name of an upload's file in code.
FILE: Final = "image.png"
#: The file that is uploaded if none was chosen, in base64: a PNG of one pixel.
PICTURE: Final = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="


async def send(
    sandbox: ServedSandbox,
    declared: Declared,
    fields: Mapping[str, Any],
    files: Mapping[str, Any],
    *,
    check: bool,
    fault: str,
) -> dict[str, Any]:
    """Call ``declared`` with ``fields`` and ``files`` (``{field: {"name", "base64"}}``).

    ``check``: whether fields that differ from the spec are refused before sending; if not, the sandbox judges them.
    ``fault``: a fault to inject, a kind of :data:`wxpay_dsl.sandbox.protocol.faults.KINDS`, or "".

    Returns ``{"request", "response", "data", "error"}``, each None if there is none. Raises Refusal 400 for malformed
    ``files`` and for an unknown fault.
    """
    from wxpay_dsl.client import Wechatpay

    calls: list[Call] = []

    @contextmanager
    def record(call: Call) -> Iterator[None]:
        calls.append(call)
        yield

    result: dict[str, Any] = {"request": None, "response": None, "data": None, "error": None}
    given = {**fields, **_files(declared, files), **fault_options(fault)}
    # Names that the spec does not have are sent as data, for the sandbox to check.
    extra = {} if check else {name: given.pop(name) for name in unknown_names(declared.operation(), fields)}
    settings = {**sandbox.credentials, **client_settings(declared.operation())}
    if declared.operation().dialect == "brand":
        settings |= sandbox.brand_credentials
    async with Wechatpay(**settings, retries=0, hooks=[record]) as client:
        try:
            response = await client.call(
                target_of(declared), extra or None, {**given, "validate": "strict" if check else False}
            )
            result["data"] = response.data if not isinstance(response.data, bytes) else f"{len(response.data)} bytes"
        except SdkError as error:
            result["error"] = _error(error)
    exchange = calls[-1].exchange if calls else None
    if exchange is not None and exchange.method:
        result["request"] = _request(exchange)
        if exchange.response is not None:
            result["response"] = _response(exchange.response, exchange, calls[-1].error)
    return result


def fault_options(fault: str) -> dict[str, Any]:
    """The call options that inject ``fault``; empty for "". Raises Refusal 400 for an unknown kind."""
    if not fault:
        return {}
    faults.parse_header(fault)
    return {"headers": {faults.HEADER: fault}}


def target_of(declared: Declared) -> Target:
    """The target of a call of ``declared``, its path parameters not filled in."""
    return Target(declared.verb, declared.operation().chain, declared, {})


def client_settings(operation: Operation) -> dict[str, Any]:
    """The settings that a client needs for ``operation`` beside the merchant's: an environment of APIv2 (仿真测试系统),
    or the secret that ``workwx_sign`` is made with, which the sandbox does not verify.
    """
    settings = next(({"v2_sandbox": name} for name in SANDBOXES if name in operation.chain), {})
    if operation.body is not None and "workwx_sign" in operation.body.properties:
        settings = {**settings, "wecom_secret": WECOM_SECRET}
    return settings


def unknown_names(operation: Operation, fields: Mapping[str, Any]) -> list[str]:
    """The names in ``fields`` that the spec does not have."""
    names = {
        keyword_of(section, name)
        for section in SECTIONS
        if (schema := operation.section(section)) is not None
        for name in schema.properties
    }
    return [name for name in fields if name not in names]


def _files(declared: Declared, given: Mapping[str, Any]) -> dict[str, File]:
    """The files of an upload, from their bytes only: no text of a page is used as a path on this machine."""
    result = {}
    for name in file_fields(declared.operation()):
        chosen = given.get(name)
        try:
            content = base64.b64decode(chosen["base64"] if chosen else PICTURE, validate=True)
            result[name] = File(content, str(chosen["name"]) if chosen else "picture.png")
        except (KeyError, TypeError, ValueError, binascii.Error):
            raise Refusal(
                400, "PARAM_ERROR", f"`files.{name}` must be an object with `name` and `base64`", signed=False
            ) from None
    return result


def _request(exchange: Exchange) -> dict[str, Any]:
    headers = exchange.request_headers
    result: dict[str, Any] = {
        "line": f"{exchange.method} {URL(exchange.url, encoded=True).raw_path_qs}",
        "headers": [[name, value] for name, value in headers.items()],
        "body": _text(exchange.request_body),
        "message": exchange.signed_message.decode("utf-8", "replace"),
        "authorization": None,
    }
    header = headers.get("Authorization", "")
    if header:
        signed = authorization.parse(header)
        result["authorization"] = {
            "scheme": signed.scheme,
            "mchid": signed.mchid,
            "nonce_str": signed.nonce,
            "timestamp": str(signed.timestamp),
            "serial_no": signed.serial,
            "signature": signed.signature,
        }
    return result


def _response(response: RawResponse, exchange: Exchange, error: BaseException | None) -> dict[str, Any]:
    headers = response.headers
    operation = exchange.request.operation
    message, nonce = "", headers.get("Wechatpay-Nonce")
    if nonce is not None and len(response.body) <= _SHOWN:
        try:
            signed = signing_v3.response_message(headers.get("Wechatpay-Timestamp", ""), nonce, response.body)
            message = signed.decode("utf-8", "replace")
        except ValueError:
            message = ""
    # The client does not verify error responses, nor responses of APIv2 with return_code FAIL.
    success = 200 <= response.status < 300 and not isinstance(error, ReturnCodeError)
    verifies = operation is None or operation.verify or bool(operation.digest_header)
    return {
        "status": response.status,
        "headers": [[name, value] for name, value in headers.items()],
        "body": _text(response.body),
        "message": message,
        "verified": not isinstance(error, VerificationError) if success and verifies else None,
    }


def _error(error: SdkError) -> dict[str, Any]:
    result: dict[str, Any] = {"kind": type(error).__name__, "text": str(error), "errors": [], "hint": ""}
    if isinstance(error, ValidationError):
        result["text"] = "请求未发出 · nothing was sent"
        result["errors"] = [[each.path, each.message] for each in error.errors]
    elif isinstance(error, ServiceError):
        result["text"] = f"{error.status} {error.code} {error.message}".strip()
        result["hint"] = error.hint
    return result


def _text(body: bytes) -> str:
    if len(body) > _SHOWN:
        return f"({len(body)} bytes)"
    try:
        return body.decode()
    except UnicodeDecodeError:
        return f"({len(body)} bytes)"
