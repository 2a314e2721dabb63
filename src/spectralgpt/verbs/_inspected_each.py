"""What a folder of results is: the part of `inspect` that is about what `each=True` writes."""

import csv
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from spectralgpt.errors import OptionError, argument, counted, first_few
from spectralgpt.verbs._each import COLUMNS, TABLE
from spectralgpt.verbs._inspected import Inspected, line_per_text

FAILURES_NAMED = 12


@dataclass(frozen=True, slots=True)
class InspectedEach(Inspected):
    """What a folder of results is.

    states: number of sources by what became of them (done, skipped, failed), as the last run's table says. results:
    that the table names and that are there; gone: that are not there any more. verbs, weights, sensors: of the results,
    with their numbers; weights by their fingerprints. mosaics: VRTs over the results. failures: of sources, with their
    reasons.
    """

    source: Path
    table: Path
    states: Mapping[str, int]
    results: tuple[Path, ...]
    gone: tuple[str, ...]
    verbs: Mapping[str, int]
    weights: Mapping[str, int]
    sensors: Mapping[str, int]
    mosaics: tuple[Path, ...]
    failures: tuple[str, ...]

    def lines(self) -> list[str]:
        total = sum(self.states.values())
        known = ", ".join(f"{number} {state}" for state, number in self.states.items() if number)
        gone = first_few(self.gone, FAILURES_NAMED)
        return [
            str(self.source),
            f"folder     results of {counted(total, 'source')}: {known or 'none yet'}",
            f"made by    {_numbered(self.verbs)}",
            f"weights    {_numbered(self.weights)}",
            f"sensor     {_numbered(self.sensors)}",
            *line_per_text("VRT", [str(each) for each in self.mosaics], FAILURES_NAMED),
            *line_per_text("failed", self.failures, FAILURES_NAMED),
            *([f"gone       {gone}: the same command makes them again"] if gone else []),
            f"table      {self.table}",
            "for        `inspect` of one of the results says what it is",
        ]


def inspect_each(source: Path, picture: Path | None) -> InspectedEach | None:
    """What the folder is; None for anything but a folder with a table of results. OptionError for a picture."""
    from spectralgpt.raster.marks import VERB_TAG, tags_of
    from spectralgpt.raster.tags import SENSOR_TAG, WEIGHTS_TAG

    table = source / TABLE
    rows = _rows(table) if table.is_file() else None
    if rows is None:
        return None
    if picture is not None:
        raise OptionError(f"{argument('picture', str(picture))}: {source} is a folder of results", "an image or shards")
    states = Counter(row["state"] for row in rows)
    named = [source / row["result"] for row in rows if row["result"]]
    results = tuple(path for path in named if path.is_file())
    tags = [tags_of(path) for path in results]
    return InspectedEach(
        source=source,
        table=table,
        states={state: states[state] for state in ("done", "skipped", "failed")},
        results=results,
        gone=tuple(path.name for path in named if not path.is_file()),
        verbs=_counts(each.get(VERB_TAG) for each in tags),
        weights=_counts(each.get(WEIGHTS_TAG) for each in tags),
        sensors=_counts(each.get(SENSOR_TAG) for each in tags),
        mosaics=tuple(sorted(source.glob("*.vrt"))),
        failures=tuple(
            f"{row['source']}: {row['reason'].removeprefix(row['source'] + ': ')}"
            for row in rows
            if row["state"] == "failed"
        ),
    )


def _rows(table: Path) -> list[dict[str, str]] | None:
    """The rows of a table of results; None for a table of others, or one that cannot be read."""
    try:
        with open(table, newline="", encoding="utf-8", errors="surrogateescape") as file:
            reader = csv.DictReader(file, restval="")
            return list(reader) if tuple(reader.fieldnames or ()) == COLUMNS else None
    except (OSError, csv.Error):
        return None


def _counts(values: Iterable[str | None]) -> dict[str, int]:
    return dict(Counter(each for each in values if each).most_common())


def _numbered(counts: Mapping[str, int]) -> str:
    """Each with its number, where there are several."""
    if len(counts) < 2:
        return next(iter(counts), "unknown")
    return ", ".join(f"{name} ({number})" for name, number in counts.items())
