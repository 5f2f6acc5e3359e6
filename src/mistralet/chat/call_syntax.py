"""How each template writes calls (SPEC 3.2), as grammars."""

from __future__ import annotations

from mistralet.chat.call_grammar import CallSyntax
from mistralet.chat.chatml_calls import CALL_BEGIN, CALL_END, CALL_SEPARATOR
from mistralet.chat.json_values import dump
from mistralet.tokenizer import TekkenTokenizer

_CALL_ID = "CALL_ID: /[a-zA-Z0-9]{9}/"
_ANY_TEXT = "/(?s:.+)/"


def list_syntax(tokenizer: TekkenTokenizer) -> CallSyntax:
    """v7: one mark, and after it a list of objects."""
    opener = _control(tokenizer, "[TOOL_CALLS]")
    call_id = f"({dump(', ' + dump('id') + ': ' + chr(34))} CALL_ID {dump(chr(34))})?"
    return CallSyntax(
        text=_ANY_TEXT,
        opener=opener,
        text_and_opener=f"TEXT? {opener}",
        one='"[" call "]"',
        several='"[" call (", " call)* "]"',
        written=lambda name, arguments: f'{dump(_object_start(name))} {arguments} {call_id} "}}"',
        rules=_CALL_ID,
    )


def named_syntax(tokenizer: TekkenTokenizer) -> CallSyntax:
    """v11 and v13: a mark, the name, another mark and the arguments, for each call; v11 may write an id between."""
    opener, arguments_mark = _control(tokenizer, "[TOOL_CALLS]"), _control(tokenizer, "[ARGS]")
    has_id = tokenizer.version == "v11"
    call_id = f"({_control(tokenizer, '[CALL_ID]')} CALL_ID)? " if has_id else ""
    return CallSyntax(
        text=_ANY_TEXT,
        opener=opener,
        text_and_opener=f"TEXT? {opener}",
        one="call",
        several=f"call ({opener} call)*",
        written=lambda name, arguments: f"{dump(name)} {call_id}{arguments_mark} {arguments}",
        rules=_CALL_ID if has_id else "",
    )


def chatml_syntax() -> CallSyntax:
    """ChatML: an object between tags, which are text."""
    tag, line_break = CALL_BEGIN[:-1], CALL_BEGIN[-1]
    return CallSyntax(
        text=f"{_ANY_TEXT} & ~/(?s:.*){tag}(?s:.*)/",
        opener=dump(tag),
        text_and_opener="opened",
        one="call",
        several=f"call ({dump(CALL_SEPARATOR + tag)} call)*",
        written=lambda name, arguments: f"{dump(line_break + _object_start(name))} {arguments} {dump('}' + CALL_END)}",
        # Lazy: it ends with the first tag, so that no text has one that begins no call.
        rules=f"opened[lazy]: /(?s:.*){tag}/",
    )


def _object_start(name: str) -> str:
    return f'{{"name": {dump(name)}, "arguments": '


def _control(tokenizer: TekkenTokenizer, name: str) -> str:
    return f"<[{tokenizer.control_id(name)}]>"
