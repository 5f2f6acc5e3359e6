"""`AgentLoop`: call, run, return, repeat; each thing is in the transcript before the next one happens."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from dataclasses import dataclass, replace
from typing import Any

from mistralet.agents.events import (
    AgentEvent,
    AgentResult,
    CallArguments,
    CallStarted,
    ConsentAsked,
    Finished,
    ModelProblem,
    RunStarted,
    StepEnd,
    TextDelta,
    ToolResult,
    ToolStarted,
)
from mistralet.agents.limits import EndReason, Limits
from mistralet.agents.results import Result, error_result, result_of_error
from mistralet.agents.toolbox import Toolbox
from mistralet.agents.transcript import Run
from mistralet.chat import (
    ArgumentsDelta,
    ChatEvent,
    ChatModel,
    ChatRequest,
    ContentDelta,
    FormatProblem,
    Message,
    Reply,
    TextPart,
    ToolCall,
    ToolCallStart,
    ToolChoice,
)
from mistralet.engine import SamplingParams
from mistralet.errors import EngineError, ToolError

# Says whether a call may run; asked for one call at a time.
Consent = Callable[[ToolCall], Awaitable[bool]]

_CAN_GO_ON = (None, "steps", "tokens", "seconds")
_INTERRUPTED = error_result(
    "the run was interrupted after this call had begun; it is unknown whether it took effect, and it was not run again"
)


@dataclass
class AgentLoop:
    """One run, carried on to its end."""

    model: ChatModel
    toolbox: Toolbox
    limits: Limits
    params: SamplingParams
    parallel_tool_calls: bool
    consent: Consent | None
    run: Run
    emit: Callable[[AgentEvent], None]
    all_seen: Callable[[], Awaitable[None]]  # returns when whoever watches has taken every event

    def __post_init__(self) -> None:
        self._one_question = asyncio.Lock()
        self._last_text: str | None = None

    async def carry_on(self, choice: ToolChoice) -> None:
        """From where the run stands to its end. `choice` is that of its first turn."""
        self.emit(RunStarted(self.run.id, self.model.name))
        if self.run.end_reason in _CAN_GO_ON:
            self.run.end(await self._within_time(self._repeat(choice)))
        self.emit(Finished(self._result()))

    async def _within_time(self, work: Coroutine[Any, Any, EndReason]) -> EndReason:
        left = None if self.limits.seconds is None else self.limits.seconds - self.run.used.seconds
        timeout = asyncio.timeout(left)
        try:
            async with timeout:
                return await work
        except TimeoutError:
            if not timeout.expired():
                raise
            return "seconds"

    async def _repeat(self, choice: ToolChoice) -> EndReason:
        while (reached := self.limits.reached(self.run.used)) is None:
            await self._answer_calls()
            reply = await self._ask(choice if self.run.used.steps == 0 else "auto")
            end = self._keep(reply)
            if end is not None:
                return end
        return reached

    async def _ask(self, choice: ToolChoice) -> Reply:
        """The model's next turn."""
        request = ChatRequest(tuple(self.run.messages), self.toolbox.tools, choice, self.parallel_tool_calls)
        reply = Reply()
        async for event in self.model.stream(request, self._params_of_turn()):
            reply.add(event)
            self._tell(event, reply)
        return reply

    def _params_of_turn(self) -> SamplingParams:
        if self.limits.tokens is None:
            return self.params
        left = self.limits.tokens - self.run.used.output_tokens
        most = left if self.params.max_tokens is None else min(left, self.params.max_tokens)
        return replace(self.params, max_tokens=most, min_tokens=min(most, self.params.min_tokens))

    def _tell(self, event: ChatEvent, reply: Reply) -> None:
        match event:
            case ContentDelta(text):
                self.emit(TextDelta(text))
            case ToolCallStart(_, call_id, name):
                self.emit(CallStarted(call_id, name))
            case ArgumentsDelta(index, text):
                self.emit(CallArguments(reply.calls[index].id, text))
            case FormatProblem(problem):
                self.emit(ModelProblem(problem))

    def _keep(self, reply: Reply) -> EndReason | None:
        """Write a turn down; why the run ends with it, or None if it goes on."""
        finish = reply.finish
        if finish.reason == "error":
            raise EngineError(finish.error or f"{self.model.name}: its answer ended early; ask again.")
        stats, used = finish.stats, self.run.used
        used.steps += 1
        used.prompt_tokens += stats.prompt_tokens if stats else 0
        used.output_tokens += stats.output_tokens if stats else reply.pieces
        self._last_text = reply.text
        end: EndReason | None = None
        if finish.reason == "tool_calls":
            self._keep_calls(reply)
        elif finish.reason == "length" and self.limits.reached(used) == "tokens":
            end = "tokens"  # the turn is left out, so that it is written anew if the run is given more
        else:
            end = "answered" if finish.reason == "stop" else finish.reason
            if reply.text:
                self.run.add(Message("assistant", reply.text))  # without calls, of which the last may be cut
        self.emit(StepEnd(used.steps, stats.prompt_tokens if stats else 0, stats.output_tokens if stats else 0))
        return end

    def _keep_calls(self, reply: Reply) -> None:
        """Write a turn with calls down; those that cannot run have their result at once."""
        refused = {}
        for call in reply.calls:
            try:
                self.toolbox.arguments(call)
            except ToolError as error:
                refused[call.id] = result_of_error(error)
        calls = tuple(self.toolbox.expressible(call) if call.id in refused else call for call in reply.calls)
        self.run.add(Message("assistant", reply.text, calls), results=refused)
        for call in reply.calls:
            if call.id in refused:
                self.emit(ToolResult(call, refused[call.id].text, is_error=True))

    async def _answer_calls(self) -> None:
        """Run the calls of the last turn that have no result yet, side by side; the results in their order."""
        calls = self.run.open_calls
        if calls:
            await _side_by_side(self._answer(call) for call in calls if self.run.calls.get(call.id) is None)
            results = [(call, self.run.calls[call.id]) for call in calls]
            self.run.add(*(Message("tool", result.text, tool_call_id=call.id) for call, result in results if result))

    async def _answer(self, call: ToolCall) -> None:
        if call.id in self.run.calls:  # it began in an earlier life of this run
            self._end_call(call, _INTERRUPTED)
            return
        try:
            arguments = self.toolbox.arguments(call)
        except ToolError as error:  # after a resumption with other tools
            self.run.begin_call(call)
            self._end_call(call, result_of_error(error))
            return
        refusal = await self._refusal(call)
        self.run.begin_call(call)
        if refusal is not None:
            self._end_call(call, refusal)
            return
        self.emit(ToolStarted(call))
        started = time.monotonic()
        result = await self.toolbox.run(call, arguments, self.limits)
        self._end_call(call, result, time.monotonic() - started)

    async def _refusal(self, call: ToolCall) -> Result | None:
        """None if the call may run."""
        if not self.toolbox[call.name].needs_consent:
            return None
        if self.consent is None:
            return error_result("this call needs a person's consent, and there is nobody to ask; it was not run")
        async with self._one_question:
            self.emit(ConsentAsked(call))
            await self.all_seen()
            return None if await self.consent(call) else error_result("the user refused this call; it was not run")

    def _end_call(self, call: ToolCall, result: Result, seconds: float = 0.0) -> None:
        self.run.end_call(call, result)
        self.emit(ToolResult(call, result.text, result.is_error, seconds))

    def _result(self) -> AgentResult:
        run = self.run
        assert run.end_reason is not None
        text = self._last_text
        if text is None:  # this life of the run had no turn
            texts = [part.text for part in run.messages[-1].parts if isinstance(part, TextPart)]
            text = "".join(texts) if run.messages[-1].role == "assistant" else ""
        return AgentResult(run.id, text, run.end_reason, tuple(run.messages), run.used)


async def _side_by_side(work: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Wait for all; if one fails, or this is cancelled, the others are cancelled first."""
    tasks = [asyncio.create_task(coroutine) for coroutine in work]
    try:
        await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise
