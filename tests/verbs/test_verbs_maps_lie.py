"""Every raster that a verb on a scene writes: a valid COG that lies on the input to the pixel."""

import shutil
import subprocess

import numpy as np
import pytest
import rasterio
from affine import Affine
from made_rasters import NAMES, land, write
from rio_cogeo.cogeo import cog_validate
from scipy.ndimage import maximum_filter

from made_headed_weights import headed_weights
from spectralgpt.raster.grid import composed

HEIGHT, WIDTH = 1107, 91
"""Neither square, nor whole patches; high enough for overviews of results with a pixel per pixel."""

PLACE = Affine(10.0, 0.0, 435730.0, 0.0, -12.0, 4179460.0)
"""Pixels are not square either."""


def hole() -> np.ndarray:
    """Where the scene has no data: an L, which lies otherwise in any mirror image and after any turn, and a rectangle
    that cuts places."""
    found = np.zeros((HEIGHT, WIDTH), bool)
    found[64:136, 8:16] = found[120:136, 8:56] = found[500:511, 40:75] = True
    return found


@pytest.fixture(scope="module")
def made(tmp_path_factory, weights) -> dict:
    """The folder of each verb's results."""
    from spectralgpt import change, embed, predict, reconstruct

    folder = tmp_path_factory.mktemp("lie")
    headed = headed_weights(weights, folder / "headed")
    values = land(HEIGHT, WIDTH)
    later = values + np.random.default_rng(1).integers(1, 30, values.shape).astype(np.uint16)
    for each in (values, later):
        each[:, hole()] = 0
    how = {"names": NAMES, "nodata": 0.0, "transform": PLACE}
    one = write(folder / "scene_2020-05-01.tif", values, **how)
    two = write(folder / "later_2021-05-01.tif", later, **how)
    layers = {"probabilities": True, "entropy": True}
    calls = {
        "embed": lambda out: embed(one, out, weights=weights, trust_input=True),
        "embed int8": lambda out: embed(one, out, weights=weights, trust_input=True, dtype="int8"),
        "reconstruct": lambda out: reconstruct(one, out, weights=weights, trust_input=True),
        "predict": lambda out: predict(one, out, weights=headed / "mask", trust_input=True, **layers),
        "predict classes": lambda out: predict(one, out, weights=headed / "classes", trust_input=True, **layers),
        "change": lambda out: change(one, two, out, weights=weights, trust_input=True),
        "change classes": lambda out: change(one, two, out, weights=headed / "change", trust_input=True),
    }
    found = {}
    for name, call in calls.items():
        out = folder / name
        out.mkdir()
        call(out / "o.tif")
        found[name] = out
    return found


FILES = [
    ("embed", "o.tif", 8),
    ("embed", "o.valid.tif", 8),
    ("embed int8", "o.tif", 8),
    ("reconstruct", "o.tif", 1),
    ("predict", "o.tif", 1),
    ("predict", "o.probabilities.tif", 1),
    ("predict", "o.entropy.tif", 1),
    ("predict classes", "o.tif", 16),
    ("predict classes", "o.probabilities.tif", 16),
    ("predict classes", "o.entropy.tif", 16),
    ("change", "o.tif", 8),
    ("change", "o.changed.tif", 8),
    ("change classes", "o.tif", 1),
]


def test_no_raster_is_left_out(made):
    written = {(name, path.name) for name, folder in made.items() for path in folder.glob("*.tif")}
    assert written - {("embed int8", "o.valid.tif")} == {(name, file) for name, file, _ in FILES}


@pytest.mark.parametrize(("name", "file", "reduce"), FILES)
def test_it_is_a_cog_and_nodata_lies_where_the_scene_has_none(made, name, file, reduce):
    path = made[name] / file
    is_valid, errors, warnings = cog_validate(path, strict=True)
    assert (is_valid, errors, warnings) == (True, [], [])
    if shutil.which("gdalinfo"):
        told = subprocess.run(["gdalinfo", "-checksum", path], capture_output=True, text=True, check=True)
        assert told.stderr == ""
    rows, columns = -(-HEIGHT // reduce), -(-WIDTH // reduce)
    with rasterio.open(path) as dataset:
        assert dataset.crs.to_epsg() == 32618
        assert dataset.transform == composed(PLACE, Affine.scale(reduce))
        assert dataset.shape == (rows, columns)
        structure = dataset.tags(ns="IMAGE_STRUCTURE")
        if dataset.count == 1 or structure["INTERLEAVE"] == "PIXEL":
            # GDAL 3.10 gives this mark, by which it reads a tile with one request, to no file of several bands that are
            # interleaved by band, and no option changes that: its COG driver always interleaves by pixel. Whole bands
            # of such maps are read alone, so they stay as they are, with headers and overviews in the order of a COG.
            assert structure["LAYOUT"] == "COG"
        values, nodata = dataset.read(), dataset.nodata
    padded = np.ones((rows * reduce, columns * reduce), bool)
    padded[:HEIGHT, :WIDTH] = hole()
    missing = padded.reshape(rows, reduce, columns, reduce)
    if file == "o.valid.tif":
        share = 100 * (1 - missing.mean(axis=(1, 3)))
        np.testing.assert_allclose(values[0], share, atol=1)
        np.testing.assert_array_equal(values[0] == 0, missing.all(axis=(1, 3)))
        return
    unknown = np.isnan(values) if np.isnan(nodata) else values == nodata
    if name == "predict classes":
        # asked about squares, each of two pixels of the map; most of the hole is smaller than these
        assert not unknown.any()
        return
    for band in unknown:
        np.testing.assert_array_equal(band, missing.all(axis=(1, 3)))


CLASS_MAPS = [("predict", "o.tif"), ("change", "o.changed.tif"), ("change classes", "o.tif")]


@pytest.mark.parametrize(("name", "file"), CLASS_MAPS)
def test_palette_and_names_survive_in_overviews(made, name, file):
    """Nearest: an overview has no class that the map does not have, and the palette is that of the map."""
    with rasterio.open(made[name] / file) as dataset:
        whole, palette, levels = dataset.read(1), dataset.colormap(1), dataset.overviews(1)
    assert (made[name] / f"{file}.aux.xml").exists(), "names of classes"
    if dataset.height < 512:
        return
    assert levels
    for level in range(len(levels)):
        with rasterio.open(made[name] / file, overview_level=level) as dataset:
            assert dataset.colormap(1) == palette
            small = dataset.read(1)
        assert set(np.unique(small)) <= set(np.unique(whole))
        # each pixel of an overview is one of the map, at most two pixels of the overview away
        at = [
            np.minimum((np.arange(few) + 0.5) * many // few, many - 1).astype(int)
            for few, many in zip(small.shape, whole.shape, strict=True)
        ]
        for value in np.unique(small):
            near = maximum_filter(whole == value, size=4 * levels[level] + 1)
            assert near[np.ix_(*at)][small == value].all()


def test_reconstruct_gives_back_what_was_visible_at_its_pixel(made):
    with (
        rasterio.open(made["reconstruct"] / "o.tif") as found,
        rasterio.open(made["reconstruct"].parent / "scene_2020-05-01.tif") as scene,
    ):
        same = found.read() == scene.read([1 + NAMES.index(name) for name in found.descriptions])
    known = ~hole()
    share = same[:, known].mean()
    assert 0.2 < share < 0.4, "a quarter is visible"
