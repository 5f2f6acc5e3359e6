"""`mistralet generate`: continue raw text."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from mistralet.cli.common import (
    JsonOption,
    KVTypeOption,
    MaxTokensOption,
    SeedOption,
    TemperatureOption,
    describe_speed,
    messages,
    open_model,
    print_json,
    read_stdin,
    sampling_params,
    start_early,
    stream_answer,
)
from mistralet.errors import PromptError

if TYPE_CHECKING:
    from mistralet.engine import StepOutput


def generate(
    prompt: Annotated[
        str | None, typer.Argument(help="The text to continue; read from standard input if absent.")
    ] = None,
    model: Annotated[str | None, typer.Option("--model", "-m", help="A folder, file, alias or repository id.")] = None,
    max_tokens: MaxTokensOption = 256,
    temperature: TemperatureOption = None,
    seed: SeedOption = None,
    kv_type: KVTypeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Continue a text as it is, without a chat template."""
    text = prompt if prompt is not None else read_stdin("There is no prompt; give a text, or pipe one in.")
    if not text:
        raise PromptError("The prompt is empty; give a text to continue.")
    start_early(model)
    params = sampling_params(temperature, seed, max_tokens)
    opened = open_model(model, kv_type)
    from mistralet.model import Prompt
    from mistralet.tokenizer import encode_raw

    ids = encode_raw(opened.loaded.tokenizer, text)
    outputs: list[StepOutput] = []
    for output in stream_answer(opened, Prompt(list(ids)), params):
        outputs.append(output)
        if not as_json:
            sys.stdout.write(output.text)
            sys.stdout.flush()
    from mistralet.engine import Completion

    completion = Completion.of(outputs)
    stats = completion.stats
    if not as_json:
        sys.stdout.write("\n")
        if messages.is_terminal:
            messages.print(describe_speed(stats), style="dim")
        return
    print_json(
        {
            "model": opened.name,
            "prompt_ids": ids,
            "output_ids": completion.token_ids,
            "text": completion.text,
            "finish_reason": completion.finish_reason,
            "seed": params.seed,
            "temperature": params.temperature,
            "timings": {
                "load_seconds": opened.load_seconds,
                **asdict(stats),
                "tokens_per_second": stats.tokens_per_second,
            },
        }
    )
