"""The progress of a verb as bars on standard error."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from spectralgpt.progress import Progress, silent

BAR_WIDTH = 16
"""Characters; fewer on a narrow terminal."""


@contextmanager
def progress_bar(quiet: bool) -> Iterator[Progress]:
    """One line per stage while the block runs; nothing if quiet or if standard error is not a terminal.

    What a stage says after its first colon (`stage 1/2: loss 0.31`) changes on its line, and is cut where that ends.
    """
    if quiet or not sys.stderr.isatty():
        yield silent
        return
    # Imported here, so that `--help` does not wait for it.
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars
    from rich.table import Column

    columns = (
        TextColumn("{task.description}", markup=False),
        # the only column that gets narrower when there is no room
        BarColumn(bar_width=BAR_WIDTH),
        MofNCompleteColumn(table_column=Column(no_wrap=True)),
        TimeElapsedColumn(table_column=Column(no_wrap=True)),
        TimeRemainingColumn(table_column=Column(no_wrap=True)),
        TextColumn("{task.fields[text]}", markup=False, table_column=Column(ratio=1, no_wrap=True)),
    )
    tasks: dict[str, TaskID] = {}
    # expand: the last column takes what the others leave
    with Bars(*columns, console=Console(stderr=True), expand=True) as bars:

        def show(stage: str, done: int, total: int) -> None:
            name, _, text = stage.partition(":")
            if name not in tasks:
                tasks[name] = bars.add_task(name, total=None, text="")
            bars.update(tasks[name], completed=done, total=total or None, text=" ".join(text.split()))

        yield show
