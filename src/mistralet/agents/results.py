"""What a tool gives, as text for the model: short, always text, and an error where it was one."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pydantic_core import PydanticSerializationError, to_json

from mistralet.errors import MistraletError

_LONGEST_ERROR = 1000  # characters
_MEMORY_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


@dataclass(frozen=True)
class Result:
    """What the model is told of a call."""

    text: str
    is_error: bool = False


def result_of(value: object, longest: int) -> Result:
    """What a tool gave, as text of about `longest` characters at most."""
    if value is None:
        return Result("The tool ended and gave no value.")
    if isinstance(value, bytes | bytearray | memoryview):
        return error_result(f"the tool gave {len(bytes(value)):,} bytes of binary data, which cannot be shown as text")
    if not isinstance(value, str):
        try:
            value = to_json(value).decode()
        except (PydanticSerializationError, ValueError, RecursionError):
            return error_result(f"the tool gave a value of type {type(value).__name__}, which is no JSON value")
    return Result(_cut(_encodable(value), longest))


def result_of_error(error: BaseException) -> Result:
    """What a tool raised: its type and message, nothing of the program's insides."""
    message = _MEMORY_ADDRESS.sub("", _message(error)).strip()
    if isinstance(error, MistraletError):
        return error_result(message)
    kind = type(error).__name__
    return error_result(f"{kind}: {message}" if message else kind)


def error_result(sentence: str) -> Result:
    """An error as the model reads it."""
    return Result(f"Error: {_cut(_encodable(sentence), _LONGEST_ERROR)}", is_error=True)


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # an error whose text cannot be made is an error all the same
        return ""


def _cut(text: str, longest: int) -> str:
    if len(text) <= longest:
        return text
    return f"{text[:longest]}\n[Cut here: the whole has {len(text):,} characters, these are the first {longest:,}.]"


def _encodable(text: str) -> str:
    """The text without halves of surrogate pairs, which no tokenizer and no file takes."""
    return text.encode("utf-8", errors="replace").decode("utf-8")
