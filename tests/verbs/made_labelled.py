"""Labelled images in files that a read-out of random weights can tell apart, for the verbs on labels."""

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from made_rasters import NAMES, land, listing, write

SIDE = 16
SENSOR = "s2-l1c"
QUICK = ("--method", "ridge", "--repeats", 1, "--folds", 2)
"""The fewest fits that judge anything."""


def at(east: float, north: float = 0.0) -> Affine:
    """A place so many kilometres from the first."""
    return Affine(10.0, 0.0, 435730.0 + 1000 * east, 0.0, -10.0, 4179460.0 + 1000 * north)


def values_of(kind: int, seed: int, rows: int = SIDE, columns: int = SIDE) -> np.ndarray:
    """Stored values of an image of a kind: one third of the bands is brighter."""
    values = land(rows, columns, seed)
    values[kind::3] = values[kind::3] * 1.6
    return values


def picture(path: Path, kind: int, seed: int, rows: int = SIDE, columns: int = SIDE, **how) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return write(path, values_of(kind, seed, rows, columns), names=NAMES, **how)


def class_folders(folder: Path, counts: Mapping[str, int], first: int = 0, apart: float = 5.0) -> Path:
    """Folders of images of different kinds, named like water_0.tif, each so many km from the next. first: seed."""
    for kind, (name, count) in enumerate(counts.items()):
        for index in range(count):
            seed = first + 100 * kind + index
            picture(folder / name / f"{name}_{index}.tif", kind, seed, transform=at(apart * seed))
    return folder


def rows_of(folder: Path, count: int, classes: Sequence[str] = ("water", "forest"), first: int = 0) -> list[dict]:
    """Images in a folder, and what a table says of them: image, label."""
    found = []
    for index in range(count):
        kind = index % len(classes)
        picture(folder / f"{first + index}.tif", kind, first + index, transform=at(5.0 * (first + index)))
        found.append({"image": f"{first + index}.tif", "label": classes[kind]})
    return found


def table(path: Path, rows: Sequence[Mapping[str, object]]) -> Path:
    path.write_text("\n".join([",".join(rows[0]), *(",".join(map(str, row.values())) for row in rows)]) + "\n")
    return path


def halves(index: int, codes: Sequence[int], rows: int = SIDE, columns: int = SIDE) -> np.ndarray:
    """Indices of codes in bars of whole places (8 pixels) over the columns, other ones in each image."""
    return np.broadcast_to((np.arange(columns) // 8 + index) % len(codes), (rows, columns))


def masked(
    folder: Path,
    count: int = 6,
    codes: Sequence[int] = (0, 1, 2),
    sizes: Sequence[tuple[int, int]] = ((SIDE, 24),),
    apart: float = 5.0,
) -> Path:
    """images/N.tif and masks/N.tif; each class has brighter bands of its own, and every twelfth label is wrong, so that
    scores are not all 1."""
    for index in range(count):
        rows, columns = sizes[index % len(sizes)]
        kinds = halves(index, codes, rows, columns)
        values = np.stack([values_of(kind, index, rows, columns) for kind in range(len(codes))])
        image = np.take_along_axis(values, np.broadcast_to(kinds, values.shape[1:])[None], axis=0)[0]
        rng = np.random.default_rng(index)
        labels = np.where(rng.random(kinds.shape) < 1 / 12, rng.integers(len(codes), size=kinds.shape), kinds)
        for name, stored in (("images", image), ("masks", np.array(codes, "uint8")[labels][None])):
            (folder / name).mkdir(parents=True, exist_ok=True)
            names = NAMES if name == "images" else None
            write(folder / name / f"{index}.tif", stored, names=names, transform=at(apart * index))
    return folder


def pairs(folder: Path, count: int = 4, rows: int = SIDE, columns: int = 24) -> Path:
    """before/N.tif, after/N.tif and masks/N.tif; every third bar of places has changed."""
    for index in range(count):
        changed = np.broadcast_to((np.arange(columns) // 8 + index) % 3 == 0, (rows, columns))
        before, after = values_of(0, index, rows, columns), values_of(0, index + 50, rows, columns)
        after = np.where(changed, values_of(1, index + 50, rows, columns), after)
        for name, stored in (("before", before), ("after", after), ("masks", changed[None].astype("uint8"))):
            (folder / name).mkdir(parents=True, exist_ok=True)
            names = None if name == "masks" else NAMES
            write(folder / name / f"{index}.tif", stored, names=names, transform=at(5.0 * index))
    return folder


def edited(path: Path, change: Callable[[np.ndarray], np.ndarray]) -> None:
    """Write other values into a file."""
    with rasterio.open(path, "r+") as dataset:
        dataset.write(change(dataset.read()))


def copied(path: Path, target: Path) -> Path:
    """The same pixels in another file, encoded in another way and without a place."""
    with rasterio.open(path) as dataset:
        values, names = dataset.read(), dataset.descriptions
    target.parent.mkdir(parents=True, exist_ok=True)
    return write(target, values, names=names, crs=None, transform=Affine.identity(), compress="deflate", predictor=2)


def scores(ended) -> dict[str, float]:
    """All scores of a command that ended well, by name."""
    assert ended.code == 0, ended.err
    return ended.json["scores"]


def metrics(folder: Path) -> dict:
    return json.loads((folder / "metrics.json").read_text())


def refused(spectralgpt, folder: Path, words: Sequence[str], *arguments: object) -> str:
    """Assert exit 2, one message with these words, nothing on stdout and nothing new below the folder. Returns it."""
    before = listing(folder)
    ended = spectralgpt(*arguments)
    assert (ended.code, ended.out) == (2, ""), ended.err
    assert "Traceback" not in ended.err
    for word in words:
        assert word in ended.err, ended.err
    assert listing(folder) == before
    assert ended.err.count("expected") <= ended.err.count("found") + 1, ended.err
    return ended.err


def removed(folder: Path) -> Path:
    """A path where nothing is."""
    shutil.rmtree(folder, ignore_errors=True)
    return folder


def cache_of(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Path:
    """A cache of features of its own."""
    monkeypatch.setenv("SPECTRALGPT_CACHE", str(folder))
    return folder
