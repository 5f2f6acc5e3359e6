"""Agents: a model, tools, and a loop of calls and results."""

from mistralet.agents.tool import AgentTool, ToolSource

__all__ = ["AgentTool", "ToolSource"]
