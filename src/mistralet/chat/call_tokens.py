"""`CallTokens`: the control tokens around calls in one Tekken vocabulary."""

from __future__ import annotations

from dataclasses import dataclass

from mistralet.tokenizer import TekkenTokenizer


@dataclass(frozen=True)
class CallTokens:
    """Ids of control tokens."""

    calls: int  # [TOOL_CALLS]
    arguments: int | None  # [ARGS]; None for v7, which writes calls as one list
    call_id: int | None  # [CALL_ID]
    writes_ids: bool  # whether the template has [CALL_ID] at all: that of v13 has not

    @classmethod
    def of(cls, tokenizer: TekkenTokenizer) -> CallTokens:
        """Those of a tokenizer."""
        is_v7 = tokenizer.version == "v7"
        return cls(
            calls=tokenizer.control_id("[TOOL_CALLS]"),
            arguments=None if is_v7 else tokenizer.control_id("[ARGS]"),
            call_id=None if is_v7 else tokenizer.control_id("[CALL_ID]"),
            writes_ids=tokenizer.version == "v11",
        )
