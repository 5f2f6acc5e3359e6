"""Tools of HTTP services that an OpenAPI document describes."""

from mistralet.agents.openapi.source import OpenApi

__all__ = ["OpenApi"]
