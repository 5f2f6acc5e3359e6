"""`Transcript`: runs of agents in a SQLite file, each thing written down before the next one happens.

So a run that was killed can go on: a call that has a result is not run again, and neither is one that had begun.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass, field
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Self
from uuid import uuid4

from mistralet.agents.limits import EndReason, Used
from mistralet.agents.results import Result
from mistralet.chat import Message, ToolCall
from mistralet.chat.openai_json import messages_from_json, messages_to_json
from mistralet.errors import TranscriptError

_APPLICATION = 0x4D_49_53_41  # "MISA", in the file's header
_VERSION = 1
_LONGEST_WAIT = 5.0  # seconds for another program that writes

_TABLES = """
CREATE TABLE runs (
    id TEXT PRIMARY KEY,
    began_at REAL NOT NULL,          -- seconds since 1970
    model TEXT NOT NULL,
    steps INTEGER NOT NULL,
    prompt_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    seconds REAL NOT NULL,
    end_reason TEXT                  -- NULL: it has not ended
) STRICT;
CREATE TABLE messages (
    run_id TEXT NOT NULL REFERENCES runs,
    position INTEGER NOT NULL,
    message TEXT NOT NULL,           -- as in an OpenAI request
    PRIMARY KEY (run_id, position)
) STRICT;
CREATE TABLE calls (
    run_id TEXT NOT NULL REFERENCES runs,
    position INTEGER NOT NULL,       -- of the message it is in
    call_id TEXT NOT NULL,
    began_at REAL NOT NULL,
    result TEXT,                     -- NULL: it has not ended
    is_error INTEGER,
    PRIMARY KEY (run_id, position, call_id)
) STRICT;
"""


class Transcript:
    """A file of runs.

    Args:
        path: None: in memory.

    Raises:
        TranscriptError: the file is locked, damaged, another program's or a newer version's.
    """

    def __init__(self, path: Path | str | None = None) -> None:
        self.path = path
        self._one_change = threading.Lock()
        with self.problems():
            self.database = sqlite3.connect(
                ":memory:" if path is None else path,
                timeout=_LONGEST_WAIT,
                isolation_level=None,
                check_same_thread=False,
            )
            try:
                self._prepare()
            except BaseException:
                self.database.close()
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self.database.close()

    def begin(self, model: str, messages: Sequence[Message]) -> Run:
        """A new run, which starts from a conversation."""
        run = Run(self, uuid4().hex[:12], model)
        with self.changes():
            row = (run.id, time.time(), model, *astuple(run.used))
            self.database.execute("INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, NULL)", row)
        run.add(*messages)
        return run

    def load(self, run_id: str) -> Run:
        """A run as it was left.

        Raises:
            TranscriptError: there is none with that id.
        """
        with self.problems():
            select = "SELECT model, end_reason, steps, prompt_tokens, output_tokens, seconds FROM runs WHERE id = ?"
            row = self.database.execute(select, (run_id,)).fetchone()
            if row is None:
                raise TranscriptError(f"{self._name}: holds no run '{run_id}'; {self._latest()}.")
            select = "SELECT message FROM messages WHERE run_id = ? ORDER BY position"
            texts = [text for (text,) in self.database.execute(select, (run_id,))]
            messages = messages_from_json([json.loads(text) for text in texts])
            select = "SELECT call_id, result, is_error FROM calls WHERE run_id = ? AND position = ?"
            calls = {
                call_id: None if text is None else Result(text, bool(is_error))
                for call_id, text, is_error in self.database.execute(select, (run_id, len(messages) - 1))
            }
        model, end_reason, *used = row
        return Run(self, run_id, model, list(messages), Used(*used), calls, end_reason)

    @contextmanager
    def changes(self) -> Iterator[None]:
        """A block whose writes are all on the disk when it ends, or none."""
        with self.problems(), self._one_change:
            self.database.execute("BEGIN IMMEDIATE")
            try:
                yield
                self.database.execute("COMMIT")
            except BaseException:
                self.database.execute("ROLLBACK")
                raise

    @contextmanager
    def problems(self) -> Iterator[None]:
        """What SQLite complains of, as a sentence."""
        try:
            yield
        except sqlite3.IntegrityError as error:
            raise TranscriptError(f"{self._name}: another program carries this run on; let only one do so.") from error
        except sqlite3.Error as error:
            raise TranscriptError(f"{self._name}: {_problem(error)}.") from error

    @property
    def _name(self) -> str:
        return "The transcript in memory" if self.path is None else str(self.path)

    def _prepare(self) -> None:
        """Check that the file is ours, or make it so if it is new."""
        application = self._pragma("application_id")
        is_new = not self.database.execute("SELECT 1 FROM sqlite_schema").fetchone() and application == 0
        if not is_new and application != _APPLICATION:
            raise TranscriptError(f"{self._name}: is another program's database; choose another file.")
        version = self._pragma("user_version")
        if version > _VERSION:
            raise TranscriptError(f"{self._name}: was written by a newer mistralet; update this one.")
        self.database.execute("PRAGMA journal_mode = WAL")
        self.database.execute("PRAGMA synchronous = FULL")  # a power cut, too, loses nothing that was written
        if is_new:
            with self.changes():
                for statement in _TABLES.split(";\n"):
                    self.database.execute(statement)
                self.database.execute(f"PRAGMA application_id = {_APPLICATION}")
                self.database.execute(f"PRAGMA user_version = {_VERSION}")

    def _pragma(self, name: str) -> int:
        return int(self.database.execute(f"PRAGMA {name}").fetchone()[0])

    def _latest(self) -> str:
        ids = [run_id for (run_id,) in self.database.execute("SELECT id FROM runs ORDER BY began_at DESC LIMIT 3")]
        return f"the latest are {', '.join(ids)}" if ids else "it holds none yet"


@dataclass
class Run:
    """The state of a run, in memory as in the transcript."""

    transcript: Transcript
    id: str
    model: str
    messages: list[Message] = field(default_factory=list)
    used: Used = field(default_factory=Used)
    # Of the open calls those that have begun, by id; None: without a result yet.
    calls: dict[str, Result | None] = field(default_factory=dict)
    end_reason: EndReason | None = None

    def __post_init__(self) -> None:
        self._began = time.monotonic() - self.used.seconds

    @property
    def open_calls(self) -> tuple[ToolCall, ...]:
        """The calls of the last message, if it is one of the assistant: their results have to come next."""
        return self.messages[-1].tool_calls if self.messages else ()

    def add(self, *messages: Message, results: Mapping[str, Result] = MappingProxyType({})) -> None:
        """Messages that come next, and what has been used until now.

        Args:
            results: of calls in the last of them that need not run, by their ids.
        """
        start = len(self.messages)
        last = start + len(messages) - 1
        rows = [
            (self.id, start + number, json.dumps(facts, ensure_ascii=False))
            for number, facts in enumerate(messages_to_json(messages))
        ]
        with self.transcript.changes():
            self.transcript.database.executemany("INSERT INTO messages VALUES (?, ?, ?)", rows)
            settled = [(self.id, last, call_id, time.time(), r.text, r.is_error) for call_id, r in results.items()]
            self.transcript.database.executemany("INSERT INTO calls VALUES (?, ?, ?, ?, ?, ?)", settled)
            self._write_state(None)
        self.messages += messages
        self.calls = dict(results)

    def begin_call(self, call: ToolCall) -> None:
        """A call is about to run."""
        with self.transcript.changes():
            row = (self.id, len(self.messages) - 1, call.id, time.time())
            self.transcript.database.execute("INSERT INTO calls VALUES (?, ?, ?, ?, NULL, NULL)", row)
        self.calls[call.id] = None

    def end_call(self, call: ToolCall, result: Result) -> None:
        """A call that had begun has a result."""
        with self.transcript.changes():
            update = "UPDATE calls SET result = ?, is_error = ? WHERE run_id = ? AND position = ? AND call_id = ?"
            row = (result.text, result.is_error, self.id, len(self.messages) - 1, call.id)
            self.transcript.database.execute(update, row)
        self.calls[call.id] = result

    def end(self, reason: EndReason) -> None:
        """The run is over, for now."""
        with self.transcript.changes():
            self._write_state(reason)
        self.end_reason = reason

    def _write_state(self, reason: EndReason | None) -> None:
        self.used.seconds = time.monotonic() - self._began
        update = (
            "UPDATE runs SET steps = ?, prompt_tokens = ?, output_tokens = ?, seconds = ?, end_reason = ? WHERE id = ?"
        )
        self.transcript.database.execute(update, (*astuple(self.used), reason, self.id))


def _problem(error: sqlite3.Error) -> str:
    code = getattr(error, "sqlite_errorcode", None)
    if code is not None and code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return "another program holds it locked; try again when that has ended"
    if code is not None and code & 0xFF in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
        return "is damaged or no transcript; choose another file"
    return f"cannot be used as a transcript ({error})"
