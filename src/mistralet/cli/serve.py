"""`mistralet serve`: a model over HTTP."""

from __future__ import annotations

import inspect
import time
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_origin, get_type_hints

import typer

from mistralet.cli.common import ModelArgument, messages, progress_bar, start_early, tell_of_stand_in
from mistralet.hub import ResolvedModel, resolve
from mistralet.server.settings import ABOUT, Settings
from mistralet.server.settings_sources import read_settings

if TYPE_CHECKING:
    from mistralet.server.service import Service

# An argument shows in the list of processes, where a key has no place; the model is no option.
_NO_OPTION = ("model", "api_keys")


def serve(
    model: ModelArgument = None,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Settings in TOML, under the names of these options.")
    ] = None,
    **options: Any,
) -> None:
    """Serve a model to clients made for OpenAI, vLLM or Anthropic; see docs/server.md."""
    started = time.perf_counter()
    settings = read_settings({"model": model, **options}, config)
    from mistralet.server.bind import bind, check_tls, url

    check_tls(settings)
    with bind(settings) as bound:
        start_early(settings.model)
        from mistralet.server.auth import read_keys
        from mistralet.server.lifetime import load_spec, run
        from mistralet.server.lifetime import serve as served

        keys = read_keys(settings)
        resolved = resolve(settings.model)
        tell_of_stand_in(resolved, "'mistralet serve small-3.2:q4' serves the real one")
        draft = resolve(settings.draft).path if settings.draft else None
        bar = progress_bar()
        task = bar.add_task(f"Loading {resolved.name}", total=None)

        def tell(service: Service) -> None:
            bar.stop()
            info = service.engine.info
            messages.print(
                f"{service.name} is served at {url(settings, bound)} after {time.perf_counter() - started:.1f} s: "
                f"{info.context:,} tokens of context, {info.kv_tokens:,} in the cache, "
                f"{'with a key' if keys else 'no key needed'}. Ctrl-C ends it.",
                soft_wrap=True,
            )

        bar.start()
        try:
            run(
                served(
                    settings,
                    keys,
                    load_spec(settings, resolved.path, draft),
                    settings.served_name or _public_name(resolved),
                    bound,
                    lambda done, total: bar.update(task, completed=done, total=total),
                    tell,
                )
            )
        finally:
            bar.stop()


def _public_name(resolved: ResolvedModel) -> str:
    """The model's name without the folders of this machine."""
    return Path(resolved.name).name if Path(resolved.name).exists() else resolved.name


def _add_options() -> None:
    """Give `serve` an option for each setting, so that there is one place that lists them."""
    types = get_type_hints(Settings)
    own = inspect.signature(serve, eval_str=True)
    parameters = [each for each in own.parameters.values() if each.kind is not each.VAR_KEYWORD]
    for each in fields(Settings):
        if each.name not in _NO_OPTION:
            kind, shown = _option_type(types[each.name]), _shown(each.default)
            option = typer.Option(help=_sentence(ABOUT[each.name]), show_default=shown)
            parameters.append(
                inspect.Parameter(
                    each.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind, option]
                )
            )
    serve.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    serve.__annotations__ = {each.name: each.annotation for each in parameters}


def _option_type(kind: Any) -> Any:
    """The type of an option that may be left out."""
    if get_origin(kind) is tuple:
        return list[get_args(kind)[0]] | None  # type: ignore[misc]
    return kind if type(None) in get_args(kind) else kind | None


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."


def _shown(default: object) -> str | bool:
    return False if default in (None, (), False) else str(default)


_add_options()
