"""How a CPU computes inside a verb: what the option `threads` and the environment ask for, checked before any work."""

import os
from collections.abc import Container, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from spectralgpt.errors import argument, counted
from spectralgpt.progress import unheard


@contextmanager
def computing(given: Mapping[str, Any], names: Container[str]) -> Iterator[None]:
    """PyTorch computes inside with as many threads as given; without a number, as it is set to.

    given: arguments of the verb; names: of its parameters. OptionError for a number of threads, or in the environment
    a way of attention, that cannot be. A number above the cores is announced.
    """
    if "threads" in names and os.environ.get("SPECTRALGPT_ATTENTION"):
        from spectralgpt.nn.ways import asked_way

        asked_way()
    threads = given.get("threads")
    if threads is None:
        yield
        return
    from spectralgpt.cores import available_cores
    from spectralgpt.nn.threads import computing_threads

    with computing_threads(threads):
        cores = available_cores()
        if threads > cores:
            found = f"{argument('threads', threads)} is more than the {counted(cores, 'core')} that may be used here"
            given.get("announce", unheard)(f"{found}; threads that share a core wait for each other.")
        yield
