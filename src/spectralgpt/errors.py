"""Errors that a user can cause. The command line shows each as one message with exit code 2; any other is our fault.

InputError
  BandError      which bands a file has, or which are asked for
  RasterError    an image that cannot be opened or read
  WeightsError   weights that are missing, damaged, or of another model
  DataError      shards that are missing, damaged, or that do not fit
  TargetError    a result that cannot be written
  OptionError    an option with a value that does not fit
  UnfinishedError  work that its limit of time ended; what is finished stays

A message says what was found, what was expected, and what to do. Arguments are written as in Python, `bands='s2-l2a'`;
the command line shows them as its options, `--bands s2-l2a`.
"""

import re
from collections.abc import Iterable, Sequence

CHECK_DISK = "Check its permissions and the free disk space"
"""What to do where the disk refuses a write."""

NAMED_ARGUMENT = re.compile(r"argument `(\w+)`")
"""An argument that a sentence names, as in: choose some with the argument `dates`."""

OTHER_VERB = "the verb `"
"""In a sentence that says what another verb does."""

Advice = tuple[str, object]
"""An argument and the value to give it, like ("bands", "s2-l2a")."""


class InputError(Exception):
    """The input is wrong; nothing was written. The message is for the user.

    found: what is wrong, beginning with what it is about. expected: what would be right, empty where `found` says it.
    do: a sentence on what to do, without its final period where advice completes it. advice: arguments that would help,
    each with a value; several are alternatives. The message is `FOUND; expected EXPECTED. DO ADVICE`, or `found` as it
    stands where nothing else is given.
    """

    def __init__(self, found: str, expected: str = "", do: str = "", *advice: Advice):
        super().__init__(found, expected, do, *advice)
        self.found = found
        self.expected = expected
        self.do = do
        self.advice = advice

    def __str__(self) -> str:
        if not (self.expected or self.do or self.advice):
            return self.found
        message = f"{self.found}; expected {self.expected}" if self.expected else self.found
        if self.advice:  # without a final period, so that it can be copied
            arguments = " or ".join(argument(name, value) for name, value in self.advice)
            return f"{message}. {self.do} {arguments}" if self.do else f"{message}: {arguments}"
        return f"{message}. {self.do}{'' if self.do.endswith('?') else '.'}" if self.do else f"{message}."

    def about(self, subject: str) -> "InputError":
        """The same error with what it is about, like a path, before it."""
        return type(self)(f"{subject}: {self.found}", self.expected, self.do, *self.advice)

    def also(self, sentence: str) -> "InputError":
        """The same error with a sentence, without its final period, before what to do."""
        do = f"{sentence}. {self.do}" if self.do else f"{sentence}. Use" if self.advice else sentence
        return type(self)(self.found, self.expected, do, *self.advice)

    def within(self, names: Iterable[str]) -> "InputError":
        """The same error without advice on arguments that the caller does not have, unless it is to call another verb.
        names: of the caller's arguments."""
        if OTHER_VERB in self.do:
            return self
        known = set(names)
        advice = tuple(pair for pair in self.advice if pair[0] in known)
        parts = [part for part in self.do.split("; ") if known.issuperset(NAMED_ARGUMENT.findall(part))]
        do = "" if self.advice and not advice else "; ".join(parts)
        return self if (do, advice) == (self.do, self.advice) else type(self)(self.found, self.expected, do, *advice)


def argument(name: str, value: object) -> str:
    """An argument and its value as in Python: `bands='s2-l2a'`."""
    return f"{name}={value!r}"


class BandError(InputError):
    """Bands that are unnamed, unknown, repeated, or that the model does not recognize."""


class RasterError(InputError):
    """An image that cannot be opened or read as what it claims to be."""


class WeightsError(InputError):
    """Weights that are missing, damaged, unsafe, or that do not fit the model."""


class DataError(InputError):
    """Shards or a run's own files that are missing, damaged, or that do not fit what is asked."""


class TargetError(InputError):
    """A result that cannot be written where it is asked for."""


class OptionError(InputError):
    """An option with a value that does not fit the input or the model."""


class UnfinishedError(InputError):
    """Work that ended at the limit of time that the user set. What is finished stays, and the same command goes on."""


def did_you_mean(name: str, known: Iterable[str], cutoff: float = 0.5) -> str:
    """`Did you mean X?`, as the last part of a message; empty when no known name is similar. cutoff: how similar two
    names must be, from 0 to 1 (difflib)."""
    from difflib import get_close_matches

    near = get_close_matches(name, list(known), n=1, cutoff=cutoff)
    return f"Did you mean {near[0]}?" if near else ""


def counted(number: int, noun: str) -> str:
    """`1 band`, `3 bands`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def first_few(texts: Sequence[str], most: int, between: str = ", ") -> str:
    """The first texts, and how many more there are."""
    more = f" and {len(texts) - most} more" if len(texts) > most else ""
    return between.join(texts[:most]) + more


def check_choice(name: str, value: object, choices: tuple[object, ...]) -> None:
    """OptionError, naming the choices, for a value of the argument `name` that is none of them."""
    if value not in choices:
        known = ", ".join(str(choice) for choice in choices if choice is not None)
        raise OptionError(argument(name, value), f"one of: {known}")
