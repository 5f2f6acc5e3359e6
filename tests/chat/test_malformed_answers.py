"""What models write that follows no template: each case is read as well as it can be, and told of."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pytest

from mistralet.chat import ChatFormat, ChatRequest, Message, Tool
from mistralet.chat.events import ChatFinishReason
from mistralet.engine.request import FinishReason
from mistralet.tokenizer import Tokenizer
from support.answers import parsed, written

REQUEST = ChatRequest([Message("user", "Go.")], [Tool("weather"), Tool("now")])
DEEP = '{"a": ' + "[" * 500 + "]" * 500 + "}"
NOW_IN_CHATML = '<tool_call>\n{"name": "now", "arguments": {}}\n</tool_call>'
ROME = '{"city": "Rome"}'


class Case(NamedTuple):
    template: str
    answer: str
    content: str = ""
    calls: list[tuple[str, str]] = []  # noqa: RUF012 # never changed
    problems: list[tuple[str, int | None]] = []  # noqa: RUF012 # a part of each, and the call it concerns
    finish: ChatFinishReason = "tool_calls"
    ended: FinishReason = "stop"


V11, STRAY = "v11-image", ("Text stands where only calls belong", None)
NO_ARGUMENTS = ("no arguments; they are read as {}", 0)
CASES = [
    # [CALL_ID] may be left out in v11, and has no place in v13.
    Case(V11, f"[TOOL_CALLS]weather[ARGS]{ROME}", calls=[("weather", ROME)]),
    Case("v13", f"[TOOL_CALLS]now[CALL_ID]abcdefghi[ARGS]{ROME}", "", [("now", ROME)], [("control token 33", None)]),
    # Missing [ARGS], with and without arguments.
    Case(V11, f"[TOOL_CALLS]weather{ROME}", "", [("weather", ROME)], [("[ARGS] is missing before", 0)]),
    Case(V11, f"[TOOL_CALLS]now[CALL_ID]abcdefghi{ROME}", "", [("now", ROME)], [("[ARGS] is missing before", 0)]),
    Case("v13", f"[TOOL_CALLS] weather \n{ROME}", "", [("weather", ROME)], [("[ARGS] is missing before", 0)]),
    Case(V11, "[TOOL_CALLS]now", "", [("now", "{}")], [("[ARGS] is missing after", 0), NO_ARGUMENTS]),
    Case(V11, "[TOOL_CALLS]now[ARGS]", "", [("now", "{}")], [NO_ARGUMENTS]),
    Case(V11, f"[TOOL_CALLS]now[ARGS][TOOL_CALLS]now[ARGS]{ROME}", "", [("now", "{}"), ("now", ROME)], [NO_ARGUMENTS]),
    # The form of another version.
    Case(V11, f'[TOOL_CALLS][{{"name": "now", "arguments": {ROME}}}]', "", [("now", ROME)], [("template v7", None)]),
    Case("v7", f"[TOOL_CALLS]now{ROME}", "", [("now", ROME)], [("template v11", None), ("[ARGS] is missing", 0)]),
    Case(
        "v7",
        f'[TOOL_CALLS]{{"name": "now", "arguments": {ROME}}}',
        "",
        [("now", ROME)],
        [("not stand in a list", None)],
    ),
    # Objects whose keys are others, or in another order.
    Case("v7", f'[TOOL_CALLS][{{"name": "now", "parameters": {ROME}}}]', "", [("now", ROME)], [("'parameters'", 0)]),
    Case("v7", f'[TOOL_CALLS][{{"parameters": {ROME}, "name": "now"}}]', "", [("now", ROME)], [("'parameters'", 0)]),
    Case("v7", f'[TOOL_CALLS][{{"arguments": {ROME}, "name": "now"}}]', "", [("now", ROME)]),
    Case(
        "v7", f'[TOOL_CALLS][{{"type": 1, "name": "now", "arguments": {ROME}}}]', "", [("now", ROME)], [("'type'", 0)]
    ),
    Case(
        "v7",
        '[TOOL_CALLS][{"name": "now", "arguments": "{\\"city\\": \\"Rome\\"}"}]',
        calls=[("now", ROME)],
        problems=[("JSON within a text", 0)],
    ),
    Case("v7", '[TOOL_CALLS][{"name": "now"}]', "", [("now", "{}")], [NO_ARGUMENTS]),
    Case("v7", f'[TOOL_CALLS][{{"arguments": {ROME}}}]', "", [], [("without a name", None)], "stop"),
    Case(
        "v7", '[TOOL_CALLS][{"name": "now", "arguments": {},},]', "", [("now", "{}")], [("comma", 0), ("comma", None)]
    ),
    Case(
        "v7",
        '[TOOL_CALLS][{"name": "now", "arguments": {}}',
        "",
        [("now", "{}")],
        [("list of calls does not end", None)],
    ),
    # Text where there should be none.
    Case(V11, f"[TOOL_CALLS]now[ARGS]{ROME} Done.\n", "Done.\n", [("now", ROME)], [STRAY]),
    Case("v7", '[TOOL_CALLS][{"name": "now", "arguments": {}}] Done.', "Done.", [("now", "{}")], [STRAY]),
    Case(V11, "[TOOL_CALLS]I would call now.", "I would call now.", [], [STRAY], "stop"),
    Case("v7", "[TOOL_CALLS][1, 2]", "[1, 2]", [], [STRAY], "stop"),
    Case(V11, "Hi[TOOL_CALLS]", "Hi", [], [("before nothing", None)], "stop"),
    Case(V11, f"[TOOL_CALLS][ARGS]{ROME}", ROME, [], [("without a name", None), STRAY], "stop"),
    # Arguments that are no JSON object.
    Case(V11, "[TOOL_CALLS]now[ARGS]Rome, please", "", [("now", "Rome, please")], [("no JSON object", 0)]),
    Case(V11, '[TOOL_CALLS]now[ARGS]["Rome"]', "", [("now", '["Rome"]')], [("no JSON object", 0)]),
    Case(V11, "[TOOL_CALLS]now[ARGS]{city: Rome}", "", [("now", "{city: Rome}")], [("no JSON object", 0)]),
    Case("v7", '[TOOL_CALLS][{"name": "now", "arguments": [1]}]', "", [("now", "[1]")], [("no JSON object", 0)]),
    Case(V11, f"[TOOL_CALLS]now[ARGS]{DEEP}", calls=[("now", DEEP)], problems=[("nested", 0)]),
    # Calls that are not whole.
    Case(V11, '[TOOL_CALLS]now[ARGS]{"city": "Ro', "", [("now", '{"city": "Ro')], [("is not whole", 0)], "stop"),
    Case(V11, '[TOOL_CALLS]now[ARGS]{"city": "Ro', "", [("now", '{"city": "Ro')], [], "length", "length"),
    Case(V11, "[TOOL_CALLS]no", "", [], [], "length", "length"),
    Case(V11, f"[TOOL_CALLS]now[ARGS]{ROME}", "", [("now", ROME)], [], "tool_calls", "length"),
    Case(V11, f"[TOOL_CALLS]now[ARGS]{ROME}[TOOL_CALLS]n", "", [("now", ROME)], [], "length", "length"),
    Case(V11, f"[TOOL_CALLS]now[ARGS]{ROME}", "", [("now", ROME)], [], "cancelled", "cancelled"),
    Case("v7", '[TOOL_CALLS][{"name": "now", "arg', "", [("now", "")], [], "length", "length"),
    Case("v7", '[TOOL_CALLS][{"name": "now" "', '"', [("now", "")], [("not whole", 0), STRAY], "stop"),
    # Tools that are none, and control tokens that mean nothing.
    Case(V11, "[TOOL_CALLS]rain[ARGS]{}", "", [("rain", "{}")], [("'rain' is none of the tools", 0)]),
    Case(V11, "Hi[INST] there[INST][ARGS]", "Hi there", [], [("token 3", None), ("token 32", None)], "stop"),
    Case(V11, "[TOOL_CALLS]now[ARGS]{[ARGS]}", "", [("now", "{}")], [("token 32", None)]),
    # ChatML.
    Case("chatml", f'<tool_call>{{"name": "now", "arguments": {ROME}}}</tool_call>', "", [("now", ROME)]),
    Case(
        "chatml", '<tool_call>\n{"name": "now", "arguments": {}}', "", [("now", "{}")], [("</tool_call> is missing", 0)]
    ),
    Case("chatml", '<tool_call>\n{"name": "now", "arguments": {}}', "", [("now", "{}")], ended="length"),
    Case("chatml", '<tool_call>{"name": "now"} Bye', "Bye", [("now", "{}")], [NO_ARGUMENTS, ("is missing", 0), STRAY]),
    Case("chatml", "Write <tool_call> here", "Write <tool_call> here", [], [STRAY], "stop"),
    Case("chatml", "a < b <tool", "a < b <tool", [], [], "stop"),
    Case("chatml", "a < b <tool", "a < b <tool", [], [], "length", "length"),
    Case("chatml", f"{NOW_IN_CHATML}\n<tool", "", [("now", "{}")], [], "tool_calls", "length"),
    Case("chatml", f"{NOW_IN_CHATML}\n<tool", "<tool", [("now", "{}")], [STRAY]),
    Case("chatml", "Hi\n<tool_call>\n", "Hi\n<tool_call>\n", [], [STRAY], "stop"),
    Case("chatml", "<|im_start|>Hi", "Hi", [], [("control token 1", None)], "stop"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.template} {case.answer[:50]}")
def test_it_is_read_and_told_of(
    case: Case, chat_of: Callable[[str], ChatFormat], tokenizer_of: Callable[[str], Tokenizer]
) -> None:
    read = parsed(chat_of(case.template), REQUEST, written(tokenizer_of(case.template), case.answer), case.ended)
    assert read.content == case.content
    assert read.calls == case.calls
    assert [index for _, index in read.problems] == [index for _, index in case.problems], read.problems
    for (told, _), (part, _) in zip(read.problems, case.problems, strict=True):
        assert part in told
    assert read.finish == case.finish


def test_a_call_in_an_answer_that_fits_a_schema_is_text(
    chat_of: Callable[[str], ChatFormat], tokenizer_of: Callable[[str], Tokenizer]
) -> None:
    request = ChatRequest(REQUEST.messages, REQUEST.tools, answer_schema={"type": "string"})
    tokenizer, chat = tokenizer_of("chatml"), chat_of("chatml")
    answer = '"\n<tool_call>\n{}"'
    assert parsed(chat, request, tokenizer.encode(answer)).content == answer
    call = '<tool_call>\n{"name": "now", "arguments": {}}\n</tool_call>'
    assert parsed(chat, request, tokenizer.encode(call)).calls == [("now", "{}")]
