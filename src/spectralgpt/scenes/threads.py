"""Work beside the model: windows are read a few groups ahead, and blocks are kept, in threads of their own."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, Generic

from spectralgpt.cores import available_cores
from spectralgpt.nn import compute_alone
from spectralgpt.raster import Window
from spectralgpt.scenes.maker import P

MOST_WINDOW_READERS = 8

MOST_WAITING = 2
"""Groups that wait to be kept at most: more would only take memory, as the model would run ahead of the disk."""

Group = tuple[int, Sequence[Window]]
"""A row of windows, and a group in it."""


def usual_readers() -> int:
    """Threads that read: half as many as there are cores, as the model needs them, too."""
    return min(MOST_WINDOW_READERS, max(1, available_cores() // 2))


class ReadAhead(Generic[P]):
    """The pixels of groups of windows in their order, read in threads while the caller works, as a context.

        with ReadAhead(maker.read, groups, threads=2) as read:
            for (row, group), pixels in read: ...

    Memory: of at most threads + 1 groups. What a read raises, the iteration raises in its place. Leaving waits for the
    reads that run, and starts no other.
    """

    def __init__(self, read: Callable[[Sequence[Window]], P], groups: Iterable[Group], threads: int) -> None:
        self._read, self._groups, self._most = read, groups, threads + 1
        self._threads = ThreadPoolExecutor(threads, "read", compute_alone)

    def __enter__(self) -> Iterator[tuple[Group, P]]:
        return self._pairs()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._threads.shutdown(cancel_futures=True)

    def _pairs(self) -> Iterator[tuple[Group, P]]:
        ahead: deque[tuple[Group, Future[P]]] = deque()
        for group in self._groups:
            ahead.append((group, self._threads.submit(self._read, group[1])))
            if len(ahead) == self._most:
                first, future = ahead.popleft()
                yield first, future.result()
        while ahead:
            first, future = ahead.popleft()
            yield first, future.result()


class DoneBehind:
    """Calls in one thread, in their order, while the caller works, as a context.

        with DoneBehind() as behind:
            behind.call(function, argument)

    At most MOST_WAITING calls wait; then `call` waits. After a call that raised, none is made; the exception is raised
    by a later `call`, by `wait`, or when the block ends, once. A block that ends by an exception of its own makes no
    further call, and raises that exception alone.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "keep", compute_alone)
        self._calls: deque[Future[None]] = deque()
        self._failed = False

    def __enter__(self) -> "DoneBehind":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            if error is None:
                self.wait()
        finally:
            self._thread.shutdown(cancel_futures=True)

    def call(self, function: Callable[..., None], *arguments: Any) -> None:
        """Make a call after those before it."""
        while self._calls and (len(self._calls) > MOST_WAITING or self._calls[0].done()):
            self._calls.popleft().result()
        self._calls.append(self._thread.submit(self._made, function, arguments))

    def wait(self) -> None:
        """Until every call was made."""
        while self._calls:
            self._calls.popleft().result()

    def _made(self, function: Callable[..., None], arguments: Sequence[Any]) -> None:
        if self._failed:
            return
        try:
            function(*arguments)
        except BaseException:
            self._failed = True
            raise
