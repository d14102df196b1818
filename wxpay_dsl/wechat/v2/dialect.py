"""The APIv2 dialect: XML requests and responses, and the errors that its two codes stand for.

https://pay.weixin.qq.com/doc/v2/merchant/4011985891
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from wxpay_dsl.core.dialect import Dialect
from wxpay_dsl.core.errors import ResponseDecodeError, SdkError
from wxpay_dsl.core.redaction import mask_fields
from wxpay_dsl.wechat.chains import AUTO_FIELDS, CHAINS, SECRET_FIELDS
from wxpay_dsl.wechat.v3.errors import error_class

from . import fields as fields_v2
from . import xml, xml_nested
from .errors import result_code_error, return_code_error

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wxpay_dsl.core.dialect import Encrypt, PrepareFiles, SignFields
    from wxpay_dsl.core.messages import RawResponse
    from wxpay_dsl.core.specs.model import Operation, Schema

__all__ = ["MERCHANT_FIELDS", "SUCCESSFUL", "decode", "encode", "is_xml", "read_fields", "refusal", "v2"]

#: The names of the field with the merchant's own id (商户号, 合单商户号).
MERCHANT_FIELDS: Final = ("mch_id", "mchid", "combine_mch_id")

#: The values of ``return_code`` and ``result_code`` in a response that is not an error.
SUCCESSFUL: Final = ("", "SUCCESS")

#: The names of the field with the message for ``return_code``.
_RETURN_MESSAGES: Final = ("return_msg", "retmsg")
_SPACE: Final = b"\xef\xbb\xbf \t\r\n"


def v2(
    encrypt: Encrypt | None = None, sign_fields: SignFields | None = None, prepare_files: PrepareFiles | None = None
) -> Dialect:
    """The dialect of APIv2, whose signature is a field of the XML.

    ``encrypt`` encrypts sensitive fields (敏感信息), ``sign_fields`` completes and signs a request, ``prepare_files``
    completes and signs an upload form.
    """
    mask_fields(SECRET_FIELDS)
    return Dialect(
        "v2",
        chain=CHAINS["v2"],
        content_type="text/xml; charset=utf-8",
        accept="text/xml, application/xml, */*;q=0.5",
        encode=encode,
        decode=decode,
        parse_error=refusal,
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
    """The data of a response: its fields with the types of the spec, the bytes of a bill, decoded JSON, or None.

    Raises ReturnCodeError or ResultCodeError if a code is FAIL, and ResponseDecodeError for a body of the wrong kind or
    without a code that the spec declares.
    """
    body = response.body
    unsigned = operation is not None and (not operation.verify or bool(operation.produces))
    if operation is not None and response.status == operation.status and not 200 <= operation.status < 300:
        # A redirect that the spec declares: its result is the Location header.
        return body or None
    if is_xml(body):
        schema = operation.returns if operation is not None else None
        fields = read_fields(schema, response)
        _raise_for_codes(schema, fields, response)
        return fields_v2.read(schema, fields)
    if not body or not unsigned:
        raise _undecodable(response, "the response is not XML" if body else "an empty body where XML was expected")
    if body.lstrip(_SPACE).startswith(b"<"):
        return _page(operation, response)
    if body.lstrip(_SPACE).startswith(b"{"):
        return _json(response)
    return body


def is_read_only(operation: Operation) -> bool:
    """Whether an operation only reads. All APIv2 operations are POST, so their names decide: query, get, download."""
    name = operation.path.rpartition("/")[2].lower()
    return operation.safe_to_repeat and ("query" in name or name.startswith(("get", "download")))


def refusal(operation: Operation | None, response: RawResponse) -> SdkError:
    """The error of a response with an error status, which in APIv2 mostly comes from a gateway or proxy.

    Its signature is not verified, so its codes are shown in the message, but decide neither the error's class nor
    whether the outcome is known.
    """
    return error_class("", response.status)(
        response.name,
        response.status,
        message=_unverified(operation, response),
        request_id=response.headers.get("Request-ID", ""),
        headers=response.headers,
        body=response.body,
        # The service, or a gateway in front of it, may have failed after it had executed the request.
        outcome_unknown=response.status >= 500 and not response.safe,
    )


def is_xml(body: bytes) -> bool:
    """Whether a body is the service's XML, judging by its first bytes, and not an HTML page, for example."""
    start = body[:512].lstrip(_SPACE)
    if start.startswith(b"<?xml"):
        # Look at the root after the declaration, since XHTML pages have a declaration as well.
        start = start.partition(b"?>")[2].lstrip(_SPACE)
    # A document with a DTD is passed to the parser, whose error names the DTD.
    return start.startswith((b"<xml", b"<!DOCTYPE xml"))


def read_fields(schema: Schema | None, response: RawResponse) -> Mapping[str, xml_nested.Element]:
    """The fields of a response as text, unchanged. Raises ResponseDecodeError for malformed XML."""
    nested = schema is not None and any(below.type in ("object", "array") for below in schema.properties.values())
    try:
        if nested:
            return xml_nested.loads(response.body)
        fields: Mapping[str, xml_nested.Element] = dict(xml.loads(response.body))
    except xml.XmlError as error:
        raise _undecodable(response, str(error)) from None
    return fields


def _raise_for_codes(schema: Schema | None, fields: Mapping[str, xml_nested.Element], response: RawResponse) -> None:
    """Raises the error that the response's two codes stand for, or ResponseDecodeError if a declared code is missing.

    A response without codes does not confirm success: a request that is sent back, for example, is signed with the same
    key and has none.
    """
    return_code, result_code = _text(fields, "return_code"), _text(fields, "result_code")
    code = _text(fields, "err_code", "error_code")
    if return_code not in SUCCESSFUL:
        raise return_code_error(response, code or return_code, _text(fields, *_RETURN_MESSAGES))
    if result_code not in SUCCESSFUL:
        message = _text(fields, "err_code_des", "error_code_des", "err_msg", "result_msg", *_RETURN_MESSAGES)
        raise result_code_error(response, code or result_code, message, fields_v2.read(schema, fields))
    declared = schema.properties if schema is not None else ("return_code",)
    missing = next(
        (name for name in ("return_code", "result_code") if name in declared and not _text(fields, name)), ""
    )
    if missing:
        raise _undecodable(response, f"the response has no `{missing}`, so it does not confirm that the call succeeded")


def _unverified(operation: Operation | None, response: RawResponse) -> str:
    """The codes and messages in an unverified XML response, as text for an error; empty if there are none."""
    if not is_xml(response.body):
        return ""
    try:
        fields = read_fields(operation.returns if operation is not None else None, response)
    except SdkError:
        return ""
    parts = [_text(fields, name) for name in ("return_code", "result_code", "err_code", "error_code")]
    parts += [_text(fields, "err_code_des", "error_code_des", *_RETURN_MESSAGES)]
    text = " ".join(part for part in parts if part)
    return f"its unverified body says: {text}" if text else ""


def _json(response: RawResponse) -> Any:
    """The JSON of ``/appauth/getaccesstoken``. Raises ReturnCodeError unless its ``retcode`` is 0."""
    try:
        data = json.loads(response.body)
    except (ValueError, RecursionError) as error:
        raise _undecodable(response, f"the response is not JSON ({type(error).__name__}: {error})") from None
    code = data.get("retcode", 0) if isinstance(data, dict) else 0
    if code not in (0, "0"):
        raise return_code_error(response, str(code), str(data.get("retmsg") or ""))
    return data


def _page(operation: Operation | None, response: RawResponse) -> bytes:
    if operation is not None and operation.produces.startswith("text/html"):
        return response.body
    raise _undecodable(response, "the response is an HTML page, or XML that is not from WeChat Pay")


def _text(fields: Mapping[str, xml_nested.Element], *names: str) -> str:
    """The first of the named fields that is not empty."""
    values = (fields.get(name) for name in names)
    return next((value for value in values if isinstance(value, str) and value), "")


def _undecodable(response: RawResponse, message: str) -> ResponseDecodeError:
    unknown = not response.safe
    return ResponseDecodeError(response.name, message, unknown, response.status, response.headers, response.body)
