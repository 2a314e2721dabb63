"""Each fine-tuning recipe, at width 32 and depth 2, learns 8 made samples by heart, and the result predicts."""

from dataclasses import replace

import numpy as np
import pytest
from affine import Affine

from spectralgpt import recipes
from spectralgpt.bands import sensor
from spectralgpt.data import shard_labels
from spectralgpt.data.labels import LabelledImage, LabelledSample
from spectralgpt.nn import Size
from spectralgpt.raster import Grid, Pixels
from spectralgpt.recipes import LabelFacts
from spectralgpt.settings import changed
from spectralgpt.tasks import Class
from spectralgpt.training import run_training
from spectralgpt.weights import open_weights

RUNS = [
    *(("own", target) for target in ("class", "classes", "mask", "change")),
    ("eurosat", "class"),
    ("bigearthnet", "classes"),
    ("bigearthnet-10", "classes"),
    ("segmunich", "mask"),
    ("oscd", "change"),
]
CUBE, COUNT = 32, 8


class MadeSet:
    """Dark land with bright parts: where and when they are bright is the label."""

    def __init__(self, target: str):
        self.source, self.target, self.notes = "made", target, ()
        self.classes = (Class("dark"), Class("bright"))
        labels = {"class": lambda i: (i % 2,), "classes": lambda i: (0, 1) if i % 4 == 3 else (i % 2,)}
        self.samples = tuple(
            LabelledSample(f"s{i}", labels.get(target, lambda _: ())(i), "train") for i in range(COUNT)
        )

    def read(self, index: int) -> LabelledImage:
        rng = np.random.default_rng(index)
        bands, dates = sensor("s2-l1c").bands, 2 if self.target == "change" else 1
        values = rng.integers(800, 1000, (dates, len(bands), CUBE, CUBE)).astype("uint16")
        bright = np.zeros((CUBE, CUBE), bool)
        if self.target in ("mask", "change"):
            bright[:, : CUBE // 2] = index % 2 == 0
            bright[: CUBE // 2] |= index % 3 == 0
        else:
            bright[: CUBE // 2] = 1 in self.samples[index].labels
            values[-1, :, CUBE // 2 :] += np.uint16(1500) * (0 in self.samples[index].labels)
        values[-1, :, bright] += 3000
        days = np.arange(dates, dtype=np.int32) * 100 + 18_000
        scale, offset = np.full(len(bands), 1e-4), np.zeros(len(bands))
        grid = Grid(None, Affine.identity(), CUBE, CUBE)
        pixels = Pixels(values, None, scale, offset, bands, grid, days, 10.0)
        mask = bright.astype(np.int16) if self.target in ("mask", "change") else None
        return LabelledImage(pixels, mask)


@pytest.mark.parametrize(("name", "target"), RUNS)
def test_it_learns_eight_samples_by_heart(name, target, tmp_path):
    data = MadeSet(target)
    shard_labels(data, tmp_path / "shards", splits=["train"] * COUNT, groups=[f"{i}" for i in range(COUNT)], chip=CUBE)
    recipe = recipes.find("finetuning", name)(LabelFacts(target, 2, COUNT, CUBE, 2 if target == "change" else 1))
    recipe = replace(recipe, model=replace(recipe.model, shape=Size(32, 2, 2, 32, 1, 2), normalization="standard"))
    rates = ["lr=1e-2", "layer_decay=none", "head_factor=1", "weight_decay=0", "warmup=0.1"]
    plain = ["drop_path=0", "smoothing=0"]
    images = [
        "erasing=0",
        "cutmix=0",
        "area=1,1",
        "aspect=1,1",
        "flips=false",
        "turns=false",
        f"image={CUBE}",
        "batch=8",
    ]
    mixup = ["mixup=0"] if target in ("class", "classes") else ["channels=16"]
    length = ["epochs=none", "steps=60"]
    machine = ["machine.micro=8", "machine.workers=0", "machine.tensorboard=false", "machine.save_every=1000"]
    settings = [*[f"stages.0.{each}" for each in (*length, *rates, *plain, *images, *mixup)], *machine]
    result = run_training(changed(recipe, settings), tmp_path / "shards", tmp_path / "run", device="cpu")
    model = open_weights(result.weights)
    for index, sample in enumerate(data.samples):
        image = data.read(index)
        answer = model.predict(model.cube(image.image)).classes[0].numpy()
        if target == "class":
            assert answer == sample.labels[0]
        elif target == "classes":
            assert np.flatnonzero(answer).tolist() == list(sample.labels)
        else:
            assert (answer == image.mask).mean() > 0.97
