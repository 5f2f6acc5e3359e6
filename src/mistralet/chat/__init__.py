"""Conversations, tools and pictures in, token ids and image tensors out; tokens in, text and tool calls out."""

from mistralet.chat.events import (
    ArgumentsDelta,
    ChatEvent,
    ChatFinishReason,
    ContentDelta,
    Finish,
    FormatProblem,
    ScoredToken,
    ScoredTokens,
    ToolCallStart,
)
from mistralet.chat.format import ChatFormat, chat_format
from mistralet.chat.messages import ImagePart, Message, Part, Role, TextPart, ToolCall
from mistralet.chat.model import ChatModel, ModelFacts
from mistralet.chat.reply import Reply
from mistralet.chat.request import ChatRequest, NamedTool, Tool, ToolChoice

__all__ = [
    "ArgumentsDelta",
    "ChatEvent",
    "ChatFinishReason",
    "ChatFormat",
    "ChatModel",
    "ChatRequest",
    "ContentDelta",
    "Finish",
    "FormatProblem",
    "ImagePart",
    "Message",
    "ModelFacts",
    "NamedTool",
    "Part",
    "Reply",
    "Role",
    "ScoredToken",
    "ScoredTokens",
    "TextPart",
    "Tool",
    "ToolCall",
    "ToolCallStart",
    "ToolChoice",
    "chat_format",
]
