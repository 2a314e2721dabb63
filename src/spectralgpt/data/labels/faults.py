"""What is wrong with labelled images, all of it, as one message."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from spectralgpt.errors import Advice, DataError, InputError, counted, first_few

FAULTY_SHOWN = 4
"""Files that a message names for each kind of fault."""


PARTICULAR = re.compile(r"\S*[/\\]\S*|\d[\d.,]*")
"""Paths and numbers: what texts of one kind differ in."""


def kind_of_text(text: str) -> str:
    """A text without its paths and numbers: the same for the same fault in several files."""
    return PARTICULAR.sub("", text)


@dataclass(frozen=True, slots=True)
class Fault:
    """A kind of fault. noun: what has it, in the singular. rest: what follows, like `without a mask`. expected, do,
    advice: as in InputError."""

    noun: str
    rest: str
    expected: str = ""
    do: str = ""
    advice: tuple[Advice, ...] = ()

    def found(self, source: str, names: Sequence[str]) -> str:
        """In words, with the first names."""
        listed = f": {first_few(names, FAULTY_SHOWN)}" if names else ""
        noun = "classe" if self.noun == "class" and len(names) > 1 else self.noun
        return f"{source}found {counted(len(names), noun)} {self.rest}{listed}"


@dataclass(slots=True)
class Faults:
    """All faults of a labelled data set, by kind, each with the names of what has it."""

    source: str
    names: dict[Fault, list[str]] = field(default_factory=dict)
    errors: dict[str, list[tuple[str, InputError]]] = field(default_factory=dict)

    def add(self, fault: Fault, names: Iterable[str]) -> None:
        """Note a fault of these; nothing where there are none."""
        given = list(names)
        if given:
            self.names.setdefault(fault, []).extend(given)

    def add_error(self, name: str, error: InputError) -> None:
        """Note an image that cannot be used."""
        self.errors.setdefault(kind_of_text(str(error)), []).append((name, error))

    def refuse(self) -> None:
        """DataError for all of them, one message; nothing happens without faults."""
        kinds: list[InputError] = [self._of_names(fault, names) for fault, names in self.names.items()]
        kinds += [self._of_errors(same) for same in self.errors.values()]
        if len(kinds) == 1:
            raise kinds[0]
        if kinds:
            lines = "\n".join(f"- {str(kind).removeprefix(f'{self.source}: ')}" for kind in kinds)
            raise DataError(f"{self.source}: found {len(kinds)} kinds of faults\n{lines}")

    def _of_names(self, fault: Fault, names: Sequence[str]) -> DataError:
        return DataError(fault.found(f"{self.source}: ", names), fault.expected, fault.do, *fault.advice)

    def _of_errors(self, same: Sequence[tuple[str, InputError]]) -> InputError:
        _, error = same[0]
        if len(same) == 1:
            return error
        names = first_few([name for name, _ in same[1:]], FAULTY_SHOWN)
        return type(error)(f"{error.found} (the same in {names})", error.expected, error.do, *error.advice)
