"""Tools of MCP servers (modelcontextprotocol.io), as processes of this machine or over HTTP."""

from mistralet.agents.mcp.server import McpServer

__all__ = ["McpServer"]
