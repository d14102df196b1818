"""Every operation of APIv3 is called once with its spec's examples, and its response is verified."""

from __future__ import annotations

import warnings
from typing import Any

import pytest

from wxpay_dsl import SpecWarning, Wechatpay
from wxpay_dsl.core.request.mismatch import SHAPES
from wxpay_dsl.core.request.validate import check
from wxpay_dsl.core.specs.model import Operation
from wxpay_dsl.sandbox import Sandbox
from wxpay_dsl.sandbox.protocol.examples import example
from wxpay_dsl.wechat.chains import AUTO_FIELDS

FILE = b"\x89PNG\r\n\x1a\n" + bytes(64)


def arguments(operation: Operation) -> dict[str, Any]:
    """Every field of the operation, required or not, with its example value."""
    given: dict[str, Any] = {}
    for section in ("path", "query", "header", "body", "form"):
        schema = operation.section(section)
        for name, field in (schema.properties if schema is not None else {}).items():
            if name.lower() in AUTO_FIELDS[operation.dialect] or (section == "form" and field.media_type):
                continue
            keyword = name.lower().replace("-", "_") if section == "header" else name
            given[keyword] = FILE if field.format == "binary" else example(field, name)
    return given


@pytest.mark.slow
async def test_every_operation_of_apiv3_is_called_answered_and_verified() -> None:
    called, failed = 0, []
    async with (
        Sandbox(stateful=False) as sandbox,
        Wechatpay(**sandbox.credentials, **sandbox.brand_credentials) as wxpay,
    ):
        for declared in wxpay.tree.declared():
            operation = declared.operation()
            if operation.dialect == "v2":
                continue
            node: Any = wxpay
            for segment in operation.chain:
                node = node[segment]
            try:
                with warnings.catch_warnings():
                    # Some official examples exceed the limits of their own page.
                    warnings.simplefilter("ignore", SpecWarning)
                    response = await getattr(node, operation.verb)(**arguments(operation))
            except Exception as error:  # noqa: BLE001 (all that fail are wanted at once)
                failed.append(f"{operation.name}: {error}")
                continue
            called += 1
            assert response.status == operation.status, operation.name
            if operation.sign:
                scheme = (
                    "WECHATPAY-BRAND-SHA256-RSA2048 " if operation.dialect == "brand" else "WECHATPAY2-SHA256-RSA2048 "
                )
                assert response.exchange.request_headers["Authorization"].startswith(scheme)
            if operation.verify:
                assert response.headers["Wechatpay-Signature"], operation.name
            if operation.returns is not None and not operation.produces:
                found = check(operation.returns, response.data, "returns")
                assert [each for each in found if each.kind in SHAPES] == [], operation.name

    assert failed == []
    assert called == 1086


async def test_an_operation_called_unsigned_is_sent_without_authorization() -> None:
    async with Sandbox(stateful=False) as sandbox, Wechatpay(**sandbox.credentials) as wxpay:
        unsigned = [found for found in wxpay.tree.operations() if not found.sign and found.dialect == "v3"]
        assert unsigned
        for operation in unsigned:
            node: Any = wxpay
            for segment in operation.chain:
                node = node[segment]
            response = await getattr(node, operation.verb)(**arguments(operation))
            assert "Authorization" not in response.exchange.request_headers
