"""What a user can cause. The command line turns these into one message and exit code 2, anything else is our fault.

InputError
  BandError      which bands a file has, or which are asked for
  RasterError    an image that cannot be opened or read
  WeightsError   weights that are missing, damaged, or of another model
  DataError      shards that are missing, damaged, or that do not fit
  TargetError    a result that cannot be written
  OptionError    an option whose value does not fit

A message says what was found, what was expected, and what to do.
"""

from collections.abc import Iterable


class InputError(Exception):
    """The input is wrong; nothing was written. The message is for the user."""


class BandError(InputError):
    """Bands that are unnamed, unknown, repeated, or that the model does not know."""


class RasterError(InputError):
    """An image that cannot be opened or read as what it claims to be."""


class WeightsError(InputError):
    """Weights that are missing, damaged, unsafe, or that do not fit the model."""


class DataError(InputError):
    """Shards or a run's own files that are missing, damaged, or that do not fit what is asked."""


class TargetError(InputError):
    """A result that cannot be written where it is asked for."""


class OptionError(InputError):
    """An option whose value does not fit the input or the model."""


def did_you_mean(name: str, known: Iterable[str], cutoff: float = 0.5) -> str:
    """` Did you mean X?`, for the end of a message; empty when nothing known is near. cutoff: how alike
    two names must be, from 0 to 1 (difflib)."""
    from difflib import get_close_matches

    near = get_close_matches(name, list(known), n=1, cutoff=cutoff)
    return f" Did you mean {near[0]}?" if near else ""


def check_choice(option: str, value: object, choices: tuple[object, ...]) -> None:
    """OptionError, naming the choices, for a value that is none of them."""
    if value not in choices:
        known = ", ".join(str(choice) for choice in choices if choice is not None)
        raise OptionError(f"{option}: found {value!r}; expected one of: {known}.")
