"""How finetuned.py answers the test images of a set and a seed: fine-tuned, from scratch, frozen, by baselines."""

import argparse
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from finetuned_answers import Answers
from finetuned_shown import PROBE, SCRATCH, UNTRAINED
from four_tasks import BASELINES, UNTRAINED_TITLE
from labelled_sets import MadeSet

from spectralgpt.data.labels import Selection, join
from spectralgpt.evaluation import Parts, Places, three_parts
from spectralgpt.evaluation.leaks import seen_share
from spectralgpt.features.baselines import find, untrained
from spectralgpt.progress import silent
from spectralgpt.verbs._answering import answerer_of_head
from spectralgpt.verbs._evaluating import judged_answers
from spectralgpt.verbs._fit_data import FitData, opened_fit_data
from spectralgpt.verbs._flat_options import default_options
from spectralgpt.verbs._labels import Labels
from spectralgpt.verbs._probe_run import findings_of, hashes_of, probe_run
from spectralgpt.verbs._probing import Judged, Trial
from spectralgpt.verbs.finetune import finetune
from spectralgpt.weights import TrainedImages, load_model

ONE_RATE = ("stages.*.layer_decay=1", "stages.*.head_factor=1")
"""From scratch: lower rates in lower layers would keep what was drawn, and a head is as new as the rest."""

HEAVY = ("weights", "shards", "run/weights", "run/checkpoints")
"""What is removed of a fine-tuning after its test images are answered."""


@dataclass(frozen=True)
class Item:
    """What is answered at once. way: `probe` comes with untrained network and baselines where nothing is left out."""

    set: str
    seed: int
    fraction: float
    way: str

    @property
    def path(self) -> Path:
        """Of the answers, in the folder of all."""
        return self.folder / f"{self.way}.npz"

    @property
    def folder(self) -> Path:
        return Path(self.set, f"fraction-{self.fraction:g}", f"seed-{self.seed}")


# -- a set -------------------------------------------------------------------------------------------------------------


@dataclass
class OpenedSet:
    """A labelled set with what is the same for all seeds."""

    made: MadeSet
    trained: TrainedImages

    @property
    def options(self) -> Any:
        """All options of the verbs."""
        return default_options(finetune) | self.reading

    @property
    def reading(self) -> dict[str, Any]:
        """Those that say how the set is read."""
        return {
            "bands": self.made.bands or None,
            "classes": self.made.classes or None,
            "ignore": None if self.made.ignore is None else str(self.made.ignore),
            "trust_input": self.made.trust_input,
        }

    @cached_property
    def data(self) -> FitData:
        return opened_fit_data(self.made.source, None, None, self.options, silent)

    @cached_property
    def seen(self) -> np.ndarray:
        """Whether pretraining saw an image."""
        found = np.zeros(len(self.data.truth), bool)
        if self.trained.hashes:
            hashes = hashes_of(self.data.labels.data, self.trained.chips, silent)
            found[list(seen_share(hashes, self.trained.hashes).indices)] = True
        return found

    def divided(self, seed: int) -> FitData:
        """The set in the parts of this seed, which are those of `finetune`."""
        samples = self.data.labels.data
        names = [each.name for each in samples.classes]
        splits = [each.split for each in samples.samples]
        return replace(self.data, parts=three_parts(splits, self.data.places.ids, self.data.truth, names, seed))

    def answers(self, parts: FitData, train: np.ndarray, table: Any, answered: np.ndarray, seconds: float) -> Answers:
        """What is kept. answered: the images in the table, by number in the set."""
        used = np.concatenate([train, parts.parts.of("val")])
        counts = {"train": len(train), "val": len(used) - len(train), "seen": int(self.seen[used].sum())}
        names = tuple(parts.names(answered))
        return Answers(table, names, parts.places.ids[answered], self.seen[answered], counts, seconds)


def as_split(parts: FitData, train: np.ndarray) -> tuple[Labels, np.ndarray]:
    """The labels with the parts as their own split, and the number in the set of each of its samples."""
    data = parts.labels.data
    chosen = {"train": train, "val": parts.parts.of("val"), "test": parts.parts.of("test")}
    same = tuple(range(len(data.classes)))
    sets = [(part, Selection(data, tuple(each.tolist()), data.classes, same)) for part, each in chosen.items()]
    return Labels(join([each for each in sets if each[1].chosen]), parts.labels.reports), np.concatenate(
        list(chosen.values())
    )


# -- ways --------------------------------------------------------------------------------------------------------------


def cpu_seconds() -> float:
    """Of this process and its children that ended."""
    return sum(os.times()[:4])


def probed(opened: OpenedSet, item: Item, given: argparse.Namespace) -> dict[str, Answers]:
    """The frozen probe and, of whole sets, the same of the network untrained and of the baselines."""
    start = cpu_seconds()
    parts = opened.divided(item.seed)
    train = parts.drawn(item.fraction, item.seed)
    labels, order = as_split(parts, train)
    model = load_model(given.weights, "cpu")
    options = {**opened.options, "seed": item.seed, "weights": given.weights}
    run = probe_run(labels, model, "auto", "auto", options, silent)
    ends = np.cumsum([len(train), len(parts.parts.of("val"))])
    split = Parts(*np.split(np.arange(len(order)), ends))
    places = Places(np.unique(parts.places.ids[order], return_inverse=True)[1].astype(np.int64), parts.places.how)
    trial = Trial(labels.data, parts.truth[order], places, split, (), 1, 5, item.seed)
    findings = findings_of(run, trial, baselines=item.fraction == 1, shots=())
    seconds = cpu_seconds() - start
    return {
        way: opened.answers(parts, train, judged.tables[0], order[judged.samples], seconds)
        for way, judged in by_way([findings.main, *findings.others])
    }


def by_way(judged: Sequence[Judged]) -> Iterator[tuple[str, Judged]]:
    """The chosen method on the model's features, which is the first, and the other kinds of features."""
    ways = {UNTRAINED_TITLE: UNTRAINED, **{find(name).title: name for name in BASELINES}}
    yield PROBE, judged[0]
    for each in judged[1:]:
        if each.features in ways:
            yield ways[each.features], each


def fitted(opened: OpenedSet, item: Item, given: argparse.Namespace) -> dict[str, Answers]:
    """The model fine-tuned by the verb, on the part test."""
    start, folder = cpu_seconds(), given.kept / "runs" / item.folder / item.way
    weights, changes = (scratch(given, item.seed), ONE_RATE) if item.way == SCRATCH else (given.weights, ())
    found = finetune(
        opened.made.source,
        out=folder,
        weights=weights,
        seed=item.seed,
        fraction=item.fraction,
        set=[*changes, *given.changes],
        **opened.reading,
    )
    if not found.finished:
        raise KeyboardInterrupt
    parts = opened.divided(item.seed)
    options = {**opened.options, "seed": item.seed, "weights": folder / "weights"}
    answerer, test = answerer_of_head(load_model(folder / "weights", "cpu"), options), parts.parts.of("test")
    findings, _ = judged_answers(answerer, parts.labels, test.tolist(), options, silent)
    train = parts.drawn(item.fraction, item.seed)
    made = opened.answers(parts, train, findings.main.tables[0], test, cpu_seconds() - start)
    for name in HEAVY:
        shutil.rmtree(folder / name, ignore_errors=True)
    return {item.way: made}


def scratch(given: argparse.Namespace, seed: int) -> Path:
    """The folder of the same network with newly drawn weights."""
    folder = given.kept / "untrained" / f"seed-{seed}"
    if not (folder / "config.json").exists():
        untrained(load_model(given.weights, "cpu"), seed).save_pretrained(folder)
    return folder
