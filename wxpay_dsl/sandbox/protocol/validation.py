"""Reads a call's fields by its operation's spec, and refuses violations as the service does: PARAM_ERROR.

A spec's facts are trusted as far as the client trusts them (:mod:`wxpay_dsl.core.request.severity`): on an operation
that was compared with the official pages, a field that every role must give is required, and an unknown name is
refused. Published limits are enforced only with ``strict``. A stateful operation also requires the declared types.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

from wxpay_dsl.core.request.mismatch import SHAPES, Kind, Mismatch
from wxpay_dsl.core.request.plan import plan_of
from wxpay_dsl.core.request.severity import compare, is_refused
from wxpay_dsl.core.specs.model import Operation, Schema

from .messages import Call, Refusal

__all__ = ["NOT_REQUIRED", "Fields", "is_violation", "read_fields", "read_json"]

#: ``{section: {name: value}}`` of one call.
Fields = dict[str, dict[str, Any]]

#: Fields that pages list as required though the service accepts another one instead, or none, by operation.
NOT_REQUIRED: Final[Mapping[str, frozenset[str]]] = {
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
_ESCAPED_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F]")
_INTEGER: Final = re.compile(r"-?[0-9]{1,18}\Z")
_KINDS: Final[dict[str, tuple[type, ...]]] = {"boolean": (bool,), "number": (int, float), "object": (dict,)}
_LOCATIONS: Final = {"path": "url", "query": "query", "body": "body", "form": "body", "header": "header"}


def read_fields(
    call: Call,
    operation: Operation,
    parameters: Mapping[str, str],
    body: Any,
    *,
    typed: bool = True,
    strict: bool = False,
) -> Fields:
    """The call's fields by section, converted to the types of the spec.

    ``parameters``: those of the path. ``body``: decoded JSON, or the texts of a form. ``typed`` refuses values of
    another type, ``strict`` whatever differs from the spec. Raises Refusal 400 PARAM_ERROR for the first violation.
    """
    given: Fields = {"path": _typed(operation.parameters, parameters), "query": {}, "body": {}, "form": {}}
    if call.query or operation.query is not None:
        given["query"] = _typed(operation.query, _query(operation.query, call.query))
    section = "form" if operation.form is not None else "body"
    given[section] = body if body is not None else {}
    if operation.form is not None:
        # The parts of a form are text, as parameters of a URL are.
        given["form"] = _typed(operation.form, given["form"])
    for mismatch in compare(plan_of(operation), given):
        name = mismatch.path.partition(".")[0].partition("[")[0]
        # Headers are not read here.
        if name != "header" and is_violation(operation, mismatch, typed=typed, strict=strict):
            field, value = _at(operation.section(name), given[name], mismatch.path.removeprefix(name))
            if mismatch.kind in SHAPES or field is None or value != field.example:
                raise _refusal(operation.section(name), given[name], name, mismatch)
    return given


def read_json(body: bytes) -> Any:
    """The JSON of a body; None for an empty body. Raises Refusal 400 PARAM_ERROR."""
    if not body:
        return None
    try:
        data = json.loads(body, parse_constant=_no_constant)
        if _ESCAPED_SURROGATE.search(body):
            # A lone surrogate: a response in UTF-8 could not repeat it.
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
    """Convert text to the types of the spec; text that cannot be converted stays text."""
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


def is_violation(operation: Operation, mismatch: Mismatch, *, typed: bool, strict: bool) -> bool:
    """Whether a mismatch refuses the call."""
    if mismatch.kind is Kind.MISSING and mismatch.path.rpartition(".")[2] in NOT_REQUIRED.get(operation.name, ()):
        return False
    official = plan_of(operation).official
    return strict or (typed and mismatch.kind is Kind.TYPE) or is_refused(mismatch.kind, official=official)


def _at(schema: Schema | None, value: Any, path: str) -> tuple[Schema | None, Any]:
    """The schema and the value at the path of a mismatch; None if there is none."""
    for name, position in _STEP.findall(path):
        if name:
            schema = schema and schema.properties.get(name, schema.additional)
            value = value.get(name) if isinstance(value, Mapping) else None
        else:
            schema = schema and schema.items
            value = value[int(position)] if isinstance(value, list) and int(position) < len(value) else None
    return schema, value


def _refusal(schema: Schema | None, value: Any, section: str, mismatch: Mismatch) -> Refusal:
    path = mismatch.path.removeprefix(section)
    field, given = _at(schema, value, path)
    pointer = "".join(f"/{name or position}" for name, position in _STEP.findall(path))
    location = _LOCATIONS[section]
    title = (field.title if field is not None else "") or pointer.rpartition("/")[2]
    if mismatch.kind is Kind.MISSING:
        text = f"输入源“/{location}{pointer}”映射到字段“{title}”必填性规则校验失败，此字段为必填项"
    else:
        text = f"输入源“/{location}{pointer}”映射到字段“{title}”规则校验失败，{mismatch.message}"
    detail = {
        "field": pointer if location == "body" else pointer.removeprefix("/"),
        "value": given if field is None or not field.encrypted else "",
        "issue": mismatch.message,
        "location": location,
    }
    return Refusal(400, "PARAM_ERROR", text, detail)
