"""Watches the tokens of one generation for repetition without end."""

from __future__ import annotations

import copy
from typing import Literal

from mistralet.engine.repetition.budgets import BUDGETS, TURNS
from mistralet.engine.repetition.finding import Finding, find_period
from mistralet.engine.repetition.novelty import NoveltyModel
from mistralet.engine.repetition.params import RepetitionParams
from mistralet.engine.repetition.pattern_rule import PatternRule
from mistralet.engine.repetition.units import LONGEST, Kind, TokenParts

Verdict = Literal["ok", "steer", "stop"]

TAIL = 4096  # tokens that are kept at least, and twice as many at most
STEERED_TOKENS = 48  # for which one alarm biases the sampler
# Tokens between two looks at an output. What is known of one has left the processor's caches when its next token comes,
# so eight at once take little longer than one; and an endless output is as endless seven tokens later.
EVERY = 8
ATTEMPTS = 2  # to steer, then the next alarm stops
PENALTY = 10.0  # taken off the logit of each token that would go on with the loop

# For each kind of novelty, what it adds to each sum.
_STEPS = tuple(zip(*(budget.weights for budget in BUDGETS), strict=True))
_SPACE = int(Kind.SPACE)
_LIMITS = tuple(budget.limit for budget in BUDGETS)


class RepetitionWatchdog:
    """Takes the tokens of one output in order; its state depends on them alone, so it can be rebuilt from them."""

    def __init__(self, params: RepetitionParams, parts: TokenParts) -> None:
        """
        Args:
            parts: of the model's tokens; one table for all requests.
        """
        self.params = params
        self.finding: Finding | None = None  # the last alarm
        self.attempts = 0  # how often steering began
        self._parts = parts
        self._watches = params.policy != "off"
        self._rule = PatternRule(params) if params.max_pattern_size else None
        self._model = NoveltyModel()
        self._kind = int(Kind.MARK)  # of the unit that may still grow
        self._unit = b""
        self._sums = [0.0] * len(BUDGETS)
        self._began = [0] * len(BUDGETS)  # the token since which each sum is above 0
        self._ids: list[int] = []  # the last tokens
        self._size = 0  # tokens so far
        self._read = 0  # of them, looked at
        self._steered_until = 0

    def push(self, token_id: int) -> Verdict:
        """Take the next token of the output.

        Returns:
            "ok"; "steer" if `bias` should be added to the logits of the next token; "stop" if the generation should end
            with the finish reason "repetition". After "stop" no more tokens are taken.
        """
        self._size += 1
        self._ids.append(token_id)
        if len(self._ids) == 2 * TAIL:
            del self._ids[:TAIL]
        if self._rule is not None and (size := self._rule.push(token_id)):
            began = self._size - size * self.params.min_count
            self.finding = Finding("pattern", began, self._size, size, 1.0)
            return "stop"
        is_steered = self._size < self._steered_until
        if self._watches and (is_steered or self._size - self._read == EVERY):
            alarm = self._catch_up()
            if alarm is not None:
                return self._raise_alarm(alarm)
        return "steer" if is_steered else "ok"

    def bias(self) -> dict[int, float]:
        """What to add to the logits of the next token: takes away from all that came after the last token before.

        Only tokens that begin a unit are named, so that no word is broken, and none without text, such as the end of an
        answer. Empty unless the last verdict was "steer".
        """
        if self._size >= self._steered_until:
            return {}
        last = self._ids[-1]
        before = zip(self._ids, self._ids[1:], strict=False)
        followers = {after for token, after in before if token == last}
        return {token: -PENALTY for token in followers if self._begins_unit(token)}

    def fork(self) -> RepetitionWatchdog:
        """A copy that goes its own way, for another branch of the same output or to come back to."""
        twin = copy.copy(self)
        twin._model = self._model.fork()
        twin._rule = self._rule and self._rule.fork()
        twin._sums, twin._began, twin._ids = self._sums.copy(), self._began.copy(), self._ids.copy()
        return twin

    def _catch_up(self) -> int | None:
        """Cut the tokens that were not read into units; the number of the first budget that they overdraw, if any."""
        alarm = None
        for token_id in self._ids[self._read - self._size :]:
            self._read += 1
            for kind, content, glued in self._parts[token_id]:
                if glued and kind == self._kind and len(self._unit) + len(content) <= LONGEST[kind]:
                    self._unit += content
                    continue
                if self._unit:
                    overdrawn = self._judge()
                    alarm = overdrawn if alarm is None else alarm
                # A single blank is part of what follows; a second one makes it white space.
                is_blank = kind == _SPACE and glued and self._kind != _SPACE
                self._kind, self._unit = kind, b"" if is_blank else content
        return alarm

    def _judge(self) -> int | None:
        """Book the unit that is complete; the number of the first budget that is overdrawn, if any is."""
        steps = _STEPS[self._model.push(self._kind, self._unit)]
        overdrawn = None
        sums = self._sums
        for number, step in enumerate(steps):
            total = sums[number] + step
            if total <= 0:
                total = 0.0
                self._began[number] = self._read
            elif overdrawn is None and total > _LIMITS[number] and total >= TURNS * self._model.distance:
                overdrawn = number
            sums[number] = total
        return overdrawn

    def _raise_alarm(self, number: int) -> Verdict:
        kind = BUDGETS[number].kind
        began = self._began[number]
        period, similarity = find_period(self._ids[began - self._size :])
        self.finding = Finding(kind, began, self._size, period, similarity)
        if self.params.policy == "stop" or self.attempts == ATTEMPTS:
            return "stop"
        self.attempts += 1
        self._steered_until = self._size + STEERED_TOKENS
        # What goes on after that is found in half the time.
        self._sums = [min(total, limit / 2) for total, limit in zip(self._sums, _LIMITS, strict=True)]
        return "steer"

    def _begins_unit(self, token_id: int) -> bool:
        parts = self._parts[token_id]
        return bool(parts) and not (parts[0][2] and parts[0][0] == self._kind and self._unit)
