"""What several verbs share: their options, opening a model with a progress bar, streaming an answer."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from mistralet.checkpoint.packed_copy import map_ahead
from mistralet.config import KVType
from mistralet.errors import PromptError, UsageError
from mistralet.hub import ResolvedModel, find_local, resolve
from mistralet.imports import uncollected

if TYPE_CHECKING:
    from mistralet.chat import ChatFormat, ChatModel
    from mistralet.engine import Engine, LoadedModel, RequestStats, SamplingParams, StepOutput
    from mistralet.model import Prompt

ModelArgument = Annotated[
    str | None,
    typer.Argument(metavar="MODEL", help="A folder, .gguf file, alias or repository id.", show_default="tiny"),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the facts as JSON.")]
TemperatureOption = Annotated[float | None, typer.Option(help="0 takes the likeliest token.", show_default="0.15")]
SeedOption = Annotated[int | None, typer.Option(help="Makes a run repeatable.")]
KVTypeOption = Annotated[
    KVType | None,
    typer.Option("--kv-type", help="How keys and values of past tokens are stored.", show_default="16 bits"),
]
MaxTokensOption = Annotated[int, typer.Option(help="Longest answer, in tokens.")]

messages = Console(stderr=True, highlight=False)


@dataclass(frozen=True)
class OpenModel:
    """A model ready to answer."""

    name: str
    loaded: LoadedModel
    engine: Engine
    load_seconds: float

    @cached_property
    def chat(self) -> ChatFormat:
        """Its template. Raises `TokenizerError` if none is known."""
        from mistralet.chat import chat_format

        return chat_format(self.loaded.tokenizer, self.loaded.checkpoint.config.vision)


def start_early(name: str | None) -> None:
    """Let the system bring a model near that lies on this machine; to be called before anything imports torch."""
    found = find_local(name)
    if found is not None:
        map_ahead(found.path)
    with uncollected():
        import mistralet.engine  # noqa: F401


def open_model(name: str | None, kv_type: KVType | None = None, keeps_prompts: bool = False) -> OpenModel:
    """Find, fetch if needed, and load a model, showing what takes long.

    Args:
        keeps_prompts: whether long prompts are kept on disk; `engine.library.close()` then waits until they are there.
    """
    resolved = resolve(name)
    tell_of_stand_in(resolved, "'mistralet pull small-3.2:q4' gets the real one")
    started = time.perf_counter()
    with progress_bar() as bar:
        task = bar.add_task(f"Loading {resolved.name}", total=None)
        from mistralet.engine import Engine, EngineOptions, KVLibrary, load
        from mistralet.native import missing_because

        with uncollected():
            loaded = load(resolved.path, progress=lambda done, total: bar.update(task, completed=done, total=total))
    if missing_because:
        messages.print(f"Slow: running without the native kernels ({missing_because}).", style="yellow", soft_wrap=True)
    library = KVLibrary(model=resolved.name) if keeps_prompts else None
    options = EngineOptions(kv_type=kv_type)
    engine = Engine(loaded.model, loaded.tokenizer, options, name=loaded.identity, library=library)
    return OpenModel(resolved.name, loaded, engine, time.perf_counter() - started)


def tell_of_stand_in(resolved: ResolvedModel, remedy: str) -> None:
    """Say so, if nobody named a model."""
    if resolved.is_stand_in:
        messages.print(
            f"No model was named: this is 'tiny', a small stand-in; {remedy}.", style="yellow", soft_wrap=True
        )


def sampling_params(temperature: float | None, seed: int | None, max_tokens: int) -> SamplingParams:
    """The parameters a user gave, with defaults for those left out."""
    from mistralet.engine import SamplingParams

    given = {"temperature": temperature, "seed": seed}
    return SamplingParams(max_tokens=max_tokens, **{key: value for key, value in given.items() if value is not None})  # type: ignore[arg-type]


def remote_model(url: str, name: str | None, kv_type: KVType | None) -> ChatModel:
    """A model behind a URL. Raises `UsageError` for options of one that runs here."""
    if kv_type is not None:
        raise UsageError("--kv-type is of a model that runs here; leave it out with --url.")
    from mistralet.chat.remote import RemoteChat

    return RemoteChat(url, name)


def stream_answer(model: OpenModel, prompt: Prompt, params: SamplingParams) -> Iterator[StepOutput]:
    """Write an answer, a step at a time; a long prompt shows how much of it is read. Refuses a bad prompt at once."""
    from mistralet.engine import Request

    outputs = model.engine.stream(Request(prompt, params))

    def watched() -> Iterator[StepOutput]:
        bar = progress_bar()
        task = bar.add_task("Reading the prompt", total=len(prompt.ids))
        try:
            for output in outputs:
                if output.stats.read_tokens < len(prompt.ids):
                    bar.update(task, completed=output.stats.read_tokens)
                    bar.start()
                    continue
                bar.stop()
                yield output
        finally:
            bar.stop()  # also after Ctrl-C, or the terminal would be left without its cursor

    return watched()


def describe_speed(stats: RequestStats) -> str:
    """One line on an answer: its length, speed, and the wait before it."""
    return (
        f"{stats.output_tokens} tokens · {stats.tokens_per_second:.1f} tokens/s · "
        f"first token after {stats.time_to_first_token:.2f} s · "
        f"prompt of {stats.prompt_tokens} ({stats.cached_tokens} cached)"
    )


def read_stdin(missing: str) -> str:
    """What is piped in. Raises `PromptError` with the sentence `missing` if nothing is."""
    if sys.stdin.isatty():
        raise PromptError(missing)
    try:
        return sys.stdin.buffer.read().decode("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError("Standard input is not UTF-8 text; convert it first.") from error


def print_json(facts: Any) -> None:
    """One JSON value on standard output."""
    sys.stdout.write(json.dumps(facts, ensure_ascii=False, indent=2, default=_plain) + "\n")


def _plain(value: object) -> str:
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} is no JSON value")


def progress_bar() -> Progress:
    """A bar that goes when it is done; not shown where nobody watches."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeElapsedColumn(),
    )
    return Progress(*columns, console=messages, transient=True, disable=not messages.is_terminal)
