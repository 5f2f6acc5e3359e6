"""Shows what is being done, on standard error: bars on a terminal, lines elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

Update = Callable[[int, int], None]  # done, and all there is to do


class Steps:
    """A display that is there while its `with` block runs."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False)
        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
        self._bars = Progress(
            *columns, console=self._console, transient=True, disable=not self._console.is_terminal, expand=False
        )

    def __enter__(self) -> Steps:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    @contextmanager
    def step(self, text: str) -> Iterator[Update]:
        """Show `text` and the time while the block runs; what is yielded says how far it is, if that is known."""
        if not self._console.is_terminal:
            self._console.print(text, soft_wrap=True, markup=False)
        task = self._bars.add_task(text, total=None)
        try:
            yield lambda done, total: self._bars.update(task, completed=done, total=total)
        finally:
            self._bars.remove_task(task)
