"""What one process of a run refuses ends all of them: that process says why, the others that it does."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from spectralgpt.errors import InputError, TargetError
from spectralgpt.training.distribution import Distribution


@contextmanager
def ended_together(distribution: Distribution, where: Path) -> Iterator[None]:
    """For all processes together, around what some of them may refuse, mostly the main one, which writes.

    The first process with an InputError raises it, so that it is said once, also where a full disk refuses several. The
    others raise a TargetError of one line. where: what the processes were at.
    """
    problem = None
    try:
        yield
    except InputError as error:
        problem = error
    refusing = [rank for rank, refused in enumerate(distribution.gathered(problem is not None)) if refused]
    if not refusing:
        return
    if problem is not None and refusing[0] == distribution.rank:
        raise problem
    raise TargetError(f"{where}: ended with rank {refusing[0]}, which says why.")
