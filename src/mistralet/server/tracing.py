"""OpenTelemetry traces: a span for each request, within the caller's own trace; no text of prompts or answers.

Attributes are those of the semantic conventions for HTTP and generative AI where they have a name.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mistralet import __version__
from mistralet.errors import UsageError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor, TracerProvider

_PROBES = ("/health", "/ready", "/metrics")
_LAST_SECONDS = 5  # for what is still to be sent at the end
# What the log tells of a request, under the names of the conventions.
_ATTRIBUTES = {
    "prompt_tokens": "gen_ai.usage.input_tokens",
    "output_tokens": "gen_ai.usage.output_tokens",
    "finish_reasons": "gen_ai.response.finish_reasons",
    "queue_seconds": "mistralet.queue_seconds",
    "first_token_seconds": "mistralet.first_token_seconds",
}


def exporting(endpoint: str) -> TracerProvider:
    """What makes spans, and sends them to a collector over HTTP, from a thread of its own.

    Raises:
        UsageError: OpenTelemetry is not installed, or the address is none.
    """
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise UsageError("Traces need OpenTelemetry; install it with pip install 'mistralet[otel]'.") from error
    if not endpoint.startswith(("http://", "https://")):
        raise UsageError(f"'{endpoint}' is no http URL of a collector; give one such as http://localhost:4318.")
    return provider(BatchSpanProcessor(OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces")))


def provider(processor: SpanProcessor) -> TracerProvider:
    """What makes spans and hands them to `processor`."""
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider

    resource = Resource.create({"service.name": "mistralet", "service.version": __version__})
    made = TracerProvider(resource=resource, shutdown_on_exit=False)
    made.add_span_processor(processor)
    return made


def finish(traces: TracerProvider) -> None:
    """Send what is left, as far as the collector takes it within a few seconds."""
    with contextlib.suppress(Exception):  # the collector's troubles are not the server's
        traces.force_flush(_LAST_SECONDS * 1000)
        traces.shutdown()


class Traces:
    """ASGI middleware, within `RequestLog`, whose line then tells the trace's id."""

    def __init__(self, app: ASGIApp, traces: TracerProvider, model: str) -> None:
        self.app = app
        self._tracer = traces.get_tracer("mistralet", __version__)
        self._model = model

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http" or scope["path"] in _PROBES:
            await self.app(scope, receive, send)
            return
        from opentelemetry.propagate import extract
        from opentelemetry.trace import SpanKind, Status, StatusCode, format_trace_id

        status = 0

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        context = extract(dict(Headers(scope=scope)))
        with self._tracer.start_as_current_span(scope["method"], context, SpanKind.SERVER) as span:
            scope["log_facts"]["trace_id"] = format_trace_id(span.get_span_context().trace_id)
            try:
                await self.app(scope, receive, noted)
            finally:
                route = getattr(scope.get("route"), "path", "none")
                span.update_name(f"{scope['method']} {route}")
                span.set_attributes(self._facts(scope, route, status))
                if status >= 500:
                    span.set_status(Status(StatusCode.ERROR))

    def _facts(self, scope: Scope, route: str, status: int) -> dict[str, Any]:
        told = scope["log_facts"]
        facts = {name: told[key] for key, name in _ATTRIBUTES.items() if key in told}
        return {
            "http.request.method": scope["method"],
            "http.route": route,
            "http.response.status_code": status,
            "gen_ai.system": "mistralet",
            "gen_ai.request.model": self._model,
            "mistralet.request_id": scope["request_id"],
            **facts,
        }
