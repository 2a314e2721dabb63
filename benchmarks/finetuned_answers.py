"""Answers of several ways to the same test images, kept between runs; scores over all seeds and paired differences."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import numpy as np
from four_tasks import number

from spectralgpt.metrics import ConfusionCounts, Interval, LabelTable, Score, bootstrap, paired_difference
from spectralgpt.tasks import scores_of

TABLES = {each.__name__: each for each in (ConfusionCounts, LabelTable)}


@dataclass(frozen=True, eq=False)
class Answers:
    """The answers of one way to the test images of one seed.

    places: a number per image, the same for a place in all seeds. seen: images that the weights were pretrained on;
    trained: numbers of images that were trained on and chosen by, and how many of those were seen. seconds: of CPU.
    """

    table: ConfusionCounts | LabelTable
    names: tuple[str, ...]
    places: np.ndarray
    seen: np.ndarray
    trained: Mapping[str, int]
    seconds: float = 0.0

    def save(self, path: Path) -> None:
        """Whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        own = {f"table.{each.name}": np.asarray(getattr(self.table, each.name)) for each in fields(self.table)}
        part = path.with_suffix(".part.npz")
        np.savez_compressed(
            part, **own, kind=type(self.table).__name__, names=np.array(self.names), places=self.places, seen=self.seen,
            trained=np.array(list(self.trained.values())), counted=np.array(list(self.trained)), seconds=self.seconds,
        )  # fmt: skip
        part.replace(path)

    @classmethod
    def load(cls, path: Path) -> "Answers":
        """What `save` wrote."""
        with np.load(path, allow_pickle=False) as file:
            kind = TABLES[str(file["kind"])]
            own = {each.name: file[f"table.{each.name}"] for each in fields(kind)}
            if kind is ConfusionCounts:
                own["classes"] = int(own["classes"])
            return cls(
                kind(**own),
                tuple(map(str, file["names"])),
                file["places"],
                file["seen"],
                dict(zip(map(str, file["counted"]), map(int, file["trained"]), strict=True)),
                float(file["seconds"]),
            )


def compared(
    ways: Mapping[str, Sequence[Answers]], target: Any, ours: str, *, only_unseen: bool = False
) -> dict[str, dict[str, Any]]:
    """The first score of each way on the test images of all seeds together, with its interval over places, that of each
    seed, and the difference of `ours` from it, on the same draws of places.

    An image that is in the test of several seeds counts as often, and is drawn with its place. ValueError where ways
    answered different images.
    """
    score = scores_of(target)[0]
    names = {way: [each.names for each in seeds] for way, seeds in ways.items()}
    if any(each != names[ours] for each in names.values()):
        raise ValueError("found answers to different images; expected the same test of every way")
    kept = np.concatenate([each.seen for each in ways[ours]])
    kept = np.flatnonzero(~kept if only_unseen else np.ones_like(kept))
    places = np.concatenate([each.places for each in ways[ours]])[kept]
    tables = {way: _joined(seeds).take(kept) for way, seeds in ways.items()}
    return {
        way: {
            **_plain(bootstrap([table], score, places)),
            "seeds": [] if only_unseen else [number(score.of(each.table)) for each in ways[way]],
            **_difference(tables[ours], table, score, places, is_own=way == ours),
        }
        for way, table in tables.items()
    }


def _joined(seeds: Sequence[Answers]) -> Any:
    return type(seeds[0].table).joined([each.table for each in seeds])  # type: ignore[arg-type]


def _plain(found: Interval) -> dict[str, Any]:
    return {"value": number(found.value), "interval": [number(found.low), number(found.high)]}


def _difference(ours: Any, other: Any, score: Score, places: np.ndarray, *, is_own: bool) -> dict[str, Any]:
    if is_own:
        return {"difference": 0.0, "difference_interval": [0.0, 0.0]}
    found = _plain(paired_difference([ours], [other], score, places))
    return {"difference": found["value"], "difference_interval": found["interval"]}


def over_seeds(seeds: Sequence[Answers], target: Any) -> dict[str, Any]:
    """The first score of each seed, their mean and their standard deviation (n - 1; None of a single one)."""
    score = scores_of(target)[0]
    values = [score.of(each.table) for each in seeds]
    return {
        "mean": number(fmean(values)),
        "spread": number(stdev(values)) if len(values) > 1 else None,
        "seeds": [number(value) for value in values],
        "train": [each.trained["train"] for each in seeds],
    }
