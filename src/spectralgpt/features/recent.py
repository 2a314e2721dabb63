"""What was made for the last few numbers."""

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

Made = TypeVar("Made")


class Recent(Generic[Made]):
    """Makes what belongs to a number, and keeps it for the last `most` numbers. Thread-safe."""

    def __init__(self, make: Callable[[int], Made], most: int) -> None:
        self._make, self._most, self._lock = make, most, Lock()
        self._kept: OrderedDict[int, Made] = OrderedDict()

    def of(self, number: int) -> Made:
        """What belongs to this number, made if it is not kept."""
        with self._lock:
            if number not in self._kept:
                made = self._make(number)
                while len(self._kept) >= self._most:
                    self._kept.popitem(last=False)
                self._kept[number] = made
            self._kept.move_to_end(number)
            return self._kept[number]
