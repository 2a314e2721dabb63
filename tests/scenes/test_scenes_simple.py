"""The simple way for what is hidden of a scene: the pixels it is measured on, and that parts add up to the scene."""

import json
from dataclasses import replace

import numpy as np
import pytest
import rasterio
import torch
from made_rasters import NAMES, land, write
from real_rasters import real

from spectralgpt.bands import BandSet, from_wavelengths, sensor
from spectralgpt.checks import check
from spectralgpt.nn import BandStatistics, Hide, ModelConfig, Normalization, Size, aligned_reflectance, hidden_tokens
from spectralgpt.products import open_raster
from spectralgpt.raster import Window
from spectralgpt.scenes import plan_scene, reconstruct_scene
from spectralgpt.scenes.journal import MOST_NOTES
from spectralgpt.scenes.reconstruction import ReconstructionMaker
from spectralgpt.scenes.simple import FromBands, FromDates, FromPlaces, RebuiltPart, simple_way
from spectralgpt.scenes.windows import scene_alignment
from spectralgpt.weights import SpectralGPT

BANDS = BandSet.native(sensor("spectralgpt-12").bands)


@pytest.fixture(scope="module")
def model() -> SpectralGPT:
    torch.manual_seed(0)
    normalization = Normalization("standard", tuple(BandStatistics(band, 2.0, 1.0) for band in sensor("s2-l1c").bands))
    return SpectralGPT(ModelConfig(Size(48, 2, 4, 32, 1, 4), BANDS), normalization).eval()


def plan(height: int = 200, width: int = 168, side: int = 64):
    return plan_scene(height, width, patch=8, side=side, batch=4)


def made(hide: Hide, dates: int, height: int, width: int, seed: int = 0) -> list[np.ndarray]:
    """Truth, hidden, known and a prediction of a scene, padded to whole patches."""
    draw, shape = np.random.default_rng(seed), (dates, 12, -(-height // 8) * 8, -(-width // 8) * 8)
    truth = draw.uniform(0.1, 0.5, shape).astype(np.float32)
    known = draw.random(shape) < 0.9
    known[..., height:, :] = known[..., width:] = False
    tokens = hidden_tokens(hide, 5, dates, 4, np.arange(shape[2] // 8), np.arange(shape[3] // 8))
    hidden = tokens[:, BANDS.group_of_band].repeat(8, axis=2).repeat(8, axis=3)
    return [truth, hidden, known, draw.uniform(0.1, 0.5, shape)]


def parts(plan, truth, hidden, known, prediction):
    for row, block in zip(plan.rows, plan.block_rows, strict=True):
        for column, across in zip(plan.columns, plan.block_columns, strict=True):
            window = Window(row, column, plan.side_rows, plan.side_columns)
            there = (..., *window.slices)
            piece = prediction[..., slice(*block), slice(*across)]
            yield RebuiltPart(window, truth[there], hidden[there], known[there], piece)


def total(way, found):
    first, *others = (way.read(json.loads(json.dumps(way.of(part).notes))) for part in found)
    return way.sums(sum(others, first)).sums


# -- which way, on which pixels ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hide", "kind"),
    [
        ("B11", FromBands),
        ("B2,0.5", FromBands),
        ("2020-05-01,B2", FromBands),
        ("2020-05-01", FromDates),
        ("2020-05-01,0.5", FromDates),
        ("0.5", FromPlaces),
    ],
)
def test_the_kind_of_hiding_decides(hide, kind):
    days = (18383, 18393)
    assert isinstance(simple_way(Hide.parse(hide, BANDS, days), BANDS, days, plan()), kind)


@pytest.mark.parametrize("hide", ["B11,B12", "B2", "B1,B5", "B11,0.5", "B11,2020-05-01", "2020-05-01", "2020-05-11"])
@pytest.mark.parametrize("side", [64, 96, 168])
def test_sums_do_not_depend_on_the_windows(hide, side):
    """But for interpolation in space, which is measured in windows."""
    days = (18383, 18393, 18403)
    wanted = Hide.parse(hide, BANDS, days)
    scene = made(wanted, 3, 200, 165)
    cut, whole = plan(200, 165, side), plan(200, 165, 512)
    way = simple_way(wanted, BANDS, days, whole)
    assert simple_way(wanted, BANDS, days, cut) == way
    found, expected = total(way, parts(cut, *scene)), total(way, parts(whole, *scene))
    np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-9)
    _, hidden, known, prediction = scene
    named = [band for band in range(12) if BANDS.group_of_band[band] in wanted.groups] or list(range(12))
    scored = hidden & known
    if wanted.groups:
        scored[list(wanted.dates)] = False
    there = scored[:, named].sum(axis=(0, 2, 3))
    assert (found[0, named] <= there).all()
    assert (found[0, named] > 0.8 * there).all()
    assert found[0].sum() == found[0, named].sum()
    squares = np.where(scored, (prediction - scene[0]) ** 2, 0.0)[:, named].sum(axis=(0, 2, 3))
    assert (found[1, named] <= squares * (1 + 1e-9)).all()


@pytest.mark.parametrize(("height", "width", "side"), [(200, 168, 64), (500, 40, 24), (64, 64, 32), (30, 300, 16)])
def test_halves_are_squares_of_at_most_half_the_scene(height, width, side):
    way = FromBands.named(Hide((1,)), BANDS, 1, height, width, 8)
    assert way.side == side
    assert way.predictors == (0, 1, 2, 6, 7, 8, 9, 10, 11)
    assert way.targets == (3, 4, 5)


@pytest.mark.parametrize("count", [60, 224, 420])
def test_many_bands_keep_the_notes_small(count):
    """The nearest in wavelength stay."""
    bands = from_wavelengths(np.linspace(400, 2450, count).tolist(), [8.0] * count).bands
    bandset = BandSet.own(bands)
    groups = (3, len(bandset.groups) - 1)
    way = FromBands.named(Hide(groups), bandset, 1, 200, 200, 8)
    shape = (1, count, 8, 8)
    truth = np.random.default_rng(0).uniform(0.1, 0.5, shape).astype(np.float32)
    hidden = np.isin(bandset.group_of_band, groups)[None, :, None, None] & np.ones(shape, bool)
    part = RebuiltPart(Window(0, 0, 8, 8), truth, hidden, np.ones(shape, bool), truth.astype(float) / 3)
    assert len(json.dumps(replace(way, side=4).of(part).notes)) < 0.8 * MOST_NOTES
    assert {way.targets[0] - 1, way.targets[-1] - len(bandset.groups[-1].bands)} <= set(way.predictors)


@pytest.mark.parametrize(
    ("days", "times"),
    [
        ((10, 20, 50), (10, 20, 50)),
        ((-1, -1, -1), (0, 1, 2)),
        ((10, -1, 30), (0, 1, 2)),
        ((50, 10, 20), (0, 1, 2)),
    ],
)
def test_positions_stand_for_unknown_days(days, times):
    assert FromDates.named(Hide(dates=(1,)), days).times == times


# -- a share ----------------------------------------------------------------------------------------------------------


def test_few_windows_spread_over_the_scene_are_measured():
    assert len(FromPlaces.sampled(plan(64, 64), 12).windows) == 1
    cut = plan_scene(2000, 2000, patch=8, side=128, batch=8)
    assert len(cut.rows) == len(cut.columns) == 21
    some = FromPlaces.sampled(cut, 12).windows
    assert len(some) == 12, "one in 40, as each has 12 x 128 x 128 values"
    assert [len(FromPlaces.sampled(cut, images).windows) for images in (3, 60, 2000)] == [45, 3, 2]
    many = FromPlaces.sampled(plan_scene(11000, 11000, patch=8, side=128, batch=8), 12).windows
    assert len(many) == 64
    quarters = {(row > 5500, column > 5500) for row, column in many}
    assert len(quarters) == 4
    assert max(row for row, _ in some) - min(row for row, _ in some) > 1500


@pytest.mark.parametrize("share", [0.5, 0.75])
def test_a_plane_is_nearly_exact(share):
    """But where the border of the scene is hidden; and the model's error is that of the pixels measured."""
    wanted = Hide(share=share)
    truth, hidden, known, prediction = made(wanted, 1, 128, 128)
    r, c = np.mgrid[:128, :128]
    truth[:] = 0.2 + 0.001 * r - 0.0005 * c
    hidden[..., [0, -1], :] = hidden[..., [0, -1]] = False
    cut = plan_scene(128, 128, patch=8, side=128, batch=4)
    way = simple_way(wanted, BANDS, (18000,), cut)
    found = total(way, parts(cut, truth, hidden, np.ones_like(known), prediction))
    assert np.sqrt(found[2] / found[0]).max() < 2e-4
    np.testing.assert_array_equal(found[0], hidden.sum(axis=(0, 2, 3)))
    np.testing.assert_allclose(found[1], np.where(hidden, (prediction - truth) ** 2, 0).sum(axis=(0, 2, 3)))


@pytest.mark.parametrize(("height", "width"), [(168, 72), (240, 128), (136, 512), (129, 130), (256, 300)])
@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.6])
def test_every_window_chosen_has_pixels_to_measure(height, width, overlap):
    """Also where the last window hardly moves on."""
    cut = plan_scene(height, width, patch=8, side=128, overlap=overlap, batch=4)
    truth, hidden, known, prediction = made(Hide(share=0.5), 1, height, width)
    way = FromPlaces.sampled(cut, 12)
    assert way.windows
    found = [
        way.of(part)
        for part in parts(cut, truth, hidden, known, prediction)
        if (part.window.row, part.window.column) in way.windows
    ]
    assert len(found) == len(way.windows)
    assert all(each.sums[0].min() > 0 for each in found)


def test_borders_of_windows_are_left_out_but_not_the_scene_s():
    cut = plan_scene(240, 128, patch=8, side=128, batch=4)
    assert cut.rows == (0, 96, 112)
    every = replace(FromPlaces.sampled(cut, 12), windows=frozenset((row, 0) for row in cut.rows))
    truth, hidden, known, prediction = made(Hide(share=0.5), 1, 240, 128)
    known[:] = True
    counts = [every.of(part).sums[0] for part in parts(cut, truth, hidden, known, prediction)]
    for count, rows in zip(counts, (slice(96), slice(112, 112), slice(128, 240)), strict=True):
        np.testing.assert_array_equal(count, hidden[:, :, rows].sum(axis=(0, 2, 3)))


def test_a_band_without_a_visible_pixel_is_not_measured():
    wanted = Hide(share=0.5)
    truth, hidden, known, prediction = made(wanted, 2, 64, 64)
    hidden[:, 3], known[1, 4] = True, False
    cut = plan(64, 64)
    found = total(simple_way(wanted, BANDS, (1, 2), cut), parts(cut, truth, hidden, known, prediction))
    assert found[0, 3] == 0
    np.testing.assert_array_equal(np.delete(found[0], 3), np.delete((hidden & known).sum(axis=(0, 2, 3)), 3))


# -- scenes -----------------------------------------------------------------------------------------------------------


def test_a_scene_is_measured_on_its_hidden_pixels(model, tmp_path):
    """Against scikit-learn on the whole image; a hole and the number of windows change nothing."""
    from sklearn.linear_model import LinearRegression

    values = land(150, 136)
    values[11] = 0.2 * values[3] + 0.5 * values[7] + 7 + land(150, 136, 9)[2] % 40
    values[:, 30:60, 20:50] = 0
    path = write(tmp_path / "s_2020-05-01.tif", values, names=NAMES, nodata=0.0)
    with open_raster(path) as raster:
        results = [
            reconstruct_scene(raster, model, tmp_path / "r.tif", verdict=check(raster), hide="B11", overlap=overlap)
            for overlap in (0.0, 0.25)
        ]
        alignment = scene_alignment(raster, model, own=False)
        reflectance, valid = aligned_reflectance(raster.read(), alignment)
    truth, known = reflectance[0, 0].numpy().astype(float), valid[0, 0].numpy()
    names = list(alignment.bandset.names)
    group = alignment.bandset.group_of_band
    others = [i for i in range(12) if group[i] != group[names.index("B11")]]
    second = (np.arange(150)[:, None] // 64 + np.arange(136) // 64) % 2 == 1
    for name in ("B9", "B11", "B12"):
        row = names.index(name)
        there, squares = known[row] & known[others].any(axis=0), 0.0
        filled = np.where(known, truth, np.nan)[others]
        filled = np.where(np.isnan(filled), np.nanmean(filled[:, there], axis=0).mean(), filled)
        for half in (second & there, ~second & there):
            fit = LinearRegression().fit(filled[:, there & ~half].T, truth[row][there & ~half])
            squares += ((fit.predict(filled[:, half].T) - truth[row][half]) ** 2).sum()
        for result in results:
            (found,) = result.simple.ways.values()
            assert found[name] == pytest.approx(np.sqrt(squares / there.sum()), rel=1e-4)
            assert result.simple.model[name] == pytest.approx(result.error[name], rel=1e-9)
            assert result.simple_share == pytest.approx(1.0)


@pytest.mark.parametrize(("hide", "share"), [("B11,B12", 1.0), ("0.75", 0.1), ("B2,0.5", 0.3)])
def test_a_real_scene(model, tmp_path, hide, share):
    with open_raster(real("s2_l1c_scenes/copernicusfm_nz_T60HWB_2020-10-02.tif")) as raster:
        result = reconstruct_scene(raster, model, tmp_path / "r.tif", verdict=check(raster), hide=hide)
    (found,) = result.simple.ways.values()
    assert result.missing == ""
    assert result.simple_share >= share
    for name, error in found.items():
        # a model of random weights is worse than any simple way, and these are better than a mean
        assert 0 < error < result.simple.model[name]
        assert error < 1.05 * result.spread[name]


def test_a_real_series(model, tmp_path, shared):
    sources = sorted((shared / "data" / "timeseries" / "slovenia_eolearn").glob("*.tif"))[:3]
    with open_raster(sources) as raster:
        day = raster.dates[1]
        result = reconstruct_scene(raster, model, tmp_path / "r.tif", verdict=check(raster), hide=day)
    assert set(result.simple.ways) == set(FromDates.names)
    best, other = (sum(each.values()) for each in result.simple.ways.values())
    assert best > 0
    assert best < 1.2 * other


@pytest.mark.parametrize("hide", ["B11", "0.7", "2020-05-01"])
def test_a_run_after_a_killed_one_has_the_same_numbers(model, tmp_path, monkeypatch, hide):
    """The notes on disk hold all that the comparison needs, and nothing is kept elsewhere."""
    for day in ("2020-05-01", "2020-06-01"):
        write(tmp_path / f"s_{day}.tif", land(168, 72, int(day[6])), names=NAMES)
    with open_raster(sorted(tmp_path.glob("s_*.tif"))) as raster:
        how = {"verdict": check(raster), "hide": hide, "batch": 2}
        expected = reconstruct_scene(raster, model, tmp_path / "r.tif", **how)
        calls, compute = [], ReconstructionMaker.compute

        def killed(self, pixels):
            calls.append(pixels)
            if len(calls) == 3:
                raise RuntimeError("killed")
            return compute(self, pixels)

        with monkeypatch.context() as patched:
            patched.setattr(ReconstructionMaker, "compute", killed)
            with pytest.raises(RuntimeError, match="killed"):
                reconstruct_scene(raster, model, tmp_path / "r.tif", **how)
        assert list((tmp_path / "r.tif.partial").glob("notes-*.json"))
        found = reconstruct_scene(raster, model, tmp_path / "r.tif", **how)
    assert found.simple.pixels
    for part in ("ways", "model", "pixels"):
        assert getattr(found.simple, part) == getattr(expected.simple, part)


def test_the_values_of_the_result_are_the_prediction(model, tmp_path):
    """The model's error where it was compared is that of the file."""
    with open_raster(write(tmp_path / "s_2020-05-01.tif", land(120, 104), names=NAMES)) as raster:
        result = reconstruct_scene(raster, model, tmp_path / "r.tif", verdict=check(raster), hide="0.5", seed=2)
        truth = raster.read().values[0][[NAMES.index(name) for name in result.alignment.bandset.names]]
    with rasterio.open(tmp_path / "r.tif") as dataset:
        rebuilt = dataset.read()
    for row, name in enumerate(result.alignment.bandset.names):
        error = (rebuilt[row].astype(float) - truth[row])[rebuilt[row] != truth[row]] * 1e-4
        assert result.simple.model[name] == pytest.approx(np.sqrt((error**2).mean()), rel=1e-2)
