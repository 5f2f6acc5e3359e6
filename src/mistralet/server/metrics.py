"""`/metrics`: the server's figures, for Prometheus."""

from __future__ import annotations

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import Response

from mistralet.ops import BLOCK_SIZE
from mistralet.server.service import Service


def router(service: Service) -> APIRouter:
    """The endpoint."""
    routes = APIRouter(tags=["metrics"])

    @routes.get("/metrics")
    async def read_metrics() -> Response:
        """The server's figures, in the text format of Prometheus."""
        engine = service.engine
        service.metrics.set_state(
            blocks=engine.info.kv_tokens // BLOCK_SIZE,
            restarts=engine.restarts,
            is_ready=engine.state == "ready" and not service.draining,
        )
        return Response(service.metrics.text(), media_type=CONTENT_TYPE_LATEST)

    return routes
