"""Bands under other names: the choice `NEW=OLD,...`."""

from spectralgpt.bands.band import canonical
from spectralgpt.bands.choice import chosen_sensor
from spectralgpt.bands.evidence import Evidence, quoted, refuse_repeated
from spectralgpt.bands.naming import only_count
from spectralgpt.errors import BandError, argument, first_few


def renamed(evidence: Evidence, choice: str | None) -> tuple[Evidence, str | None]:
    """The evidence with the names that the user gives, and what remains of the choice.

    A choice of renamed bands only, `[SENSOR:]NEW=OLD,...`, leaves the other bands as they are, but leaves out others
    that only count; where a name stands alone beside it, the choice selects as any list. BandError for an OLD that the
    file does not have.
    """
    if choice is None or "=" not in choice or chosen_sensor(choice) is not None:
        return evidence, choice
    called, colon, rest = choice.partition(":") if ":" in choice.split("=")[0] else ("", "", choice)
    entries = [tuple(part.strip() for part in word.partition("=")) for word in rest.split(",") if word.strip()]
    refuse_repeated([old for _, equals, old in entries if equals], argument("bands", choice))
    counting = only_count(evidence.names)
    names: list[str | None] = [None] * len(evidence.names) if counting else list(evidence.names)
    for new, equals, old in entries:
        if equals:
            names[_index(old, evidence, choice)] = new
    known = evidence.part(range(len(names)), names)
    if counting or not all(equals for _, equals, _ in entries):
        return known, f"{called}{colon}{','.join(new for new, _, _ in entries)}"
    return known, called or None


def _index(old: str, evidence: Evidence, choice: str) -> int:
    """The band with this name: as it is written, else in its one spelling."""
    for alike in (_as_written, canonical, str.casefold):
        found = [index for index, name in enumerate(evidence.names) if name and alike(name) == alike(old)]
        if len(found) == 1:
            return found[0]
    raise BandError(
        f"{evidence.source}: found no {old!r} for {argument('bands', choice)}",
        f"some of: {first_few([quoted([name]) for name in evidence.names if name], 6) or 'no names'}",
    )


def _as_written(name: str) -> str:
    return name.strip()
