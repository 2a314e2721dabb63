"""Graceful shutdown: long work that is asked to stop finishes its current step, saves and ends without an error."""

import signal
import threading
from types import FrameType, TracebackType
from typing import Any


class InterruptedWork(KeyboardInterrupt):
    """An interrupt of work that can be continued. Its text, a sentence without its final period, says what is kept."""


class Interruption:
    """Graceful shutdown, as a context: SIGTERM and the first SIGINT (Ctrl-C) only set `asked`; the second SIGINT raises
    KeyboardInterrupt as usual.

    Within another one, both are asked: what it is part of has to end as well. Outside of the main thread Python
    receives no signals, and `asked` stays false.
    """

    def __init__(self) -> None:
        self.asked = False
        self._interrupted = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> "Interruption":
        if threading.current_thread() is threading.main_thread():
            for each in (signal.SIGTERM, signal.SIGINT):
                self._before[each] = signal.signal(each, self._ask)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for each, before in self._before.items():
            # None: a handler that Python did not set, and cannot set again
            signal.signal(each, signal.SIG_DFL if before is None else before)
        self._before = {}

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGINT and self._interrupted:
            raise KeyboardInterrupt
        before = getattr(self._before.get(signal.Signals(number)), "__self__", None)
        if isinstance(before, Interruption):
            before.asked = True
        self.asked, self._interrupted = True, self._interrupted or number == signal.SIGINT
