"""`/health`, `/ready` and `/version`."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from mistralet import __version__
from mistralet.server.errors import json_response
from mistralet.server.service import Service


def router(service: Service) -> APIRouter:
    """The endpoints."""
    routes = APIRouter(tags=["health"])

    @routes.get("/health")
    async def health() -> Response:
        """Whether the server runs, and has not given its engine up."""
        state = service.engine.state
        return json_response({"status": state}, 503 if state in ("failed", "closed") else 200)

    @routes.get("/ready")
    async def ready() -> Response:
        """Whether a request would be begun now."""
        state = "draining" if service.draining else service.engine.state
        return json_response({"status": state, "model": service.name}, 200 if state == "ready" else 503)

    @routes.get("/version")
    async def version() -> Response:
        """The version of mistralet."""
        return json_response({"version": __version__})

    return routes
