"""How tools, calls and results are written in ChatML, which has no control tokens for them: JSON between tags.

The stand-in model was not trained on tools. This is the convention of most models that have ChatML and were
(docs/chat-format.md), so that programs meet the same flow with it as with the real model.
"""

from __future__ import annotations

from collections.abc import Sequence

from mistralet.chat.json_values import dump, parse_arguments
from mistralet.chat.messages import ToolCall
from mistralet.chat.request import Tool
from mistralet.chat.tools import described

CALL_BEGIN = "<tool_call>\n"
CALL_END = "\n</tool_call>"
# Between the text of a message and its first call, and between calls.
CALL_SEPARATOR = "\n"

_INSTRUCTION = """\
You can call functions to help the user. Each line between these tags describes one:
<tools>
{tools}
</tools>
To call a function, write a JSON object with its name and its arguments between these tags, once for each call:
<tool_call>
{{"name": "the name", "arguments": {{"argument": "value"}}}}
</tool_call>"""


def instruction(tools: Sequence[Tool]) -> str:
    """What the system turn says of the tools."""
    return _INSTRUCTION.format(tools="\n".join(dump(described(tool)) for tool in tools))


def with_calls(text: str, calls: Sequence[ToolCall]) -> str:
    """The assistant's turn: its text, if there is any, and its calls."""
    return CALL_SEPARATOR.join(([text] if text else []) + [_written_call(call) for call in calls])


def written_result(text: str) -> str:
    """The turn of a tool."""
    return f"<tool_response>\n{text}\n</tool_response>"


def _written_call(call: ToolCall) -> str:
    facts = {"name": call.name, "arguments": parse_arguments(call.arguments)}
    return f"{CALL_BEGIN}{dump(facts)}{CALL_END}"
