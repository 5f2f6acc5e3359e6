"""Watches the tokens of one generation for repetition without end."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Literal

from mistralet.engine.repetition.budgets import BUDGETS, LoopKind
from mistralet.engine.repetition.novelty import NoveltyModel
from mistralet.engine.repetition.params import RepetitionParams
from mistralet.engine.repetition.units import LONGEST_NUMBER, LONGEST_WORD, Kind, TokenParts

Verdict = Literal["ok", "steer", "stop"]


@dataclass(frozen=True)
class Finding:
    """Why a text is held to be a loop."""

    kind: str
    began: int
    period: int
    position: int


class RepetitionWatchdog:
    def __init__(self, params: RepetitionParams, parts: TokenParts) -> None:
        self.params = params
        self.finding: Finding | None = None
        self._parts = parts
        self._model = NoveltyModel()
        self._kind = Kind.MARK
        self._unit = b""
        self._spent = [0.0] * len(BUDGETS)
        self._began = [0] * len(BUDGETS)
        self._tokens = 0

    def push(self, token_id: int) -> Verdict:
        self._tokens += 1
        verdict: Verdict = "ok"
        for kind, content, glued in self._parts[token_id]:
            if glued and kind == self._kind and self._unit and kind != Kind.SPACE:
                longest = LONGEST_WORD if kind == Kind.WORD else LONGEST_NUMBER
                if len(self._unit) + len(content) <= longest:
                    self._unit += content
                    continue
            if kind == Kind.SPACE and glued and self._kind != Kind.SPACE:
                # a lone blank
                if self._unit:
                    verdict = self._close() or verdict
                self._kind, self._unit = kind, b""
                continue
            if self._unit:
                verdict = self._close() or verdict
            self._kind, self._unit = kind, content
        return verdict

    def _close(self) -> Verdict | None:
        novelty = self._model.push(self._kind, self._unit)
        found = None
        for i, budget in enumerate(BUDGETS):
            s = self._spent[i] + budget.weights[novelty]
            if s <= 0:
                s = 0.0
                self._began[i] = self._tokens
            elif s > budget.limit and s >= budget.turns * self._model.distance and found is None:
                found = i
            self._spent[i] = s
        if found is not None and self.finding is None:
            self.finding = Finding(BUDGETS[found].kind, self._began[found], int(self._model.distance), self._tokens)
            return "stop"
        return None
