"""A conversation in which the model may call tools; they stay open from the first question to the last."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncGenerator, Coroutine, Sequence
from typing import TYPE_CHECKING, Any

from mistralet.cli.agent_view import AgentView
from mistralet.cli.chat_commands import obey
from mistralet.cli.common import messages
from mistralet.cli.conversation import Conversation
from mistralet.cli.line_reader import LineReader
from mistralet.errors import MistraletError

if TYPE_CHECKING:
    from mistralet.agents import AgentEvent, AgentTool, AnyTool, Consent
    from mistralet.chat import ChatModel, Message

_STOPPED = "Error: the user stopped the run while this call was open; it is unknown whether it took effect"


async def talk_with_tools(
    conversation: Conversation, model: ChatModel, tools: Sequence[AnyTool], consent: Consent | None, lines: LineReader
) -> None:
    """Answer lines until they end."""
    from mistralet.agents import open_tools

    async with open_tools(tools) as opened:
        while (line := await lines.read_async()) is not None:
            try:
                if line.startswith("/"):
                    if not obey(line, conversation):
                        return
                elif line.strip():
                    await _answer(line, conversation, model, opened, consent)
            except MistraletError as error:
                messages.print(str(error), style="red", soft_wrap=True, markup=False)


async def _answer(
    line: str, conversation: Conversation, model: ChatModel, tools: Sequence[AgentTool], consent: Consent | None
) -> None:
    """Show the model's work as it happens; Ctrl-C ends it and keeps what has come."""
    from mistralet.agents import Agent, Transcript

    with Transcript() as transcript:
        params, system = conversation.params, conversation.system
        agent = Agent(model, tools, system=system, params=params, consent=consent, transcript=transcript)
        work = _Work(agent.stream([*conversation.turns, conversation.question(line)]))
        if await _until_ctrl_c(work.show()):
            conversation.keep_run(work.result)
        elif work.run_id:
            messages.print("(stopped)", style="dim")
            conversation.keep_run(_closed(transcript.load(work.run_id).messages, work.text))


class _Work:
    """A run on its way, and what is known of it."""

    def __init__(self, stream: AsyncGenerator[AgentEvent, None]) -> None:
        self._stream = stream
        self.run_id = ""
        self.text = ""  # of the turn that is being written
        self.result: Sequence[Message] = ()

    async def show(self) -> None:
        from mistralet import agents

        view = AgentView(messages)
        try:
            async for event in self._stream:
                view.show(event)
                match event:
                    case agents.RunStarted(run_id):
                        self.run_id = run_id
                    case agents.TextDelta(text):
                        self.text += text
                    case agents.StepEnd():
                        self.text = ""
                    case agents.Finished(result):
                        self.result = result.messages
                        view.end(result)
        finally:
            view.interrupt()


async def _until_ctrl_c(work: Coroutine[Any, Any, None]) -> bool:
    """Whether some work came to its end."""
    task = asyncio.create_task(work)
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        if not task.cancelled():
            raise
        return False
    finally:
        loop.remove_signal_handler(signal.SIGINT)
    return True


def _closed(conversation: Sequence[Message], text: str) -> list[Message]:
    """A conversation that was broken off, as it can go on: each call has a result, and what was said is kept."""
    from mistralet.chat import Message

    results = [Message("tool", _STOPPED, tool_call_id=call.id) for call in conversation[-1].tool_calls]
    return [*conversation, *results, *([Message("assistant", text)] if text else [])]
