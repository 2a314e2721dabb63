"""A guard of docs/reliability.md, how it is broken, and the test that must notice."""

from dataclasses import dataclass


@dataclass(frozen=True)
class BrokenGuard:
    """One edit in one place of the package: `line` becomes `broken`.

    file: below src/spectralgpt. line: text that stands there once. test: below tests, and of that guard.
    """

    name: str
    file: str
    line: str
    broken: str
    test: str
