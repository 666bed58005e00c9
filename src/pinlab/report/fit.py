"""What looks different where there is less room: it is rendered when its width is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult


@dataclass(frozen=True, slots=True)
class Fitted:
    """`render(columns)` makes what is shown in so many columns."""

    render: Callable[[int], RenderableType]

    def __rich_console__(self, _console: Console, options: ConsoleOptions) -> RenderResult:
        yield self.render(options.max_width)
