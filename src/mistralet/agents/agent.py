"""`Agent`: a model that calls tools until it has an answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import nullcontext

from mistralet.agents.events import AgentEvent, AgentResult, Finished
from mistralet.agents.limits import Limits
from mistralet.agents.loop import AgentLoop, Consent
from mistralet.agents.toolbox import AnyTool, Toolbox, open_tools
from mistralet.agents.transcript import Run, Transcript
from mistralet.chat import ChatModel, Message, ToolChoice, chat_format
from mistralet.chat.local import LocalChat
from mistralet.chat.remote import RemoteChat
from mistralet.engine import Engine, SamplingParams
from mistralet.errors import UsageError


class Agent:
    """A model and its tools.

    Args:
        model: what answers: a `ChatModel`, an engine in this process, or the base URL of an OpenAI-compatible server.
        tools: `AgentTool`s, typed Python functions, and sources of tools, which are open while a run lasts.
        system: standing instructions.
        params: how each turn is drawn.
        consent: asked before a call of a tool that needs consent; None: such calls are refused.
        transcript: where runs are written down, so that they can be resumed; None: nowhere.
        parallel_tool_calls: the model may ask for several calls in one turn; they run side by side.
    """

    def __init__(
        self,
        model: ChatModel | Engine | str,
        tools: Sequence[AnyTool] = (),
        *,
        system: str | None = None,
        limits: Limits | None = None,
        params: SamplingParams | None = None,
        consent: Consent | None = None,
        transcript: Transcript | None = None,
        parallel_tool_calls: bool = True,
    ) -> None:
        self.model = _chat_model(model)
        self.tools = tuple(tools)
        self.system = system
        self.limits = limits or Limits()
        self.params = params or SamplingParams()
        self.consent = consent
        self.transcript = transcript
        self.parallel_tool_calls = parallel_tool_calls

    def run(self, task: str | Sequence[Message], tool_choice: ToolChoice = "auto") -> AgentResult:
        """Carry out a task; see `stream`. To be called where no event loop runs."""
        return _finish(lambda: self.stream(task, tool_choice))

    def resume(self, run_id: str) -> AgentResult:
        """Go on with a run; see `stream_resumed`. To be called where no event loop runs."""
        return _finish(lambda: self.stream_resumed(run_id))

    def stream(
        self, task: str | Sequence[Message], tool_choice: ToolChoice = "auto"
    ) -> AsyncGenerator[AgentEvent, None]:
        """Carry out a task; what happens, as it happens, `Finished` last. Leaving early cancels it.

        Args:
            task: what the user wants, or a conversation to go on from.
            tool_choice: of the first turn; the model is free in those that follow.

        Raises:
            ToolError: a tool cannot be opened, or is described wrongly.
            PromptError, ImageError, ConstraintError, EngineError: see `ChatModel.stream`.
            TranscriptError: the transcript cannot be written.
        """
        messages = [Message("user", task)] if isinstance(task, str) else list(task)
        system = [Message("system", self.system)] if self.system else []
        return self._stream(lambda transcript: transcript.begin(self.model.name, [*system, *messages]), tool_choice)

    def stream_resumed(self, run_id: str) -> AsyncGenerator[AgentEvent, None]:
        """Go on with a run that was killed or reached a limit, with this agent's tools and limits.

        A call that has a result is not run again. Neither is one that had begun: the model is told that it was
        interrupted. A run that has its answer gives it again.

        Raises:
            TranscriptError: the transcript does not hold the run; else as `stream`.
            UsageError: the agent has no transcript.
        """
        if self.transcript is None:
            raise UsageError("The agent has no transcript to resume a run from; give it the one of that run.")
        return self._stream(lambda transcript: transcript.load(run_id), "auto")

    async def _stream(
        self, open_run: Callable[[Transcript], Run], choice: ToolChoice
    ) -> AsyncGenerator[AgentEvent, None]:
        """The loop runs in a task of its own: what it opens must not depend on how its events are taken."""
        events: asyncio.Queue[AgentEvent | None] = asyncio.Queue()

        async def work() -> None:
            # Without a transcript, the run is written down in memory until it ends.
            kept = nullcontext(self.transcript) if self.transcript else Transcript()
            with kept as transcript:
                async with open_tools(self.tools) as opened:
                    loop = AgentLoop(
                        model=self.model,
                        toolbox=Toolbox(opened),
                        limits=self.limits,
                        params=self.params,
                        parallel_tool_calls=self.parallel_tool_calls,
                        consent=self.consent,
                        run=open_run(transcript),
                        emit=events.put_nowait,
                        all_seen=events.join,
                    )
                    await loop.carry_on(choice)

        task = asyncio.create_task(work())
        task.add_done_callback(lambda _: events.put_nowait(None))
        try:
            while (event := await events.get()) is not None:
                yield event
                events.task_done()
            await task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def _chat_model(model: ChatModel | Engine | str) -> ChatModel:
    if isinstance(model, str):
        return RemoteChat(model)
    if isinstance(model, Engine):
        return LocalChat(model, chat_format(model.tokenizer, model.model.config.vision), "the model of this program")
    return model


def _finish(stream: Callable[[], AsyncGenerator[AgentEvent, None]]) -> AgentResult:
    async def last() -> AgentResult:
        events = [event async for event in stream()]
        finished = events[-1]
        assert isinstance(finished, Finished)
        return finished.result

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(last())
    raise UsageError("An agent cannot be run inside a running event loop; iterate over its stream there.")
