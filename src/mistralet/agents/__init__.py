"""Agents: a model, tools, and a loop of calls and results."""

from mistralet.agents.agent import Agent
from mistralet.agents.events import (
    AgentEvent,
    AgentResult,
    CallArguments,
    CallStarted,
    ConsentAsked,
    Finished,
    ModelProblem,
    RunStarted,
    StepEnd,
    TextDelta,
    ToolResult,
    ToolStarted,
)
from mistralet.agents.function_tool import function_tool
from mistralet.agents.limits import EndReason, Limits, Used
from mistralet.agents.loop import Consent
from mistralet.agents.tool import AgentTool, ToolSource
from mistralet.agents.toolbox import AnyTool, open_tools
from mistralet.agents.transcript import Transcript

__all__ = [
    "Agent",
    "AgentEvent",
    "AgentResult",
    "AgentTool",
    "AnyTool",
    "CallArguments",
    "CallStarted",
    "Consent",
    "ConsentAsked",
    "EndReason",
    "Finished",
    "Limits",
    "ModelProblem",
    "RunStarted",
    "StepEnd",
    "TextDelta",
    "ToolResult",
    "ToolSource",
    "ToolStarted",
    "Transcript",
    "Used",
    "function_tool",
    "open_tools",
]
