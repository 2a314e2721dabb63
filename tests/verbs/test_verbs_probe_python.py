"""probe and evaluate in Python: data sets of other libraries in place of files, and results that are values."""

import numpy as np
import pytest

from made_labelled import class_folders, values_of
from spectralgpt import evaluate, probe
from spectralgpt.data.labels import SampleSet
from spectralgpt.features import Probe


class Scenes:
    """A data set like TorchGeo's: indexable, each sample a mapping of arrays."""

    classes = ("forest", "water")

    def __init__(self, count: int = 10, first: int = 0, masks: bool = False):
        self.count, self.first, self.masks = count, first, masks

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> dict:
        if index >= self.count:
            raise IndexError(index)
        kinds = np.broadcast_to((np.arange(16) // 8 + index) % 2, (16, 16))
        values = [values_of(kind, self.first + index) / 10000 for kind in range(2)]
        if self.masks:
            return {"image": np.where(kinds, values[1], values[0]).astype("float32"), "mask": kinds.copy()}
        return {"image": values[index % 2].astype("float32"), "label": index % 2}


@pytest.mark.parametrize("masks", [False, True])
def test_a_data_set_in_memory(masks, weights, tmp_path):
    data = SampleSet(Scenes(masks=masks), bands="s2-l1c", gsd=10)
    found = probe(data, weights=weights, method="ridge", folds=2, repeats=1, out=tmp_path / "out")
    assert found.target == ("mask" if masks else "class")
    assert found.value > 0.8
    assert found.counts["images"] == 10
    assert "Scenes: 10 samples" in found.report
    assert "no sample has a group or a position" in " ".join(found.warnings)
    other = SampleSet(Scenes(first=50, masks=masks), bands="s2-l1c", gsd=10)
    judged = evaluate(other, weights=tmp_path / "out")
    assert (judged.marks, judged.value > 0.8) == ((), True)
    again = evaluate(data, weights=tmp_path / "out")
    assert "fitted to 10 of 10 images" in again.marks[0]


def test_files_and_a_data_set_in_memory_together(weights, tmp_path):
    folder = class_folders(tmp_path / "land", {"forest": 4, "water": 4})
    test = SampleSet(Scenes(6, first=50), bands="s2-l1c", gsd=10)
    found = probe(folder, test=test, weights=weights, method="ridge")
    assert found.split == "given split: 8 train, 0 val, 6 test"
    assert dict(found.per_class) == {"forest": 3, "water": 3}


def test_a_saved_probe_answers_in_python(weights, tmp_path):
    data = SampleSet(Scenes(), bands="s2-l1c", gsd=10)
    probe(data, weights=weights, method="ridge", folds=2, repeats=1, out=tmp_path / "out")
    kept = Probe.load(tmp_path / "out")
    answered = [kept.predict(data.read(index).image) for index in range(10)]
    truth = [sample.labels[0] for sample in data.samples]
    assert np.mean([answer.argmax() == label for answer, label in zip(answered, truth, strict=True)]) == 1
    assert [one.name for one in kept.classes] == ["forest", "water"]
