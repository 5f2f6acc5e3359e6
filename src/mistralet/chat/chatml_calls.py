"""How a call of a tool is written in ChatML, which has no control tokens for it: JSON between two tags."""

from __future__ import annotations

CALL_BEGIN = "<tool_call>\n"
CALL_END = "\n</tool_call>"
