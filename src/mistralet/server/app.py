"""`create_app`: all endpoints, behind what guards them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware

from mistralet import __version__
from mistralet.errors import MistraletError
from mistralet.server import chat, completions, embeddings, health, messages, metrics, models, responses, tokens
from mistralet.server.auth import PUBLIC, KeyCheck, Keys
from mistralet.server.errors import answer_error
from mistralet.server.limits import BodyLimit, RateLimit, Rates
from mistralet.server.logs import ErrorGuard, RequestLog
from mistralet.server.page import add_page, page_files
from mistralet.server.service import Service
from mistralet.server.tracing import Traces

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

_ENDPOINTS = (chat, completions, responses, messages, embeddings, models, tokens, health, metrics)


def create_app(service: Service, keys: Keys, traces: TracerProvider | None = None) -> FastAPI:
    """The ASGI application that serves a model.

    Args:
        keys: of those who may call; none: everybody who can reach it.
        traces: makes a span for each request.
    """
    settings = service.settings
    files = page_files()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        service.close()

    guards = [Middleware(RequestLog, metrics=service.metrics)]
    if traces is not None:
        guards.append(Middleware(Traces, traces=traces, model=service.name))
    if settings.cors_origins:
        guards.append(
            Middleware(
                CORSMiddleware,
                allow_origins=settings.cors_origins,
                allow_methods=["GET", "POST"],
                allow_headers=["*"],
                expose_headers=["X-Request-Id"],
            )
        )
    guards += [
        Middleware(ErrorGuard),
        Middleware(KeyCheck, keys=keys, public=PUBLIC.union(files), loopback_only=settings.is_local),
        Middleware(RateLimit, rates=Rates(settings.requests_per_minute)),
        Middleware(BodyLimit, most=settings.max_body_bytes),
    ]
    app = FastAPI(
        title="mistralet",
        version=__version__,
        docs_url=None,  # those pages load their scripts from elsewhere
        redoc_url=None,
        lifespan=lifespan,
        middleware=guards,
        exception_handlers=dict.fromkeys((HTTPException, RequestValidationError, MistraletError), answer_error),
    )
    for endpoints in _ENDPOINTS:
        app.include_router(endpoints.router(service))
    add_page(app, files)
    return app
