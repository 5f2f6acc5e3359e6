"""`CallIds`: the ids of calls as the caller has them, and as the templates take them."""

from __future__ import annotations

import hashlib
import re
import secrets
import string
from collections.abc import Iterable, Sequence
from itertools import count

from mistralet.chat.messages import Message

_LENGTH = 9
_ALPHABET = string.ascii_letters + string.digits
_FITS = re.compile(rf"[a-zA-Z0-9]{{{_LENGTH}}}")  # SPEC 3.2


class CallIds:
    """The calls of one conversation: any text that a caller has for an id, and nine letters or digits for the model.

    An id that fits stays what it is. Another gets the digits of its hash, so that it is the same in every turn and the
    prompt of the next turn begins with that of this one.
    """

    def __init__(self, messages: Sequence[Message] = ()) -> None:
        self._to_model: dict[str, str] = {}
        self._to_caller: dict[str, str] = {}
        ids = list(_ids_of(messages))
        for call_id in sorted(ids, key=_fits, reverse=True):  # an id that fits must not find its place taken
            self.to_model(call_id)

    def to_model(self, call_id: str) -> str:
        """The nine characters for an id of the caller; an id that is new is taken into the conversation."""
        if call_id not in self._to_model:
            self._add(call_id, next(nine for nine in _candidates(call_id) if nine not in self._to_caller))
        return self._to_model[call_id]

    def to_caller(self, nine: str) -> str:
        """The caller's id for nine characters; themselves, if they stand for none."""
        return self._to_caller.get(nine, nine)

    def take(self, written: str) -> str:
        """An id for a new call: the one the model wrote, if it fits and no call has it, or a new one."""
        if not _fits(written) or written in self._to_caller:
            return self.new()
        self._add(written, written)
        return written

    def new(self) -> str:
        """An id for a new call, which fits the templates and which no call of the conversation has. Drawn at random."""
        while True:
            nine = "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))
            if nine not in self._to_caller:
                self._add(nine, nine)
                return nine

    def _add(self, call_id: str, nine: str) -> None:
        self._to_model[call_id] = nine
        self._to_caller[nine] = call_id


def _ids_of(messages: Sequence[Message]) -> Iterable[str]:
    for message in messages:
        yield from (call.id for call in message.tool_calls)
        if message.tool_call_id is not None:
            yield message.tool_call_id


def _fits(call_id: str) -> bool:
    return _FITS.fullmatch(call_id) is not None


def _candidates(call_id: str) -> Iterable[str]:
    """What may stand for an id, the best first."""
    if _fits(call_id):
        yield call_id
    for attempt in count():
        yield _digits(call_id, attempt)


def _digits(call_id: str, attempt: int) -> str:
    digest = hashlib.sha256(f"{attempt}:{call_id}".encode("utf-8", "surrogatepass")).digest()
    number = int.from_bytes(digest)
    characters = []
    for _ in range(_LENGTH):
        number, digit = divmod(number, len(_ALPHABET))
        characters.append(_ALPHABET[digit])
    return "".join(characters)
