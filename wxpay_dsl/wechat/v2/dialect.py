"""APIv2 as the framework's vocabulary: XML both ways, and what its two codes mean.

https://pay.weixin.qq.com/doc/v2/merchant/4011985891
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from wxpay_dsl.core.dialect import Dialect
from wxpay_dsl.core.errors import ResponseDecodeError, SdkError
from wxpay_dsl.wechat.chains import AUTO_FIELDS, CHAINS
from wxpay_dsl.wechat.v3.errors import error_class

from . import fields as fields_v2
from . import xml, xml_nested
from .errors import result_code_error, return_code_error

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wxpay_dsl.core.dialect import Encrypt, PrepareFiles, SignFields
    from wxpay_dsl.core.messages import RawResponse
    from wxpay_dsl.core.specs.model import Operation, Schema

__all__ = ["MERCHANT_FIELDS", "UNDERSTOOD", "decode", "encode", "is_xml", "read_fields", "refusal", "v2"]

#: What a merchant's own id is called: 商户号, 合单商户号.
MERCHANT_FIELDS: Final = ("mch_id", "mchid", "combine_mch_id")

#: What ``return_code`` and ``result_code`` are in an answer that is no error.
UNDERSTOOD: Final = ("", "SUCCESS")

#: What the message beside ``return_code`` is called.
_RETURN_MESSAGES: Final = ("return_msg", "retmsg")
_SPACE: Final = b"\xef\xbb\xbf \t\r\n"


def v2(
    encrypt: Encrypt | None = None, sign_fields: SignFields | None = None, prepare_files: PrepareFiles | None = None
) -> Dialect:
    """APIv2: XML, signed inside.

    ``encrypt`` encrypts sensitive fields (敏感信息), ``sign_fields`` completes and signs, ``prepare_files`` does so with a form.
    """
    return Dialect(
        "v2",
        chain=CHAINS["v2"],
        content_type="text/xml; charset=utf-8",
        accept="text/xml, application/xml, */*;q=0.5",
        encode=encode,
        decode=decode,
        refusal=refusal,
        is_read_only=is_read_only,
        auto_fields=AUTO_FIELDS["v2"],
        encrypt=encrypt,
        sign_fields=sign_fields,
        prepare_files=prepare_files,
    )


def encode(operation: Operation | None, data: Any) -> bytes:
    """The fields as ``<xml>…</xml>``. Raises TypeError or ValueError, naming the field, for what XML cannot carry."""
    return xml.dumps(fields_v2.written(data))


def decode(operation: Operation | None, response: RawResponse) -> Any:
    """The fields of an answer as the spec types them; bytes of a bill; what JSON says; None where it is empty.

    Raises ReturnCodeError or ResultCodeError where it says FAIL, ResponseDecodeError for what it cannot be, and where a
    code that its spec declares is missing.
    """
    body = response.body
    signless = operation is not None and (not operation.verify or bool(operation.produces))
    if operation is not None and response.status == operation.status and not 200 <= operation.status < 300:
        # A redirect that the spec announces: what counts is its Location.
        return body or None
    if is_xml(body):
        schema = operation.returns if operation is not None else None
        fields = read_fields(schema, response)
        _succeed(schema, fields, response)
        return fields_v2.read(schema, fields)
    if not body or not signless:
        raise _undecodable(response, "the answer is not XML" if body else "an empty body where XML was expected")
    if body.lstrip(_SPACE).startswith(b"<"):
        return _page(operation, response)
    if body.lstrip(_SPACE).startswith(b"{"):
        return _json(response)
    return body


def is_read_only(operation: Operation) -> bool:
    """Whether an operation only is_read_only: in APIv2 all of them are POST, and those that ask are called so."""
    name = operation.path.rpartition("/")[2].lower()
    return operation.safe_to_repeat and ("query" in name or name.startswith(("get", "download")))


def refusal(operation: Operation | None, response: RawResponse) -> SdkError:
    """An answer of another status than success: in APIv2 that is a gateway or a proxy, seldom the service itself.

    Its signature is not checked, so its codes are shown, and decide nothing: neither the class of the error nor whether
    the outcome is known.
    """
    return error_class("", response.status)(
        response.name,
        response.status,
        message=_unverified(operation, response),
        request_id=response.headers.get("Request-ID", ""),
        headers=response.headers,
        body=response.body,
        # A service, or what stands before it, that broke down may have done it before.
        outcome_unknown=response.status >= 500 and not response.safe,
    )


def is_xml(body: bytes) -> bool:
    """Whether a body is the service's XML by its first bytes, and not, say, a page in HTML."""
    head = body[:512].lstrip(_SPACE)
    if head.startswith(b"<?xml"):
        # The root comes after the declaration; a page in XHTML has one as well.
        head = head.partition(b"?>")[2].lstrip(_SPACE)
    # What pretends to be XML by a DTD goes to the parser, which says so.
    return head.startswith((b"<xml", b"<!DOCTYPE xml"))


def read_fields(schema: Schema | None, response: RawResponse) -> Mapping[str, xml_nested.Element]:
    """The texts of an answer, untouched. Raises ResponseDecodeError."""
    nested = schema is not None and any(below.type in ("object", "array") for below in schema.properties.values())
    try:
        if nested:
            return xml_nested.loads(response.body)
        fields: Mapping[str, xml_nested.Element] = dict(xml.loads(response.body))
    except xml.XmlError as error:
        raise _undecodable(response, str(error)) from None
    return fields


def _succeed(schema: Schema | None, fields: Mapping[str, xml_nested.Element], response: RawResponse) -> None:
    """Raises the error that the answer's two codes say, or ResponseDecodeError where one that must be there is not.

    What has no code has not succeeded: a request that was sent back, say, is signed with the same key, and has none.
    """
    return_code, result_code = _text(fields, "return_code"), _text(fields, "result_code")
    code = _text(fields, "err_code", "error_code")
    if return_code not in UNDERSTOOD:
        raise return_code_error(response, code or return_code, _text(fields, *_RETURN_MESSAGES))
    if result_code not in UNDERSTOOD:
        message = _text(fields, "err_code_des", "error_code_des", "err_msg", "result_msg", *_RETURN_MESSAGES)
        raise result_code_error(response, code or result_code, message, fields_v2.read(schema, fields))
    declared = schema.properties if schema is not None else ("return_code",)
    missing = next((n for n in ("return_code", "result_code") if n in declared and not _text(fields, n)), "")
    if missing:
        raise _undecodable(response, f"the answer has no `{missing}`, so it does not say that the call succeeded")


def _unverified(operation: Operation | None, response: RawResponse) -> str:
    """What an answer of another status says of itself in XML, if it does."""
    if not is_xml(response.body):
        return ""
    try:
        fields = read_fields(operation.returns if operation is not None else None, response)
    except SdkError:
        return ""
    said = [_text(fields, name) for name in ("return_code", "result_code", "err_code", "error_code")]
    said += [_text(fields, "err_code_des", "error_code_des", *_RETURN_MESSAGES)]
    told = " ".join(text for text in said if text)
    return f"its body says, unverified: {told}" if told else ""


def _json(response: RawResponse) -> Any:
    """``/appauth/getaccesstoken`` answers so: ``retcode`` is 0, or an error."""
    try:
        data = json.loads(response.body)
    except (ValueError, RecursionError) as error:
        raise _undecodable(response, f"the answer is not JSON ({type(error).__name__}: {error})") from None
    code = data.get("retcode", 0) if isinstance(data, dict) else 0
    if code not in (0, "0"):
        raise return_code_error(response, str(code), str(data.get("retmsg") or ""))
    return data


def _page(operation: Operation | None, response: RawResponse) -> bytes:
    if operation is not None and operation.produces.startswith("text/html"):
        return response.body
    raise _undecodable(response, "the answer is a page, or XML of somebody else's")


def _text(fields: Mapping[str, xml_nested.Element], *names: str) -> str:
    """The first of the fields that says something."""
    values = (fields.get(name) for name in names)
    return next((value for value in values if isinstance(value, str) and value), "")


def _undecodable(response: RawResponse, message: str) -> ResponseDecodeError:
    unknown = not response.safe
    return ResponseDecodeError(response.name, message, unknown, response.status, response.headers, response.body)
