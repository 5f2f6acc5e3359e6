"""How each template writes calls: the grammars that `answer_constraint` is built from.

JSON may have a space after `,` and `:`, as in what the models were trained on, or none. After the last call nothing may
come but the end.
"""

from __future__ import annotations

from collections.abc import Sequence

from mistralet.chat.call_grammar import CallSyntax
from mistralet.chat.call_tokens import CallTokens
from mistralet.chat.chatml_calls import CALL_BEGIN, CALL_END, CALL_SEPARATOR

# Control tokens are no text, so that text ends where one comes.
_TEKKEN_TEXT = """\
text: TEXT?
text_then_calls: TEXT? calls
TEXT: /(?s:.+)/"""


def tekken_syntax(tokens: CallTokens) -> CallSyntax:
    """That of v7 if the vocabulary has no [ARGS], else that of v11 or v13."""
    return _list_syntax(tokens.calls) if tokens.arguments is None else _named_syntax(tokens, tokens.arguments)


def _list_syntax(calls_token: int) -> CallSyntax:
    """One list of objects after [TOOL_CALLS]."""

    def calls(tools: Sequence[tuple[int, str]], several: bool) -> str:
        more = "(/, ?/ call)*" if several else ""
        return f"""\
calls: <[{calls_token}]> "[" call {more} "]"
{_objects(tools, "CALL_ID?")}
CALL_ID: /, ?"id": ?"[a-zA-Z0-9]{{9}}"/"""

    return CallSyntax(_TEKKEN_TEXT, calls)


def _named_syntax(tokens: CallTokens, arguments_token: int) -> CallSyntax:
    """[TOOL_CALLS], the name, in v11 perhaps [CALL_ID] and an id, and [ARGS] before the arguments of each call."""
    written_id = f"(<[{tokens.call_id}]> /[a-zA-Z0-9]{{9}}/)?" if tokens.writes_ids else ""

    def calls(tools: Sequence[tuple[int, str]], several: bool) -> str:
        named = " | ".join(f'"{name}" begin arguments_{number}' for number, name in tools)
        return f"""\
calls: {"call+" if several else "call"}
call: <[{tokens.calls}]> ({named})
begin: {written_id} <[{arguments_token}]>"""

    return CallSyntax(_TEKKEN_TEXT, calls)


def chatml_syntax() -> CallSyntax:
    """An object between tags, which are text: so text is what does not hold the tag that begins a call."""
    begin, end, between = (repr(text)[1:-1] for text in (CALL_BEGIN, CALL_END, CALL_SEPARATOR))
    tag = begin.removesuffix(r"\n")
    text = f"""\
text: TEXT?
text_then_calls: up_to_call call_and_more
TEXT: /(?s:.+)/ & ~/(?s:.*){tag}(?s:.*)/
up_to_call[lazy]: /(?s:.*){begin}/"""

    def calls(tools: Sequence[tuple[int, str]], several: bool) -> str:
        more = f'("{between}{begin}" call "{end}")*' if several else ""
        return f"""\
calls: /({between})?{begin}/ call_and_more
call_and_more: call "{end}" {more}
{_objects(tools, "")}"""

    return CallSyntax(text, calls)


def _objects(tools: Sequence[tuple[int, str]], after_arguments: str) -> str:
    """The rule `call` for templates that write a call as an object."""
    objects = [
        rf'/\{{ ?"name": ?"{name}", ?"arguments": ?/ arguments_{number} {after_arguments} "}}"'
        for number, name in tools
    ]
    return f"call: {' | '.join(objects)}"
