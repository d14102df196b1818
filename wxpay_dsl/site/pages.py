"""Renders the pages of paths, products and notifications as Markdown. Pure functions."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, Final

from wxpay_dsl.core.chain.describe import FieldEntry, certainty, dotted, fields, sections
from wxpay_dsl.core.specs.model import Event, Operation
from wxpay_dsl.wechat.chains import AUTO_FIELDS
from wxpay_dsl.wechat.roles import ROLES
from wxpay_dsl.wechat.terms import TERMS

from .markup import code, fenced, links, text, title
from .snippets import Example, call_snippet, event_snippet

__all__ = ["event_page", "operation_page", "product_page"]

_SECTIONS: Final = {
    "path": "路径参数 Path",
    "query": "查询参数 Query",
    "header": "请求头 Header",
    "body": "请求体 Body",
    "form": "上传表单 Form",
    "returns": "应答参数 Response",
}
_ERRORS: Final = """
| 何时 When | 异常 Raised |
| --- | --- |
| 发送之前：缺字段、未知字段、金额是小数 before sending: missing, unknown name, a float as money | `ValidationError` |
| 连不上、超时、应答残缺 no connection, a timeout, an incomplete response | `TransportError`（`outcome_unknown`） |
| 应答验签失败 the response cannot be verified | `VerificationError` |
| 微信支付拒绝 the service rejects the call | `ServiceError`，及各错误码的子类 and a subclass for each code |
"""


def operation_page(
    path: str, operations: Sequence[Operation], example: Example, errors: str, product: tuple[str, str]
) -> str:
    """The page of a path, with all of its verbs.

    ``errors`` is the URL of the page about errors; ``product`` the title and the URL of the product's page.
    """
    first = operations[0]
    name = first.summary or path
    lines = ["---", f"title: {json.dumps(title(name), ensure_ascii=False)}", "---", ""]
    lines += [f"# {text(name)}", ""] if len(operations) == 1 else [f"# {code(path)}", ""]
    for operation in operations:
        if len(operations) > 1:
            lines += [f"## {text(operation.summary or operation.name)} {{#{operation.verb}}}", ""]
        lines += _operation(
            operation, example, errors, f"[{text(product[0])}]({product[1]})", "##" if len(operations) == 1 else "###"
        )
    return "\n".join(lines) + "\n"


def product_page(name: str, description: str, operations: Iterable[tuple[Operation, str]]) -> str:
    """The page of a product: a table of its operations, each with the URL of its page."""
    lines = [f"# {text(name)}", ""]
    if description:
        lines += [text(description), ""]
    lines += ["| 接口 Operation | 路径 Path | 调用 Call |", "| --- | --- | --- |"]
    for operation, url in operations:
        gone = " ~~已下线~~" if operation.deprecated else ""
        link = f"[{text(operation.summary or operation.name)}]({url}){gone}"
        lines.append(f"| {link} | {code(operation.name)} | {code(f'wxpay.{dotted(operation)}')} |")
    return "\n".join(lines) + "\n"


def event_page(name: str, events: Sequence[Event], example: Example, guide: str) -> str:
    """The page of a product's notifications. ``guide`` is the URL of the guide about receiving them."""
    lines = [f"# {text(name)} 通知 Notifications", "", f"怎样接收：[回调通知 Receiving notifications]({guide})", ""]
    for event in events:
        lines += [f"## {text(event.summary or event.name)} {code(event.name)}", ""]
        lines += [*links(event.docs), f"- 核对 Facts：{certainty(event.checked, TERMS)}", ""]
        parts = (("通知内容 Resource", event.resource), ("报文 Body", event.body), ("应答 Answer", event.returns))
        for heading, schema in parts:
            if schema is not None and schema.properties:
                lines += [f"### {heading}", "", *_table(fields(schema, TERMS), frozenset()), ""]
                lines += fenced("json", _json(example(schema, "")))
        lines += fenced("python", event_snippet(event).rstrip())
    return "\n".join(lines) + "\n"


def _operation(operation: Operation, example: Example, errors: str, product: str, heading: str) -> list[str]:
    lines = []
    if operation.description:
        lines += [text(operation.description), ""]
    lines += [*links(operation.docs), code(operation.name), "", *_facts(operation, product), ""]
    lines += fenced("python", call_snippet(operation, example).rstrip())
    auto_fields = AUTO_FIELDS[operation.dialect]
    for name, schema in sections(operation):
        if name == "returns":
            continue
        lines += [f"{heading} {_SECTIONS[name]}", "", *_table(fields(schema, TERMS), auto_fields), ""]
    lines += [f"{heading} {_SECTIONS['returns']}", "", *_response(operation, example), ""]
    lines += [f"{heading} 错误 Errors {{ data-search-exclude }}", "", f"[错误处理 Errors]({errors})", _ERRORS]
    return lines


def _facts(operation: Operation, product: str) -> list[str]:
    facts = [f"- 调用 Call：{code(f'await wxpay.{dotted(operation)}(…)')}"]
    if operation.verb == "post":
        short = dotted(operation).removesuffix(".post")
        facts[0] += f"，简写 or {code(f'await wxpay.{short}(…)')}"
    if operation.roles:
        facts.append("- 适用 Roles：" + "、".join(text(ROLES.get(role, role)) for role in operation.roles))
    facts.append("- 产品 Product：" + "、".join([product, *map(text, operation.tags)]))
    facts.append(f"- 核对 Facts：{certainty(operation.checked, TERMS)}")
    if operation.updated:
        facts.append(f"- 文档更新 Updated：{text(operation.updated)}")
    if operation.host:
        facts.append(f"- 域名 Host：{code(operation.host)}")
    if operation.mutual_tls:
        facts.append("- 需要双向证书 Needs the client certificate (mutual TLS)")
    if not operation.verify:
        facts.append("- 应答没有签名 The response is not signed")
    if operation.safe_to_repeat:
        facts.append("- 可安全重试 Safe to repeat")
    if operation.deprecated:
        facts.append("- **已下线 Deprecated**")
    return facts


def _response(operation: Operation, example: Example) -> list[str]:
    schema = operation.returns
    if operation.produces:
        return [f"{code(operation.produces)}，`response.data` 是字节 is bytes"]
    if schema is None:
        return [f"没有内容 Nothing（{operation.status}）"]
    lines = _table(fields(schema, TERMS), frozenset()) if schema.properties or schema.items else []
    return [*lines, "", *fenced("json", _json(example(schema, "")))]


def _table(entries: Iterable[FieldEntry], auto_fields: frozenset[str]) -> list[str]:
    rows = []
    for entry in entries:
        # Markdown has no nested tables: the depth is shown as an indent that a screen reader can skip.
        indent = "&emsp;" * entry.depth
        required = "" if entry.optional else "是 yes"
        if entry.depth == 0 and entry.name.lower() in auto_fields:
            required = "自动 filled in"
        meaning = "；".join(filter(None, (text(entry.title), *map(_note, entry.notes))))
        rows.append([f"{indent}{code(entry.name)}", text(entry.type), required, meaning])
    rows = [["字段 Field", "类型 Type", "必填 Required", "说明 Meaning"], ["---"] * 4, *rows]
    if not any(required for _, _, required, _ in rows[2:]):
        rows = [[name, kind, meaning] for name, kind, _, meaning in rows]
    return ['<div class="fields" markdown>', "", *(f"| {' | '.join(row)} |" for row in rows), "", "</div>"]


def _note(note: str) -> str:
    # An example may contain any character, so it is escaped as code.
    return text(note) if not note.startswith("e.g. ") else f"例 {code(note.removeprefix('e.g. '))}"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)
