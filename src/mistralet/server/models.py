"""`/v1/models`: the model that is served."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from mistralet.server.errors import json_response
from mistralet.server.service import Service


def router(service: Service) -> APIRouter:
    """The endpoints."""
    routes = APIRouter(tags=["models"])

    @routes.get("/v1/models")
    async def list_models() -> Response:
        """All models there are: one."""
        return json_response({"object": "list", "data": [_facts(service)], "has_more": False})

    # A name may have slashes.
    @routes.get("/v1/models/{name:path}")
    async def retrieve_model(name: str) -> Response:
        """A model, by its name."""
        service.check_model(name)
        return json_response(_facts(service))

    return routes


def _facts(service: Service) -> dict[str, Any]:
    info = service.engine.info
    return {
        "id": service.name,
        "object": "model",
        "created": service.created,
        "owned_by": "mistralet",
        "max_model_len": info.context,
        "vision": info.config.vision is not None,
    }
