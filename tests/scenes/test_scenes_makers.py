"""Makers of maps and rebuilt scenes: notes and stored values of pieces add up to those of the whole scene."""

import json
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
import rasterio
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from made_rasters import NAMES, land, write

from spectralgpt.bands import BandSet, sensor
from spectralgpt.checks import check
from spectralgpt.metrics import ErrorSums
from spectralgpt.nn import BandStatistics, ModelConfig, Normalization, Size, aligned_reflectance
from spectralgpt.products import open_raster
from spectralgpt.raster import Profile, Raster, Window
from spectralgpt.scenes import (
    AnswerMaker,
    Maker,
    Piece,
    Plan,
    embed_scene,
    map_scene,
    plan_scene,
    reconstruct_scene,
    windows,
)
from spectralgpt.scenes.picture import component_picture
from spectralgpt.scenes.reconstruction import StoredAs
from spectralgpt.scenes.windows import Answering, WindowBatch, scene_alignment
from spectralgpt.tasks import Answers, Class, Embeddings
from spectralgpt.weights import SpectralGPT


@pytest.fixture(scope="module")
def model() -> SpectralGPT:
    torch.manual_seed(0)
    normalization = Normalization("standard", tuple(BandStatistics(band, 2.0, 1.0) for band in sensor("s2-l1c").bands))
    config = ModelConfig(Size(48, 2, 4, 32, 1, 4), BandSet.native(sensor("spectralgpt-12").bands))
    return SpectralGPT(config, normalization).eval()


@pytest.fixture
def scene(tmp_path) -> Raster:
    """A Level-1C scene with a hole in all bands, and one in a single band."""
    values = land(200, 140)
    r, c = np.mgrid[:200, :140]
    values[:, (r - 60) ** 2 + (c - 40) ** 2 < 25**2] = 0
    values[3, 150:170, 70:120] = 0
    with open_raster(write(tmp_path / "scene_2020-05-01.tif", values, names=NAMES, nodata=0.0)) as raster:
        yield raster


@pytest.fixture
def asked(monkeypatch) -> list[Window | None]:
    """The windows that are read from rasters."""
    found, read = [], Raster.read

    def counting(self, window=None):
        found.append(window)
        return read(self, window)

    monkeypatch.setattr(Raster, "read", counting)
    return found


def clipped(raster: Raster, plan: Plan) -> list[Window]:
    """The parts of a plan's windows that lie on the scene."""
    all_of_them = (window for row in range(len(plan.rows)) for group in plan.groups(row) for window in group)
    return [raster.grid.whole.intersection(window) for window in all_of_them]


def test_each_window_is_read_once_and_the_alignment_planned_once(scene, model, tmp_path, asked, monkeypatch):
    """For a rebuilt scene, the part that the figure shows is read once more at the end."""
    planned, align, verdict = [], windows.align, check(scene)
    monkeypatch.setattr("spectralgpt.scenes.run.usual_readers", lambda: 1)  # so that they are asked for in order

    def once(*arguments, **options):
        planned.append(arguments)
        return align(*arguments, **options)

    def never(*_, **__):
        raise AssertionError("a group of windows plans its own")

    monkeypatch.setattr(windows, "align", once)
    monkeypatch.setattr("spectralgpt.nn.cube.align", never)
    plan = plan_scene(200, 140, patch=8, side=128, overlap=0.6, batch=2)
    assert len(plan.rows) == 3
    asked.clear()
    embed_scene(scene, model, tmp_path / "e.tif", verdict=verdict, overlap=0.6, batch=2)
    assert asked == clipped(scene, plan)
    asked.clear()
    reconstruct_scene(scene, model, tmp_path / "r.tif", verdict=verdict, overlap=0.6, batch=2)
    assert asked == [*clipped(scene, plan), Window(0, 0, 200, 140)]
    assert len(planned) == 2, "once per scene"


@pytest.mark.parametrize("make", [embed_scene, reconstruct_scene])
def test_windows_without_data_are_not_computed(model, tmp_path, monkeypatch, make):
    """And nothing changes by that: in the upper left there is no data, in one group for no window."""
    values = land(200, 440)
    values[:, :140, :330] = 0
    plan = plan_scene(200, 440, patch=8, side=128, batch=2)
    empty = [
        w for row in range(2) for group in plan.groups(row) for w in group if w.end_row <= 140 and w.end_column <= 330
    ]
    assert len(empty) == 3
    with open_raster(write(tmp_path / "s_2020-05-01.tif", values, names=NAMES, nodata=0.0)) as raster:
        found, cube = [], SpectralGPT.cube

        def counted(self, pixels, **how):
            found.append(len(pixels.values))
            return cube(self, pixels, **how)

        monkeypatch.setattr(SpectralGPT, "cube", counted)
        make(raster, model, tmp_path / "some.tif", verdict=check(raster), batch=2)
        # the number of channels of embeddings comes from an answer: of the group without data one window is computed
        assert sum(found) == plan.count - len(empty) + (make is embed_scene)
        monkeypatch.setattr(WindowBatch, "seen", property(lambda self: np.ones(len(self.values), bool)))
        make(raster, model, tmp_path / "all.tif", verdict=check(raster), batch=2)
    with rasterio.open(tmp_path / "some.tif") as some, rasterio.open(tmp_path / "all.tif") as every:
        np.testing.assert_allclose(some.read(), every.read(), rtol=1e-5, atol=1e-5 if make is embed_scene else 1)
        assert some.tags() == every.tags()


# -- rebuilt scenes ---------------------------------------------------------------------------------------------------


def test_errors_are_those_of_the_whole_scene(scene, model, tmp_path):
    result = reconstruct_scene(scene, model, tmp_path / "r.tif", verdict=check(scene), hide="B11,0.5", seed=3)
    alignment = scene_alignment(scene, model, own=False)
    whole = scene.read()
    truth, known = (each[0].numpy() for each in aligned_reflectance(whole, alignment))
    with rasterio.open(tmp_path / "r.tif") as dataset:
        rebuilt = dataset.read() * 1e-4
    visible = whole.values[0, alignment.taken_alone] * 1e-4 == rebuilt
    for row, name in enumerate(alignment.bandset.names):
        # a prediction that is rounded to the truth looks visible here
        there = known[0, row] & (~visible[row] if name not in ("B9", "B11", "B12") else True)
        error = np.sqrt(((rebuilt[row] - truth[0, row])[there] ** 2).mean())
        assert result.error[name] == pytest.approx(error, rel=2e-2, abs=5e-5)
        if name in ("B9", "B11", "B12"):
            assert result.error[name] == pytest.approx(error, rel=1e-3, abs=5e-5)
            assert result.spread[name] == pytest.approx(truth[0, row][there].astype(np.float64).std(), rel=1e-9)
    assert list(result.error)[:1] == ["B11"]
    hidden = (known[0] & ~visible).sum() / known.sum()
    assert result.hidden == pytest.approx(hidden, rel=1e-2)


@settings(max_examples=60)
@given(
    seed=st.integers(0, 2**32 - 1),
    rows=st.lists(st.integers(1, 6), min_size=1, max_size=4),
    columns=st.lists(st.integers(1, 6), min_size=1, max_size=4),
)
def test_sums_of_parts_are_the_whole_s(seed, rows, columns):
    """Also through JSON, with pieces joined to rows and rows to the scene, however it is cut."""
    draw, shape = np.random.default_rng(seed), (2, 3, sum(rows), sum(columns))
    truth, prediction = draw.normal(size=shape).astype(np.float32), draw.normal(size=shape)
    hidden, known = draw.random(shape) < 0.7, draw.random(shape) < draw.choice([0.6, 1.0])
    of_rows = []
    for top, height in zip(np.cumsum([0, *rows]), rows, strict=False):
        part = []
        for left, width in zip(np.cumsum([0, *columns]), columns, strict=False):
            there = np.s_[..., top : top + height, left : left + width]
            part.append(ErrorSums.of(truth[there], prediction[there], hidden[there], known[there]))
        joined = sum(part[1:], part[0])
        of_rows.append(ErrorSums.from_notes(json.loads(json.dumps(joined.notes))))
    found, expected = sum(of_rows[1:], of_rows[0]), ErrorSums.of(truth, prediction, hidden, known)
    np.testing.assert_allclose(found.sums, expected.sums, rtol=1e-12, atol=1e-12)
    assert (found.known, found.all_known) == (expected.known, expected.all_known)
    assert found.all_known == known.all()


@pytest.mark.parametrize("hide", ["0.5", "2020-06-01"])
def test_the_sample_is_the_middle_as_it_is_stored(model, tmp_path, monkeypatch, hide):
    """Truth from the image; where hidden, the values of TARGET; on the first hidden date."""
    monkeypatch.setattr("spectralgpt.scenes.reconstruction.SAMPLE_SIDE", 64)
    for number, day in enumerate(("2020-05-01", "2020-06-01")):
        values = land(120, 104, number)
        values[:, 50:60, 40:50] = 0
        write(tmp_path / f"{day}.tif", values, names=NAMES, nodata=0.0)
    with open_raster(sorted(tmp_path.glob("*.tif"))) as raster:
        result = reconstruct_scene(raster, model, tmp_path / "r.tif", verdict=check(raster), hide=hide)
        reflectance, valid = aligned_reflectance(raster.read(), scene_alignment(raster, model, own=False))
    date = int(hide == "2020-06-01")
    part = np.s_[24 : 24 + 64, 16 : 16 + 64]
    truth, known = (each[0, date].numpy()[:, *part] for each in (reflectance, valid))
    sample = result.sample
    np.testing.assert_array_equal(sample.truth, np.where(known, truth, np.nan))
    with rasterio.open(tmp_path / "r.tif") as dataset:
        stored = dataset.read().reshape(2, 12, 120, 104)[date][:, *part]
    np.testing.assert_array_equal(
        sample.rebuilt, np.where(known, np.where(sample.hidden, (stored * 1e-4).astype(np.float32), truth), np.nan)
    )
    assert sample.hidden.mean() == pytest.approx(1.0 if hide == "2020-06-01" else 0.5, abs=0.1)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32"])
def test_what_is_stored_is_read_back_to_half_a_step(dtype):
    kept_as = StoredAs(np.dtype(dtype), 0.01, -0.1, None, (0,))
    draw = np.random.default_rng(0)
    prediction = draw.uniform(-0.05, 0.8, size=(1, 1, 20, 20))
    every = np.ones(prediction.shape, bool)
    stored = kept_as.stored(np.zeros_like(prediction, dtype), prediction.astype(np.float32), prediction, every, every)
    assert stored.dtype == np.dtype(dtype)
    assert np.abs(kept_as.reflectance(stored) - prediction).max() <= (0.0050001 if dtype != "float32" else 1e-6)


# -- maps -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class BrighterBand:
    """A made-up task with a map that needs no file in scenes/: which of two bands is brighter in each pixel."""

    first: str
    second: str
    reduce: int = 1
    dtype: np.dtype = field(default_factory=lambda: np.dtype(np.uint8))
    nodata: float | None = 255.0
    classes: tuple[Class, ...] = (Class("first", "#ff0000"), Class("second"))

    def names(self, bands, dates):
        return (f"brighter of {self.first} and {self.second}",)

    def answer(self, model, cube):
        rows = [cube.bands.names.index(name) for name in (self.first, self.second)]
        return cube.scaling.reflectance(cube.values)[:, 0, rows], cube.all_valid()[:, 0, rows].all(dim=1, keepdim=True)

    def stored(self, values, valid):
        return np.where(valid[:1], values.argmax(axis=0)[None], 255).astype(np.uint8)


def test_a_map_of_another_task(scene, model, tmp_path):
    """An asymmetric scene: the map lies on it to the pixel."""
    answers = BrighterBand("B2", "B8")
    assert isinstance(answers, Answers)
    result = map_scene(scene, model, answers, tmp_path / "c.tif", verdict=check(scene), verb={"verb": "a test"})
    assert (result.rows, result.columns, result.bands, result.picture) == (200, 140, 1, None)
    values = scene.read().values[0].astype(int)
    blue, infrared = values[NAMES.index("B2")], values[NAMES.index("B8")]
    with rasterio.open(tmp_path / "c.tif") as dataset:
        found, tags = dataset.read(1), dataset.tags()
        assert dataset.transform == scene.grid.transform
        assert (dataset.dtypes[0], dataset.nodata) == ("uint8", 255)
        assert dataset.descriptions == ("brighter of B2 and B8",)
    hole = (blue == 0) | (infrared == 0)
    # blending reflectances in floats: equal values may fall to either side
    clear = ~hole & (blue != infrared)
    np.testing.assert_array_equal(found[clear], (infrared > blue)[clear])
    assert (found[hole] == 255).all()
    assert hole.sum() > 1000
    assert json.loads(tags["SPECTRALGPT_CLASSES"]) == [
        {"name": "first", "colour": "#ff0000"},
        {"name": "second", "colour": "#ff7f0e"},
    ]
    assert json.loads(tags["SPECTRALGPT_PARAMETERS"])["verb"] == "a test"


def maker_of_embeddings(scene, model, **how) -> AnswerMaker:
    alignment = scene_alignment(scene, model, own=False)
    answers = Embeddings.of(model, "group")
    return AnswerMaker(
        raster=scene,
        answering=Answering(model, answers, alignment, None, max(scene.grid.shape), False, "fp32"),
        names=answers.names(alignment.bandset, scene.dates),
        plan=plan_scene(*scene.grid.shape, patch=8, side=128, batch=8, reduce=8),
        tags={},
        **how,
    )


def test_reading_may_run_in_threads(scene, model):
    maker = maker_of_embeddings(scene, model)
    assert isinstance(maker, Maker)
    groups = [group for row in range(len(maker.plan.rows)) for group in maker.plan.groups(row)]
    here = [maker.read(group) for group in groups]
    with ThreadPoolExecutor(3) as threads:
        there = list(threads.map(maker.read, groups))
    for one, other in zip(here, there, strict=True):
        np.testing.assert_array_equal(one.values, other.values)
        assert (one.valid is None) == (other.valid is None)
        if one.valid is not None:
            np.testing.assert_array_equal(one.valid, other.valid)


@settings(max_examples=40)
@given(seed=st.integers(0, 2**32 - 1), cuts=st.lists(st.integers(1, 5), min_size=1, max_size=4), junk=st.booleans())
def test_largest_magnitudes_are_the_whole_map_s_to_the_bit(maker, seed, cuts, junk):
    draw = np.random.default_rng(seed)
    stored = (draw.normal(size=(maker.bands, 3, sum(cuts))) * 10.0 ** draw.integers(-30, 30)).astype(np.float32)
    if junk:
        stored[draw.random(stored.shape) < 0.3] = np.nan
        stored[1] = np.nan
    notes = []
    for left, width in zip(np.cumsum([0, *cuts]), cuts, strict=False):
        part = stored[:, :, left : left + width]
        piece = Piece(Window(0, int(left), 3, width), part.astype(np.float64), ~np.isnan(part), None, 0)
        notes.append(json.loads(json.dumps(maker.joined([maker.notes(piece, part)]))))
    summary = replace(maker, picture=False).merged(notes, [stored])
    np.testing.assert_array_equal(summary.largest, np.nanmax(np.abs(stored), axis=(1, 2), initial=0.0))
    scales = maker.profile(summary).scale
    assert scales == tuple(float(value) / 127 or 1.0 for value in summary.largest)


@pytest.fixture(scope="module")
def maker(model, tmp_path_factory) -> AnswerMaker:
    path = write(tmp_path_factory.mktemp("scene") / "s_2020-05-01.tif", land(60, 50), names=NAMES)
    with open_raster(path) as raster:
        return maker_of_embeddings(raster, model, int8=True)


def test_codes_are_the_nearest(maker):
    draw = np.random.default_rng(1)
    stored = draw.normal(size=(maker.bands, 5, 7)).astype(np.float32)
    stored[3, 2, 2:4] = np.nan
    scale = np.abs(np.nan_to_num(stored)).max(axis=(1, 2)) / 127
    profile = Profile(maker.grid, maker.bands, "int8", scale=tuple(map(float, scale)))
    codes = maker.encoded(stored, profile)
    assert codes.dtype == np.int8
    known = ~np.isnan(stored)
    assert (codes[~known] == -128).all()
    assert np.abs(codes * scale[:, None, None] - stored)[known].max() <= 0.5001 * scale.max()
    assert set(np.abs(codes[known.all(axis=(1, 2))].astype(int)).max(axis=(1, 2))) == {127}


def whole_picture(values: np.ndarray, every: int) -> np.ndarray:
    """The picture of a map that is one array: components of evenly sampled places, stretched over all places."""
    vectors = values[:, ::every, ::every].reshape(len(values), -1).T
    vectors = vectors[~np.isnan(vectors).any(axis=1)]
    mean = vectors.mean(axis=0)
    spread = (vectors - mean).astype(np.float64)
    axes = np.linalg.eigh(spread.T @ spread)[1][:, :-4:-1]
    strongest = axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])]
    components = (np.moveaxis(values, 0, -1) - mean).astype(np.float64) @ (axes * np.where(strongest < 0, -1.0, 1.0))
    known = ~np.isnan(components).any(axis=-1)
    low, high = np.quantile(components[known], (0.02, 0.98), axis=0)
    picture = np.zeros((*components.shape[:2], 4), np.uint8)
    picture[known, :3] = np.clip((components[known] - low) / (high - low) * 255, 0, 255)
    picture[known, 3] = 255
    return picture


def made_map(shape: tuple[int, int, int], seed: int, holes: bool) -> np.ndarray:
    draw = np.random.default_rng(seed)
    values = draw.normal(size=shape) * np.linspace(1, 4, shape[0])[:, None, None] + 3
    if holes:
        values[:, draw.random(shape[1:]) < 0.2] = np.nan
    return values.astype(np.float32)


@pytest.mark.parametrize("holes", [False, True])
@pytest.mark.parametrize("rows", [[40], [12, 12, 16], [1] * 40])
def test_the_picture_of_block_rows_is_the_whole_map_s(rows, holes):
    values = made_map((6, 40, 30), 0, holes)
    stops = np.cumsum(rows)
    blocks = [values[:, stop - height : stop] for height, stop in zip(rows, stops, strict=True)]
    found = component_picture(blocks, (40, 30)).astype(int)
    expected = whole_picture(values, 1).astype(int)
    # the sums for the components have another order
    assert np.abs(found - expected).max() <= 1
    assert (found != expected).mean() < 0.001


def test_a_large_map_is_drawn_at_every_so_manieth_place(monkeypatch):
    values = made_map((5, 41, 30), 1, holes=True)
    monkeypatch.setattr("spectralgpt.scenes.picture.PICTURE_PLACES", 41 * 30 // 6)
    apart = component_picture([values[:, :7], values[:, 7:8], values[:, 8:]], (41, 30))
    assert apart.shape == (14, 10, 4), "every third"
    assert ((apart[..., 3] == 0) == np.isnan(values[0, ::3, ::3])).all()
    assert np.abs(apart[apart[..., 3] > 0].astype(int).mean(axis=0)[:3] - 127).max() < 30


def test_a_picture_of_nothing():
    assert (component_picture([np.full((4, 3, 5), np.nan, np.float32)], (3, 5)) == 0).all()


def test_memory_of_the_picture_is_the_picture_s(monkeypatch):
    """It does not grow with the map: for 25 times the places, the same number is drawn and sampled."""
    monkeypatch.setattr("spectralgpt.scenes.picture.PICTURE_PLACES", 10_000)
    monkeypatch.setattr("spectralgpt.scenes.picture.VECTORS", 5_000)
    peaks = []
    for side in (96, 480):
        block = made_map((8, 16, side), 2, holes=True)
        tracemalloc.start()
        component_picture([block] * (side // 16), (side, side))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.5 * peaks[0], f"{peaks} bytes"
