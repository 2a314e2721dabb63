"""The commands and the Python of docs/mapping.md, one after the other, on the demo's scene and labels cut from it."""

import re
import shlex

import numpy as np
import pytest
import rasterio
from affine import Affine
from made_rasters import write
from PIL import Image

from spectralgpt import Window, open_raster

SIDE, COUNT = 24, 12


@pytest.fixture
def page(root) -> str:
    return (root / "docs" / "mapping.md").read_text(encoding="utf-8")


def classes_of(reflectance: np.ndarray, names: list[str]) -> np.ndarray:
    """The codes of the page: 1 water, 2 vegetation, 3 open ground, by two indices."""
    green, red, infrared = (reflectance[names.index(name)] for name in ("B3", "B4", "B8"))
    water, plants = (green - infrared) / (green + infrared), (infrared - red) / (infrared + red)
    return np.select([water > 0, plants > 0.45], [1, 2], 3).astype("uint8")


@pytest.fixture
def labels(demo_scene, tmp_path):
    """labelled/ of the west of the scene, and scene.tif, a part of the east; returns the codes of that part."""
    with open_raster(demo_scene) as raster:
        names, grid = [band.name for band in raster.bands], raster.grid
        for index in range(COUNT):
            window = Window(40 * index, 30 * (index % 5), SIDE, SIDE)
            values = raster.read(window).values[0]
            # a hundred kilometres apart, as images nearer than one are of one place
            place = Affine.translation(1e5 * index, 0) @ grid.window(window).transform
            for folder, stored in (("images", values), ("masks", classes_of(values / 1e4, names)[None])):
                (tmp_path / "labelled" / folder).mkdir(parents=True, exist_ok=True)
                write(
                    tmp_path / "labelled" / folder / f"{index}.tif",
                    stored,
                    names=names if folder == "images" else None,
                    transform=place,
                )
        part = Window(200, 330, 120, 150)
        values = raster.read(part).values[0]
        write(tmp_path / "scene.tif", values, names=names, transform=grid.window(part).transform)
    return classes_of(values / 1e4, names)


def test_from_labels_to_a_mapped_scene(page, labels, tmp_path, spectralgpt, monkeypatch):
    (tmp_path / "classes.toml").write_text(re.search(r"```toml\n(.*?)```", page, re.DOTALL)[1])
    monkeypatch.chdir(tmp_path)
    written = [line for line in page.splitlines() if line.startswith("spectralgpt ")]
    assert [line.split()[1] for line in written] == ["probe", "predict", "inspect", "finetune", "predict"]
    quick = {"probe": ["--repeats", 1, "--folds", 2, "--method", "ridge"], "finetune": ["--set", "stages.0.epochs=1"]}
    for line in written:
        verb = line.split()[1]
        ended = spectralgpt(*shlex.split(line)[1:], *quick.get(verb, ()))
        assert ended.code == 0, ended.err
        if verb == "predict":
            # fine-tuned for one epoch, which need not find all classes
            found = ("vegetation",) if "map.tif" in line else ("water", "vegetation", "open ground")
            assert any(name in ended.out for name in found)
    files = re.search(r"\n((?:map\..*\n)+)", page)[1]
    for name in (line.split()[0] for line in files.splitlines()):
        assert (tmp_path / name).exists()
    assert (tmp_path / "fine.probabilities.tif").exists()
    with rasterio.open("map.tif") as dataset:
        found = dataset.read(1)
        assert dataset.colormap(1)[0][:3] == (0x21, 0x66, 0xAC)
    agreed = found == labels - 1
    assert agreed.mean() > 0.85
    assert agreed.mean() > (found == (labels - 1)[::-1]).mean() + 0.2
    exec("\n".join(re.findall(r"```python\n(.*?)```", page, re.DOTALL)), made := {})
    assert set(made["hectares"]) == {"water", "vegetation", "open ground"}
    assert sum(made["hectares"].values()) == pytest.approx(labels.size / 100)
    np.testing.assert_array_equal(made["water"], found == 0)
    with Image.open("map.png") as picture:
        assert picture.size[0] > picture.size[1]
