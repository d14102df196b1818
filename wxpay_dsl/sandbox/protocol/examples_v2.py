"""Example responses of APIv2 made from a spec, and the XML that they are written in."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from wxpay_dsl.core.specs.model import Schema
from wxpay_dsl.wechat.v2 import fields as fields_v2
from wxpay_dsl.wechat.v2 import xml

from . import examples
from .messages import Response
from .request import Request

__all__ = ["embed_json", "first_index", "respond", "to_xml"]

#: Fields that only an error response has.
_ERROR: Final = re.compile(r"(.*_)?(err|error)_(code|code_des|msg|param)")
_PLACEHOLDER: Final = re.compile(r"\$[a-z]")
#: The bill of a day without transactions: header, header of the totals, totals.
_BILL: Final = "\ufeff交易时间,商户号,微信订单号,商户订单号,订单金额\r\n总交易单数,订单总金额\r\n`0,`0.00\r\n".encode()


def respond(request: Request) -> Response:
    """The spec's example of a successful response, with the request's fields of the same name."""
    operation = request.operation
    given = {**request.query, **request.fields["form"], **request.body}
    if operation.status == 302:
        target = urlsplit(str(given.get("redirect_uri", "")))
        query = urlencode({"code": "sandbox", "state": str(given.get("state", ""))})
        return Response(302, None, {"Location": target._replace(query=query).geturl()}, signed=False)
    if operation.produces == "text/html":
        return Response(200, b"<!doctype html><title>wxpay-dsl sandbox</title>", content_type="text/html", signed=False)
    if operation.produces == "text/plain":
        packed = given.get("tar_type") == "GZIP"
        kind = "application/x-gzip" if packed else "text/plain"
        return Response(200, gzip.compress(_BILL, mtime=0) if packed else _BILL, content_type=kind, signed=False)
    schema = operation.returns
    if operation.produces == "application/json":
        return Response(200, examples.example_response(schema, given), signed=False)
    made = examples.example_response(schema, given) if schema is not None and schema.properties else {}
    fields = {
        first_index(name): value for name, value in made.items() if not _ERROR.fullmatch(name) and value is not None
    }
    for name in ("mch_id", "mchid", "combine_mch_id"):
        if name in fields or name in given:
            fields[name] = request.merchant.mchid
    # A field's example may be that of a failure.
    fields |= {"return_code": "SUCCESS", "return_msg": "OK", "result_code": "SUCCESS"}
    fields.pop("sign", None)
    return Response(200, fields, signed=False)


def embed_json(schema: Schema | None, fields: Mapping[str, Any]) -> dict[str, Any]:
    """``fields`` with objects and arrays written as JSON text where the schema says that the field holds JSON."""
    if schema is None:
        return dict(fields)
    properties = schema.properties

    def is_json(name: str, value: Any) -> bool:
        return isinstance(value, (Mapping, list)) and name in properties and bool(properties[name].media_type)

    return {
        name: json.dumps(value, ensure_ascii=False) if is_json(name, value) else value for name, value in fields.items()
    }


def to_xml(fields: Mapping[str, Any]) -> bytes:
    """``fields`` as the service writes them: objects and arrays as nested elements."""
    if not any(isinstance(value, (Mapping, list)) for value in fields.values()):
        return xml.dumps(fields_v2.written(fields))
    return f"<xml>{''.join(_element(name, value) for name, value in fields.items())}</xml>".encode()


def _element(name: str, value: Any) -> str:
    if isinstance(value, list):
        return "".join(_element(name, item) for item in value)
    if isinstance(value, Mapping):
        return f"<{name}>{''.join(_element(below, item) for below, item in value.items())}</{name}>"
    # One field's document without its root element.
    return xml.dumps(fields_v2.written({name: value})).decode().removeprefix("<xml>").removesuffix("</xml>")


def first_index(name: str) -> str:
    """``coupon_id_0`` for ``coupon_id_$n``."""
    return _PLACEHOLDER.sub("0", name)
