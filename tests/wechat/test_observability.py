"""Logs and what they never contain, hooks, OpenTelemetry, and the dump of an exchange for a support ticket."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode, get_current_span

from wxpay_dsl import (
    Call,
    ConfigurationError,
    ConnectionFailedError,
    File,
    OpenTelemetry,
    ServiceError,
    Wechatpay,
)
from wxpay_dsl.core.redaction import redact_data, redact_headers, redact_url
from wxpay_dsl.sandbox import Sandbox

PRESIGN = {
    "appid": "wx8888888888888888",
    "openid": "oUpF8uMuAJO",
    "plan_id": "12535",
    "user_id": "20190011",
    "period_start_date": "2026-03-19",
    "trade_scene": "EDUCATION_PERIOD",
}
NAME = "POST /v3/edu-papay/contracts/presign"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(stateful=False, strict=True) as sandbox:
        yield sandbox


@pytest.fixture
async def wxpay(sandbox: Sandbox) -> AsyncIterator[Wechatpay]:
    async with Wechatpay(**sandbox.credentials) as wxpay:
        yield wxpay


async def test_a_call_is_a_line_at_info(wxpay: Wechatpay, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "wxpay_dsl")
    response = await wxpay.v3.eduPapay.contracts.presign.post(PRESIGN)
    (line,) = [record.getMessage() for record in caplog.records if record.name == "wxpay_dsl.calls"]
    assert line.startswith(f"{NAME} 200 in ")
    assert line.endswith(f" ms [Request-ID {response.request_id}]")


async def test_a_failure_is_a_warning_that_says_why(wxpay: Wechatpay, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "wxpay_dsl")
    with pytest.raises(ServiceError):
        await wxpay.v3.eduPapay.contracts.presign.post({**PRESIGN, "trade_scene": "OTHER"}, validate=False)
    (line,) = [record.getMessage() for record in caplog.records if record.name == "wxpay_dsl.calls"]
    assert line.startswith(f"{NAME} failed after ")
    assert "PARAM_ERROR" in line


async def test_debug_shows_all_but_what_is_secret(sandbox: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    """Sensitive fields, tokens, signatures, keys: whatever the level, none is in any record of the package."""
    caplog.set_level(logging.DEBUG, "wxpay_dsl")
    async with Wechatpay(**sandbox.credentials) as wxpay:
        await wxpay.v3.profitsharing.receivers.add.post(
            appid="wx8888888888888888", type="MERCHANT_ID", account="190001001", name="张三丰", relation_type="STORE"
        )
        response = await wxpay.v3.eduPapay.contracts.presign.post(PRESIGN)
        await wxpay.v3.merchant.media.upload.post(file=File(PNG, "a.png"))
        await wxpay.v2.pay.orderquery(appid="wx8888888888888888", out_trade_no="1", transaction_id="1")
    text = "\n".join(f"{record.getMessage()} {record.args}" for record in caplog.records)
    assert "oUpF8uMuAJO" in text
    assert "'account': '190001001'" in text or '"account":"190001001"' in text
    assert '"name":"***"' in text
    credentials = sandbox.credentials
    key = credentials["private_key"] if isinstance(credentials["private_key"], str) else "BEGIN"
    secrets = [
        "张三丰",
        credentials["apiv3_key"],
        credentials["apiv2_key"],
        key,
        response.data["presign_token"],
        'signature="',
    ]
    signature = response.headers["Wechatpay-Signature"]
    assert [secret for secret in [*secrets, signature] if secret in text] == []


def test_what_is_masked() -> None:
    headers = {"Authorization": 'WECHATPAY2-SHA256-RSA2048 mchid="1",signature="s"', "Accept": "application/json"}
    assert redact_headers(headers) == {
        "Authorization": "WECHATPAY2-SHA256-RSA2048 ***",
        "Accept": "application/json",
    }
    for name in ("authorization", "Proxy-Authorization", "Cookie", "Set-Cookie", "Wechatpay-Signature"):
        assert redact_headers({name: "session=geheim"}) == {name: "***"}
    assert redact_headers({"Cookie": "session=geheim; lang=zh"}) == {"Cookie": "***"}
    url = "https://api.mch.weixin.qq.com/v3/billdownload/file?token=a%2Fb&tartype=gzip&access_token=x"
    expected = "https://api.mch.weixin.qq.com/v3/billdownload/file?token=***&tartype=gzip&access_token=***"
    assert redact_url(url) == expected
    data = {"presign_token": "t", "list": [{"sign": "S", "key": 5, "note": "x"}], "prepay_id": "p"}
    assert (
        redact_data(None, data) == '{"presign_token":"***","list":[{"sign":"***","key":5,"note":"x"}],"prepay_id":"p"}'
    )
    assert redact_data(None, b"\x89PNG") == "<4 bytes>"
    assert len(redact_data(None, {"a": "x" * 10_000})) < 5000
    loop: dict[str, Any] = {}
    loop["self"] = loop
    assert redact_data(None, loop) == "<dict>"


async def test_hooks_run_before_and_after_whatever_happens(sandbox: Sandbox) -> None:
    seen: list[tuple[Any, ...]] = []

    @contextmanager
    def outer(call: Call) -> Iterator[None]:
        seen.append(("before", call.name, call.exchange, call.response))
        yield
        error = type(call.error).__name__ if call.error else None
        seen.append(("after", call.response.status if call.response else None, error, call.seconds > 0))

    @contextmanager
    def inner(call: Call) -> Iterator[None]:
        seen.append(("inner before",))
        yield
        assert call.exchange is not None
        seen.append(("inner after", call.exchange.received.status))

    async with Wechatpay(**sandbox.credentials, hooks=[outer, inner]) as wxpay:
        await wxpay.v3.eduPapay.contracts.presign.post(PRESIGN)
        assert seen == [
            ("before", NAME, None, None),
            ("inner before",),
            ("inner after", 200),
            ("after", 200, None, True),
        ]
        seen.clear()
        with pytest.raises(ServiceError):
            await wxpay.v3.eduPapay.contracts.presign.post({**PRESIGN, "trade_scene": "OTHER"}, validate=False)
        assert seen[2:] == [("inner after", 400), ("after", None, "ParamError", True)]


async def test_a_hook_can_stop_a_call_and_cannot_lose_a_reply(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    @contextmanager
    def clumsy(call: Call) -> Iterator[None]:
        if call.request.sections["body"]["user_id"] == "forbidden":
            raise PermissionError("not this user")
        yield
        raise KeyError("a fault of the hook's own")

    async with Wechatpay(**sandbox.credentials, hooks=[clumsy]) as wxpay:
        assert (await wxpay.v3.eduPapay.contracts.presign.post(PRESIGN)).status == 200
        assert "a hook failed after the call" in caplog.text
        with pytest.raises(PermissionError, match="not this user"):
            await wxpay.v3.eduPapay.contracts.presign.post({**PRESIGN, "user_id": "forbidden"})


async def test_a_cancelled_call_is_seen_too(sandbox: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    begun = asyncio.Event()
    ends: list[Any] = []

    @contextmanager
    def watch(call: Call) -> Iterator[None]:
        begun.set()
        yield
        ends.append(call.error)

    async with Wechatpay(**sandbox.credentials, hooks=[watch]) as wxpay:
        slow = wxpay.v3.eduPapay.contracts.presign.post(PRESIGN, headers={"Sandbox-Fault": "delay=60"})
        calling = asyncio.create_task(slow)
        await begun.wait()
        await asyncio.sleep(0.1)  # wherever it is then
        calling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await calling
    assert isinstance(ends[0], asyncio.CancelledError)
    assert "cancelled" in caplog.text


@pytest.mark.parametrize("hooks", ["log", [5], 5], ids=str)
def test_hooks_are_functions(hooks: Any) -> None:
    with pytest.raises(ConfigurationError, match="`hooks` is a list of functions"):
        Wechatpay(mchid="1900000109", apiv2_key="k" * 32, hooks=hooks)


class Collected:
    """Spans and metrics, collected in memory."""

    def __init__(self) -> None:
        self._spans = InMemorySpanExporter()
        self._metrics = InMemoryMetricReader()
        traces = TracerProvider()
        traces.add_span_processor(SimpleSpanProcessor(self._spans))
        self.hook = OpenTelemetry(traces, MeterProvider([self._metrics]))

    def spans(self) -> list[Any]:
        return list(self._spans.get_finished_spans())

    def points(self) -> list[Any]:
        data: Any = self._metrics.get_metrics_data()
        (metric,) = data.resource_metrics[0].scope_metrics[0].metrics
        assert metric.name == "http.client.request.duration"
        assert metric.unit == "s"
        return list(metric.data.data_points)


async def test_a_call_is_a_span_named_after_its_operation(sandbox: Sandbox) -> None:
    collected = Collected()
    async with Wechatpay(**sandbox.credentials, hooks=[collected.hook]) as wxpay:
        response = await wxpay.v3.pay.transactions.outTradeNo._out_trade_no_.get(
            out_trade_no="order-1", mchid=wxpay.settings.mchid
        )
    (span,) = collected.spans()
    assert span.name == "GET /v3/pay/transactions/out-trade-no/{out_trade_no}"
    assert span.kind is SpanKind.CLIENT
    assert dict(span.attributes) == {
        "http.request.method": "GET",
        "url.template": "/v3/pay/transactions/out-trade-no/{out_trade_no}",
        "server.address": "127.0.0.1",
        "server.port": int(sandbox.url.rpartition(":")[2]),
        "http.response.status_code": 200,
        "http.response.header.request-id": (response.request_id,),
    }
    (point,) = collected.points()
    assert point.count == 1
    assert 0 < point.sum < 100
    assert "http.response.header.request-id" not in point.attributes


async def test_a_refusal_is_an_error_in_the_span_and_a_class_in_the_metric(sandbox: Sandbox) -> None:
    collected = Collected()
    async with Wechatpay(**sandbox.credentials, hooks=[collected.hook]) as wxpay:
        with pytest.raises(ServiceError):
            await wxpay.v3.eduPapay.contracts.presign.post({**PRESIGN, "trade_scene": "OTHER"}, validate=False)
        with pytest.raises(ConnectionFailedError):
            await wxpay.v3.eduPapay.contracts.presign.post(PRESIGN, headers={"Sandbox-Fault": "drop-after"})
    refused, broken = collected.spans()
    assert refused.status.status_code is StatusCode.ERROR
    assert refused.attributes["error.type"] == "PARAM_ERROR"
    assert refused.attributes["http.response.status_code"] == 400
    assert broken.attributes["error.type"] == "ConnectionFailedError"
    assert broken.attributes["outcome_unknown"] is True
    assert {point.attributes["error.type"] for point in collected.points()} == {"PARAM_ERROR", "ConnectionFailedError"}


async def test_a_code_that_nobody_signed_makes_no_time_series_without_end(sandbox: Sandbox) -> None:
    """A server that impersonates the service may send arbitrary codes: any length, a new one each time."""
    collected = Collected()
    codes = ["A" * 64, "A" * 65, "a code", "PARAM_ERROR\n", "错误", "", *(f"CODE_{number}" for number in range(600))]

    async def refuse(_: web.Request) -> web.Response:
        said = {"code": codes[len(collected.spans())]}
        return web.json_response(said, status=400, headers={"Request-ID": "R" * 500})

    server = TestServer(web.Application())
    server.app.router.add_route("*", "/{path:.*}", refuse)
    async with (
        server,
        Wechatpay(
            **{**sandbox.credentials, "base_url": str(server.make_url("")).rstrip("/")},
            hooks=[collected.hook],
            retries=0,
        ) as wxpay,
    ):
        for _ in codes:
            with pytest.raises(ServiceError):
                await wxpay.v3.certificates.get()
    said = [str(span.attributes["error.type"]) for span in collected.spans()]
    assert said[:6] == ["A" * 64, *["ServiceError"] * 5]
    assert said[6:] == [*codes[6:505], *["ServiceError"] * 101]
    assert collected.spans()[0].attributes["http.response.header.request-id"] == ("R" * 80,)


@pytest.mark.parametrize("level", ["", "logging.basicConfig(level=logging.WARNING)"], ids=["unset", "set up"])
async def test_a_call_that_fails_is_told_once_where_no_logging_is_set_up(level: str) -> None:
    """It is raised; an application that set up logging has it in its log too."""
    program = f"""
import asyncio, logging
from wxpay_dsl import TransportError, Wechatpay
{level}

async def main():
    async with Wechatpay(mchid="1900000109", apiv2_key="1" * 32, base_url="http://127.0.0.1:9", retries=0) as wxpay:
        try:
            await wxpay.v2.pay.orderquery.post(appid="wx8888888888888888", out_trade_no="1")
        except TransportError:
            print("raised")

asyncio.run(main())
"""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await asyncio.wait_for(process.communicate(), 100)
    assert out.strip() == b"raised"
    assert (b"failed after" in err) is bool(level), err


async def test_what_happens_in_a_call_is_below_its_span_and_a_retry_is_counted(sandbox: Sandbox) -> None:
    collected = Collected()
    current: list[Any] = []

    @contextmanager
    def inside(call: Call) -> Iterator[None]:
        current.append(get_current_span().get_span_context().span_id)
        yield

    sandbox.control.faults.add("system-error", times=1)
    async with Wechatpay(**sandbox.credentials, hooks=[collected.hook, inside]) as wxpay:
        await wxpay.v3.pay.transactions.outTradeNo._out_trade_no_.get(out_trade_no="o", mchid=wxpay.settings.mchid)
    (span,) = collected.spans()
    assert current == [span.context.span_id]
    assert span.attributes["http.request.resend_count"] == 1


async def test_a_path_that_no_spec_declares_makes_no_name_of_its_numbers(sandbox: Sandbox) -> None:
    collected = Collected()
    async with Wechatpay(**sandbox.credentials, hooks=[collected.hook]) as wxpay:
        with pytest.raises(ServiceError):
            await wxpay["v3"].mine["4200000001"].get()
    (span,) = collected.spans()
    assert span.name == "GET"
    assert "url.template" not in span.attributes


def test_without_the_api_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with pytest.raises(ConfigurationError, match="extra `otel`"):
        OpenTelemetry()


async def test_an_exchange_is_a_text_for_a_support_ticket(wxpay: Wechatpay) -> None:
    response = await wxpay.v3.eduPapay.contracts.presign.post(PRESIGN)
    exchange = response.exchange
    text = exchange.dump()
    lines = text.splitlines()
    assert lines[0] == NAME
    assert lines[1] == f"POST {wxpay.settings.base_url}/v3/edu-papay/contracts/presign"
    assert exchange.request_body.decode() in lines
    assert exchange.received.body.decode() in lines
    assert f"Request-ID: {response.request_id}" in lines
    assert f"--- signed message, {len(exchange.signed_message)} bytes ---" in lines
    assert "Authorization: WECHATPAY2-SHA256-RSA2048 ***" in lines
    assert 'signature="' not in text


async def test_a_call_that_had_no_answer_has_a_text_too(sandbox: Sandbox) -> None:
    texts: list[str] = []

    @contextmanager
    def keep(call: Call) -> Iterator[None]:
        yield
        assert call.exchange is not None
        texts.append(call.exchange.dump())

    async with Wechatpay(**sandbox.credentials, hooks=[keep]) as wxpay:
        with pytest.raises(ConnectionFailedError):
            await wxpay.v3.eduPapay.contracts.presign.post(PRESIGN, headers={"Sandbox-Fault": "drop-after"})
    assert "no response, sent, attempt 1" in texts[0]
    assert '"user_id":"20190011"' in texts[0]
    assert "Wechatpay-Serial: " in texts[0]
