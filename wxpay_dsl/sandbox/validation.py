"""Reads a call's fields by its operation's spec, and refuses what does not fit as the service does: PARAM_ERROR.

Unlike a client, whose limits may be older than the service's, a service enforces its own: length, pattern and enum
too, except for a value that the spec itself gives as the example. Fields that no spec knows are passed over, as the
service passes over them, unless ``strict``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

from wxpay_dsl.core.errors import Fault
from wxpay_dsl.core.model import Operation, Schema
from wxpay_dsl.core.validate import check

from .messages import Call, Refusal

__all__ = ["LOOSE", "Fields", "is_loose", "read", "read_json"]

#: ``{section: {name: value}}`` of one call.
Fields = dict[str, dict[str, Any]]

#: Fields that pages list as required though the service takes another in their place, or none at all.
LOOSE: Final[Mapping[str, frozenset[str]]] = {
    **dict.fromkeys(
        ("POST /pay/orderquery", "POST /secapi/pay/refund", "POST /secapi/pay/refundv2", "POST /secapi/pay/reverse"),
        frozenset({"transaction_id", "out_trade_no"}),
    ),
    **dict.fromkeys(
        ("POST /pay/refundquery", "POST /pay/refundqueryv2"),
        frozenset({"transaction_id", "out_trade_no", "out_refund_no", "refund_id"}),
    ),
    **dict.fromkeys(
        (
            "POST /v3/combine-transactions/out-trade-no/{combine_out_trade_no}/close",
            *(f"POST /v3/combine-transactions/{kind}" for kind in ("app", "h5", "jsapi", "native", "miniprogram")),
        ),
        frozenset({"sub_mchid", "attach", "combine_payer_info"}),
    ),
}

_STEP: Final = re.compile(r"\.([^.\[]+)|\[(\d+)\]")
_ESCAPED_HALF: Final = re.compile(rb"\\u[dD][89a-fA-F]")
_INTEGER: Final = re.compile(r"-?[0-9]{1,18}\Z")
_KINDS: Final[dict[str, tuple[type, ...]]] = {"boolean": (bool,), "number": (int, float), "object": (dict,)}
_LOCATIONS: Final = {"path": "url", "query": "query", "body": "body", "form": "body", "header": "header"}


def read(call: Call, operation: Operation, parameters: Mapping[str, str], body: Any, *, strict: bool = False) -> Fields:
    """The call's fields by section, typed as the spec says. Raises Refusal 400 PARAM_ERROR at the first fault."""
    given: Fields = {"path": _typed(operation.parameters, parameters), "query": {}, "body": {}, "form": {}}
    if call.query or operation.query is not None:
        given["query"] = _typed(operation.query, _query(operation.query, call.query))
    section = "form" if operation.form is not None else "body"
    given[section] = body if body is not None else {}
    if operation.form is not None:
        # The parts of a form are texts, as those of a URL are.
        given["form"] = _typed(operation.form, given["form"])
    for name in ("path", "query", section):
        schema = operation.section(name)
        # `{post: {}}` says nothing of what may be sent.
        if schema is not None:
            _check(operation, schema, given[name], name, strict=strict)
    return given


def read_json(body: bytes) -> Any:
    """The JSON of a body, None where it is empty. Raises Refusal 400."""
    if not body:
        return None
    try:
        data = json.loads(body, parse_constant=_no_constant)
        if _ESCAPED_HALF.search(body):
            # Half a character: an answer could not repeat it.
            json.dumps(data, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        detail = {"field": "", "value": body[:60].decode("utf-8", "replace"), "issue": "not JSON", "location": "body"}
        raise Refusal(400, "PARAM_ERROR", "请求报文不是合法的JSON", detail) from None
    return data


def _no_constant(word: str) -> Any:
    raise ValueError(f"{word} is not JSON")


def _query(schema: Schema | None, query: str) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        field = schema.properties.get(name) if schema is not None else None
        if field is not None and field.type == "array":
            values.setdefault(name, []).append(value)
        else:
            values[name] = value
    return values


def _typed(schema: Schema | None, values: Mapping[str, Any]) -> dict[str, Any]:
    """Text of a URL as the types that the spec gives them; text that is none of that type stays text."""
    if schema is None:
        return dict(values)
    return {name: _value(schema.properties.get(name), value) for name, value in values.items()}


def _value(schema: Schema | None, value: Any) -> Any:
    if schema is None:
        return value
    if isinstance(value, list):
        return [_value(schema.items, item) for item in value]
    if schema.type == "integer" and _INTEGER.match(value):
        return int(value)
    if schema.type in ("boolean", "number", "object"):
        try:
            read = json.loads(value)
        except (ValueError, RecursionError):
            return value
        return read if isinstance(read, _KINDS[schema.type]) else value
    return value


def is_loose(operation: Operation, fault: Fault) -> bool:
    """Whether a field is missing that the service can do without."""
    missing = fault.message.startswith("missing") and operation.name in LOOSE
    return missing and fault.path.rpartition(".")[2] in LOOSE[operation.name]


def _check(operation: Operation, schema: Schema, value: Any, section: str, *, strict: bool) -> None:
    errors, limits = check(schema, value, section)
    for fault in errors:
        unknown = fault.message.startswith("no such field")
        if (strict or not unknown) and not is_loose(operation, fault):
            raise _refusal(schema, value, section, fault)
    for fault in limits:
        field, given = _at(schema, value, fault.path.removeprefix(section))
        if field is None or given != field.example:
            raise _refusal(schema, value, section, fault)


def _at(schema: Schema | None, value: Any, path: str) -> tuple[Schema | None, Any]:
    """The schema and the value that a fault's path leads to; None where there is none."""
    for name, position in _STEP.findall(path):
        if name:
            schema = schema and schema.properties.get(name, schema.additional)
            value = value.get(name) if isinstance(value, Mapping) else None
        else:
            schema = schema and schema.items
            value = value[int(position)] if isinstance(value, list) and int(position) < len(value) else None
    return schema, value


def _refusal(schema: Schema, value: Any, section: str, fault: Fault) -> Refusal:
    path = fault.path.removeprefix(section)
    field, given = _at(schema, value, path)
    pointer = "".join(f"/{name or position}" for name, position in _STEP.findall(path))
    location = _LOCATIONS[section]
    title = (field.title if field is not None else "") or pointer.rpartition("/")[2]
    if fault.message.startswith("missing"):
        text = f"输入源“/{location}{pointer}”映射到字段“{title}”必填性规则校验失败，此字段为必填项"
    else:
        text = f"输入源“/{location}{pointer}”映射到字段“{title}”规则校验失败，{fault.message}"
    detail = {
        "field": pointer if location == "body" else pointer.removeprefix("/"),
        "value": given if field is None or not field.encrypted else "",
        "issue": fault.message,
        "location": location,
    }
    return Refusal(400, "PARAM_ERROR", text, detail)
