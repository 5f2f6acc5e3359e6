"""`mistralet agent`: a task, carried out with tools."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mistralet.cli.agent_view import AgentView, JsonView
from mistralet.cli.common import (
    KVTypeOption,
    SeedOption,
    TemperatureOption,
    messages,
    open_model,
    read_stdin,
    remote_model,
    sampling_params,
    start_early,
)
from mistralet.cli.tools import McpOption, ToolOption, YesOption, chosen_tools, local_chat, terminal_consent
from mistralet.config import KVType
from mistralet.errors import PromptError, UsageError

if TYPE_CHECKING:
    from mistralet.agents import AgentEvent, AgentResult
    from mistralet.chat import ChatModel


def agent(
    task: Annotated[str | None, typer.Argument(help="What to do; read from standard input if absent.")] = None,
    tool: ToolOption = None,
    mcp: McpOption = None,
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="A folder, file, alias or repository id; a name, with --url.")
    ] = None,
    url: Annotated[str | None, typer.Option(help="An OpenAI-compatible server to ask instead.")] = None,
    system: Annotated[str | None, typer.Option(help="Standing instructions for the model.")] = None,
    max_steps: Annotated[int, typer.Option(help="Most turns of the model.")] = 20,
    max_tokens: Annotated[int, typer.Option(help="Longest turn, in tokens.")] = 2048,
    temperature: TemperatureOption = None,
    seed: SeedOption = None,
    kv_type: KVTypeOption = None,
    transcript: Annotated[Path | None, typer.Option(help="A file where the run is written down.")] = None,
    resume: Annotated[str | None, typer.Option(metavar="RUN", help="Go on with a run of the transcript.")] = None,
    yes: YesOption = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what happens as lines of JSON.")] = False,
) -> None:
    """Carry out a task with tools; calls and results are shown as they happen."""
    if resume is not None and (task is not None or transcript is None):
        raise UsageError("--resume goes on with a run of --transcript FILE; leave the task out.")
    if resume is None and task is None:
        task = _read_task()
    if url is None:
        start_early(model)
    params = sampling_params(temperature, seed, max_tokens)
    import asyncio

    from mistralet.agents import Agent, Limits, Transcript

    tools = chosen_tools(tool, mcp)
    limits = Limits(steps=max_steps)
    with Transcript(transcript) as kept:
        agent = Agent(
            _model(model, url, kv_type),
            tools,
            system=system,
            limits=limits,
            params=params,
            consent=terminal_consent(yes),
            transcript=kept,
        )
        stream = agent.stream(task) if task is not None else agent.stream_resumed(resume or "")
        result = asyncio.run(_show(stream, JsonView() if as_json else AgentView(messages), transcript))
    if result.reason != "answered":
        raise typer.Exit(1)


async def _show(
    stream: AsyncGenerator[AgentEvent, None], view: AgentView | JsonView, transcript: Path | None
) -> AgentResult:
    """Show what happens until the end; how the run can be gone on with is told where it ends early."""
    from mistralet.agents import Finished, RunStarted

    run_id, result = "", None
    try:
        async for event in stream:
            view.show(event)
            if isinstance(event, RunStarted):
                run_id = event.run_id
                if transcript is not None:
                    messages.print(f"Run {run_id}", style="dim")
            elif isinstance(event, Finished):
                result = event.result
                view.end(result)
    finally:
        if result is None:
            view.interrupt()
        can_go_on = result is None or result.reason in ("steps", "tokens", "seconds")
        if transcript is not None and run_id and can_go_on:
            hint = f"It goes on with --transcript {transcript} --resume {run_id}"
            messages.print(hint, style="dim", soft_wrap=True, markup=False)
    assert result is not None
    return result


def _model(name: str | None, url: str | None, kv_type: KVType | None) -> ChatModel:
    if url is None:
        return local_chat(open_model(name, kv_type))
    return remote_model(url, name, kv_type)


def _read_task() -> str:
    text = read_stdin("There is no task; give one, or pipe one in.").strip()
    if not text:
        raise PromptError("The task is empty; say what to do.")
    return text
