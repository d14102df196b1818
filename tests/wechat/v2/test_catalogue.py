"""All 136 operations of APIv2, called against the sandbox over TLS, the client certificate included."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from wxpay_dsl import ConfigurationError, Response, Wechatpay
from wxpay_dsl.client import tree
from wxpay_dsl.core.specs.model import Operation, Schema
from wxpay_dsl.sandbox import Sandbox
from wxpay_dsl.sandbox.protocol.examples import example
from wxpay_dsl.wechat.chains import AUTO_FIELDS
from wxpay_dsl.wechat.v2 import signing as signing_v2
from wxpay_dsl.wechat.v2 import xml

pytestmark = pytest.mark.filterwarnings("ignore::wxpay_dsl.SpecWarning")

#: The path prefix of each environment, by the setting `v2_sandbox`; None is production.
ENVIRONMENTS = {"sandboxnew": "/sandboxnew", "apiv2sandbox": "/xdc/apiv2sandbox", "": ""}
PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)

#: Operations on state, in an order in which each call finds what it needs.
STORY: dict[str, dict[str, Any]] = {
    "/pay/unifiedorder": {"out_trade_no": "placed", "trade_type": "NATIVE", "total_fee": 100},
    "/pay/micropay": {"out_trade_no": "paid", "total_fee": 100, "auth_code": "120061098828009406"},
    "/pay/orderquery": {"out_trade_no": "paid"},
    "/pay/refund": {"out_trade_no": "paid", "out_refund_no": "back", "total_fee": 100, "refund_fee": 100},
    "/pay/refundquery": {"out_trade_no": "paid"},
    "/pay/reverse": {"out_trade_no": "reversed"},
    "/pay/closeorder": {"out_trade_no": "closed"},
}
COMMON = {
    "appid": "wx8888888888888888",
    "body": "x",
    "spbill_create_ip": "8.8.8.8",
    "notify_url": "https://a.example/n",
}

OPERATIONS = [declared.operation() for declared in tree().root.children["v2"].walk()]


def environment_of(operation: Operation) -> str:
    return next(name for name, start in ENVIRONMENTS.items() if operation.path.startswith(start))


def step_of(operation: Operation) -> str:
    """Its path without what a sandbox environment or a client certificate adds."""
    return operation.path.removeprefix(ENVIRONMENTS[environment_of(operation)]).removeprefix("/secapi")


def in_order() -> list[Operation]:
    """The operations on state first, then all others."""
    steps = list(STORY)
    return sorted(OPERATIONS, key=lambda each: steps.index(step_of(each)) if step_of(each) in steps else len(steps))


def fields_of(operation: Operation) -> dict[str, Any]:
    """The fields of a request, from the spec's examples, without those that the client fills in."""
    fields: dict[str, Any] = {}
    for section in ("query", "body", "form"):
        schema = operation.section(section)
        for name, field in schema.properties.items() if schema is not None else ():
            if name not in AUTO_FIELDS["v2"] and name != "cert_serial_number":
                fields[name] = PNG if field.format == "binary" else value_of(field, name)
    return fields


def value_of(schema: Schema, name: str) -> Any:
    if schema.encrypted:
        return "6222020200112233445"
    if schema.media_type == "application/json" and not schema.example:
        return {"一": [1, "<&]]>"]}
    return example(schema, name)


def told(operation: Operation) -> dict[str, Any]:
    """The fields of a step of the story, with numbers of its environment's own."""
    schema = operation.body
    assert schema is not None
    fields = {**COMMON, **STORY[step_of(operation)]}
    for name in ("out_trade_no", "out_refund_no"):
        if name in fields:
            fields[name] += environment_of(operation)
    return {name: value for name, value in fields.items() if name in schema.properties}


async def call(wxpay: Wechatpay, operation: Operation, fields: dict[str, Any]) -> Response[Any]:
    node: Any = wxpay
    for segment in operation.chain:
        node = node[segment]
    response: Response[Any] = await getattr(node, operation.verb)(**fields)
    return response


def sent_fields(response: Response[Any]) -> dict[str, str]:
    """What went over the wire, as its receiver reads it."""
    if response.exchange.method == "GET":
        return dict(parse_qsl(urlsplit(response.exchange.url).query, keep_blank_values=True))
    return xml.loads(response.exchange.request_body)


async def test_every_operation_is_called_signed_verified_and_read() -> None:
    responses: dict[str, Response[Any]] = {}
    async with Sandbox(tls=True, stateful=False) as sandbox:
        clients = {name: Wechatpay(**sandbox.credentials, v2_sandbox=name or None) for name in ENVIRONMENTS}
        secret = sandbox.merchant.apiv2_key
        today = datetime.fromtimestamp(sandbox.state.now, timezone(timedelta(hours=8)))
        await clients[""].v2.pay.unifiedorder(COMMON, **STORY["/pay/unifiedorder"] | {"out_trade_no": "closed"})
        paid = {name: value for name, value in COMMON.items() if name != "notify_url"}
        await clients[""].v2.pay.micropay(paid, **STORY["/pay/micropay"] | {"out_trade_no": "reversed"})
        for operation in in_order():
            fields = told(operation) if step_of(operation) in STORY else fields_of(operation)
            if operation.path.endswith("/downloadbill"):
                sandbox.control.advance_clock(86400)
                fields["bill_date"] = f"{today:%Y%m%d}"
            responses[operation.name] = await call(clients[environment_of(operation)], operation, fields)
        for wxpay in clients.values():
            await wxpay.close()
    assert len(responses) == 136

    exchanged = responses["POST /xdc/apiv2getsignkey/sign/getsignkey"].data["sandbox_signkey"]
    for operation in OPERATIONS:
        response = responses[operation.name]
        if operation.status == 302:
            assert urlsplit(response.headers["Location"]).query
        elif operation.produces:
            assert response.data
        else:
            assert response.data["return_code"] == "SUCCESS", operation.name
            assert response.data.get("result_code", "SUCCESS") == "SUCCESS", operation.name
            assert ("sign" in response.data) == operation.verify, operation.name
        if operation.form is None:
            sent = sent_fields(response)
            assert ("nonce_str" in sent) == operation.nonce, operation.name
            own_key = not environment_of(operation) or "getsignkey" in operation.path
            assert signing_v2.verify(sent, secret if own_key else exchanged), operation.name


async def test_the_57_operations_that_need_the_client_certificate_are_refused_without_it() -> None:
    demanding = [operation for operation in OPERATIONS if operation.mutual_tls]
    assert len(demanding) == 57
    async with Sandbox(tls=True, stateful=False) as sandbox:
        credentials = {
            name: sandbox.credentials[name] for name in ("mchid", "apiv2_key", "platform_keys", "base_url", "ca")
        }
        async with Wechatpay(**credentials) as without:
            for operation in demanding:
                with pytest.raises(ConfigurationError, match="p12"):
                    await call(without, operation, fields_of(operation))
