"""Reports calls as OpenTelemetry spans and metrics, by the semantic conventions for HTTP clients.

It needs ``opentelemetry-api`` (extra ``otel``); the application chooses the SDK that collects the data.

https://opentelemetry.io/docs/specs/semconv/http/
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from yarl import URL

from wxpay_dsl.core.errors import ConfigurationError, ServiceError, TransportError

from .hooks import Call

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider

__all__ = ["OpenTelemetry"]

#: The instrumentation scope: the distribution that contains this package.
_SCOPE: Final = __name__.partition(".")[0]
#: The form of an error code. Error responses are not signed, so a code may be any text.
_CODE: Final = re.compile(r"[A-Z][A-Z0-9_]{0,63}\Z")
#: The most error codes that are distinguished, since each is a time series; services have a few hundred.
_CODES: Final = 500
#: The most characters of a Request-ID in a span.
_REQUEST_ID: Final = 80
#: Seconds, as the conventions advise for `http.client.request.duration`.
_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)


class OpenTelemetry:
    """A hook that reports each call as a span named after its operation, and in ``http.client.request.duration``.

    Neither contains a value of a field, a token, or a URL with its path parameters filled in.
    """

    def __init__(
        self, tracer_provider: TracerProvider | None = None, meter_provider: MeterProvider | None = None
    ) -> None:
        """Reports to the given providers, by default the global ones.

        Raises ConfigurationError if ``opentelemetry-api`` is not installed.
        """
        try:
            from opentelemetry import metrics, trace
        except ModuleNotFoundError:
            message = "telemetry needs opentelemetry-api: it comes with the extra `otel`"
            raise ConfigurationError(message) from None
        self._trace = trace
        self._tracer = trace.get_tracer(_SCOPE, tracer_provider=tracer_provider)
        meter = metrics.get_meter(_SCOPE, meter_provider=meter_provider)
        self._duration = meter.create_histogram(
            "http.client.request.duration",
            unit="s",
            description="Duration of HTTP client requests.",
            explicit_bucket_boundaries_advisory=_BUCKETS,
        )
        self._codes: set[str] = set()

    @contextmanager
    def __call__(self, call: Call) -> Iterator[None]:
        request = call.request
        url = URL(request.url, encoded=True)
        common: dict[str, Any] = {"http.request.method": request.method, "server.address": url.host or ""}
        if url.port is not None:
            common["server.port"] = url.port
        if request.operation is not None:
            common["url.template"] = request.operation.path
        name = call.name if request.operation is not None else request.method
        with self._tracer.start_as_current_span(name, kind=self._trace.SpanKind.CLIENT, attributes=common) as span:
            yield
            outcome = self._outcome(call)
            span.set_attributes({**outcome, **_details(call)})
            if call.error is not None:
                span.set_status(self._trace.Status(self._trace.StatusCode.ERROR, type(call.error).__name__))
        self._duration.record(call.seconds, {**common, **outcome})

    def _outcome(self, call: Call) -> dict[str, Any]:
        """The attributes of the outcome, with few enough values for a metric."""
        attributes: dict[str, Any] = {}
        response = call.exchange.response if call.exchange is not None else None
        if response is not None:
            attributes["http.response.status_code"] = response.status
        if call.error is not None:
            attributes["error.type"] = self._code(call.error) or type(call.error).__name__
        return attributes

    def _code(self, error: BaseException) -> str:
        """The error code of the service; empty for other errors, malformed codes, and more codes than are counted."""
        code = error.code if isinstance(error, ServiceError) else ""
        if code not in self._codes:
            if not _CODE.match(code) or len(self._codes) >= _CODES:
                return ""
            self._codes.add(code)
        return code


def _details(call: Call) -> dict[str, Any]:
    """The attributes of a span that a metric does not have."""
    attributes: dict[str, Any] = {}
    exchange = call.exchange
    if exchange is not None and exchange.attempts > 1:
        attributes["http.request.resend_count"] = exchange.attempts - 1
    if exchange is not None and exchange.response is not None:
        request_id = exchange.response.headers.get("Request-ID")
        if request_id:
            attributes["http.response.header.request-id"] = [request_id[:_REQUEST_ID]]
    if isinstance(call.error, TransportError):
        attributes["outcome_unknown"] = call.error.outcome_unknown
    return attributes
