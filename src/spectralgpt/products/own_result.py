"""What the tags of a result of this package say about how it was made."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from spectralgpt.bands import Identity
from spectralgpt.checks.contract import BY_CONVENTION, VALID_FOUND
from spectralgpt.errors import argument
from spectralgpt.raster.tags import (
    DATE_TAG,
    DATES_TAG,
    INPUT_TAG,
    OPEN_LEVEL_TAG,
    PARAMETERS_TAG,
    RULES_TAG,
    SENSOR_TAG,
    UNKNOWN_DATE,
    VERSION_TAG,
    WEIGHTS_TAG,
)

WEIGHTS_SHOWN = 16
"""Digits of a fingerprint that a message shows."""


@dataclass(frozen=True, slots=True)
class OwnResult:
    """How a result was made, from its tags.

    verb: that made it, empty if unknown. weights: their fingerprint. rules: the number of the rules. parameters: of the
    verb. version: of the package and of torch. sensor: of the bands of the image that it was made from. open_level: the
    sensor of another level that these bands could be of, empty where the level is known. dates: of that image, ISO,
    empty for unknown ones. input: what was read from where, and what was suspected of that image, one statement each.
    """

    verb: str
    weights: str
    rules: int
    parameters: Mapping[str, Any]
    version: str
    sensor: str
    open_level: str
    dates: tuple[str, ...]
    input: tuple[str, ...]

    @property
    def is_reconstruction(self) -> bool:
        return self.verb == "reconstruct"

    @property
    def hidden(self) -> str:
        """What a reconstruction hid: a share, bands or dates."""
        hide = str(self.parameters.get("hide", "an unknown part"))
        seed = self.parameters.get("seed")
        return hide if seed is None else f"{hide}, seed {seed}"

    def facts(self, read: Sequence[str]) -> tuple[str, ...]:
        """The facts on scale and offset: a result always declares both, also where its input went by a convention."""
        by_convention = [each for each in self.input if _of_units(each) and BY_CONVENTION[0] in each]
        return tuple(f"{each}, as of its input" for each in by_convention) or tuple(read)


def own_result(tags: Mapping[str, str]) -> OwnResult | None:
    """How a result was made; None without the tag of weights, so for images of others."""
    if not tags.get(WEIGHTS_TAG):
        return None
    parameters = parsed(tags.get(PARAMETERS_TAG, ""), dict) or {}
    rules = tags.get(RULES_TAG, "1")  # versions before the number went by the first
    dates = tags.get(DATES_TAG) or tags.get(DATE_TAG, "")
    return OwnResult(
        verb=str(parameters.get("verb", "")),
        weights=tags[WEIGHTS_TAG],
        rules=int(rules) if rules.isdecimal() else 1,
        parameters=parameters,
        version=tags.get(VERSION_TAG, "an unknown version"),
        sensor=tags.get(SENSOR_TAG, "unknown"),
        open_level=tags.get(OPEN_LEVEL_TAG, ""),
        dates=tuple("" if date == UNKNOWN_DATE else date for date in dates.split(",")) if dates else (),
        input=tuple(each for each in _statements(tags.get(INPUT_TAG, "")) if each and each != VALID_FOUND),
    )


def reconstruction_note(path: str, result: OwnResult | None) -> tuple[str, ...]:
    """A line that says of a reconstruction that it is one."""
    if result is None or not result.is_reconstruction:
        return ()
    weights = result.weights[:WEIGHTS_SHOWN]
    return (f"{path}: is a reconstruction: what was hidden ({result.hidden}) is predicted by the weights {weights}",)


def with_open_level(identity: Identity, result: OwnResult | None, path: str) -> Identity:
    """The identity of the bands of a result, with the level as open as it was for its input."""
    if result is None or not result.open_level or result.sensor != identity.sensor.name:
        return identity
    other = result.open_level
    note = (
        f"{path}: the level was open where it was made; read as {result.sensor}. If it is {other}, choose it, like "
        f"{argument('bands', other)}"
    )
    return replace(identity, other_level=other, warnings=(*identity.warnings, note))


def parsed(text: str, kind: type) -> Any:
    """The JSON value of a tag, None for other text or another kind of value."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, kind) else None


def _statements(text: str) -> list[str]:
    """One per line; earlier versions joined them in one line."""
    return text.split("\n") if "\n" in text else text.split("; ")


def _of_units(statement: str) -> bool:
    return statement.startswith(("scale ", "offset "))
