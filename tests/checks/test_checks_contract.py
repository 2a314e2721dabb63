"""The input contract: what is suspected, what is refused, and that clean images pass."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from made_rasters import write
from real_rasters import real, real_all

from spectralgpt.bands import sensor
from spectralgpt.checks import check
from spectralgpt.checks.look import look
from spectralgpt.checks.suspicions import suspicions
from spectralgpt.checks.typical import typical
from spectralgpt.errors import RasterError
from spectralgpt.plain import to_plain
from spectralgpt.products import open_raster
from spectralgpt.raster import Raster
from spectralgpt.raster.sampling import LOOK_SIDE, sample
from usual_images import NAMES, SURFACE, TOA, kinds, sampled, usual


def written(path, values: np.ndarray, side: int = 64, names=NAMES, **how):
    """A file of stored values from reflectance (band, pixel)."""
    stored = np.round(values[:, : side * side] * 1e4).clip(1, 65535).astype(np.uint16)
    return write(path, stored.reshape(len(values), side, side), names=names, **how)


@pytest.mark.parametrize("of", [TOA, SURFACE])
@settings(max_examples=20)
@given(seed=st.integers(0, 2**32 - 1))
def test_what_is_usual_passes_and_misread_bands_do_not(of, seed):
    values = usual(seed, 1000, of)
    assert kinds(values, of=of) == []
    assert kinds(values[::-1], of=of) == ["order"]
    # EuroSAT keeps B8A last
    eurosat = [band for band, name in enumerate(of.names) if name != "B8A"] + [of.names.index("B8A")]
    assert kinds(values[eurosat], of=of) == ["order"]
    assert "offset" in kinds(values + 0.1, of=of)
    assert "offset" in kinds(values + 0.1, declared=True, of=of), "metadata that state 0 can be wrong"
    assert "offset" not in kinds(values + 0.1, declared=True, of=of, offset=-0.1)


def test_an_order_names_the_bands_that_are_elsewhere():
    values = usual()
    exchanged = values.copy()
    exchanged[[3, 11]] = values[[11, 3]]
    (flag,) = suspicions(sampled(exchanged), False)
    assert flag.bands == ("B4", "B11")
    assert "B11 looks like B4, B4 looks like B11" in flag.text or "B4 looks like B11, B11 looks like B4" in flag.text


@settings(max_examples=20)
@given(seed=st.integers(0, 2**32 - 1))
def test_the_order_of_the_file_changes_nothing(seed):
    order = np.random.default_rng(seed).permutation(13)
    values = usual(3)
    values[[3, 11]] = values[[11, 3]]
    found = suspicions(sampled(values[order], bands=tuple(TOA.bands[band] for band in order)), False)
    assert [(flag.kind, set(flag.bands)) for flag in found] == [("order", {"B4", "B11"})]


@pytest.mark.parametrize(
    ("times", "declared", "found"),
    [
        (15, True, set()),
        (30, True, {"units"}),
        (1e4, True, {"units"}),
        (1 / 150, True, set()),
        (1 / 300, True, {"units"}),
        (1e-4, True, {"units"}),
        (4, False, set()),
        (6, False, {"scale"}),
        (11, False, {"units"}),
        (1 / 2.2, False, set()),
        (1 / 3, False, {"scale"}),
        (1 / 11, False, {"units"}),
    ],
)
def test_units(times, declared, found):
    reference = typical("L1C")
    flat = np.repeat(reference.q98[:, None] * times, 500, axis=1).astype(np.float32)
    assert {"units", "scale"} & set(kinds(flat, declared)) == found


def test_one_dark_band_is_no_reason():
    values = usual()
    values[9:] *= 1e-4
    assert "units" not in kinds(values)


def test_thermal_bands_are_not_compared():
    of = sensor("landsat8-toa")
    bands = tuple(band for band in of.bands if band.wavelength > 10_000)
    warm = np.random.default_rng(0).normal(300, 5, (len(bands), 900)).astype(np.float32)
    assert bands
    assert kinds(warm, of=of, bands=bands) == []


def test_the_offset_in_some_of_the_dates():
    values = usual()
    (flag,) = suspicions(sampled(np.stack([values, values + np.float32(0.1)])), False)
    assert flag.kind == "offset"
    assert "in 1 of 2 dates" in flag.text
    assert "offset" not in kinds(np.stack([values, values + np.float32(0.1)]), declared=True, offset=-0.1)


def test_the_offset_subtracted_where_it_was_not_added():
    assert "offset" in kinds(usual() - 0.1)
    # noise around 0 over water is no offset
    dark = np.random.default_rng(0).normal(0.002, 0.004, (13, 4000)).astype(np.float32)
    assert "offset" not in kinds(dark)


def test_haze_is_no_offset():
    """Haze lifts visible bands above 0.1, but neither infrared nor cirrus."""
    haze = usual() + 0.12 * (np.array([band.wavelength for band in TOA.bands]) < 700)[:, None].astype(np.float32)
    assert "offset" not in kinds(haze)
    bright = usual(of=SURFACE) + np.float32(0.15)
    assert "offset" not in kinds(bright, of=SURFACE)


def test_only_sentinel_2_adds_1000():
    landsat = sensor("landsat8-c1sr")
    bands = tuple(band for band in landsat.bands if band.wavelength < 2500)
    lifted = usual(of=SURFACE)[: len(bands)] + np.float32(0.1)
    assert "offset" not in kinds(lifted, of=landsat, bands=bands)


def test_constant_duplicate_saturated_absent():
    values = usual()
    assert not suspicions(sampled(values), False)

    def flagged(change) -> set[tuple[str, tuple[str, ...]]]:
        changed = values.copy()
        change(changed)
        return {(flag.kind, flag.bands) for flag in suspicions(sampled(changed), False) if flag.kind != "order"}

    def same(each):
        each[4] = 0.2

    def again(each):
        each[2] = each[1]

    def scaled(each):
        each[2] = 0.7 * each[1] + 0.01

    def pictured(each):
        each[2] = np.floor(255 * np.clip(each[1], 0, 0.4)) / 255

    def cut_off(each):
        each[3] = np.minimum(each[3], np.quantile(each[3], 0.97))

    def at_the_top(each):
        each[3, :60] = 6.5535

    def gone(each):
        each[5, 300:] = np.nan

    assert flagged(same) == {("constant", ("B5",))}
    assert flagged(again) == flagged(scaled) == flagged(pictured) == {("duplicate", ("B2", "B3"))}
    assert flagged(cut_off) == flagged(at_the_top) == {("saturated", ("B4",))}
    assert flagged(gone) == {("absent", ("B6",))}


def test_coarse_pixels_repeated_are_not_saturated():
    """B1 of 60 m on a grid of 10 m: 36 pixels share the largest value."""
    values = usual(pixels=48 * 48).reshape(13, 48, 48)
    values[0] = values[0, ::6, ::6].repeat(6, 0).repeat(6, 1)
    assert kinds(values.reshape(13, -1)) == []


@pytest.mark.parametrize("pixels", [0, 1, 2, 15])
def test_nothing_is_concluded_of_a_few_pixels(pixels):
    values = usual()
    values[[3, 11]] = values[[11, 3]]
    few = replace(sampled(values), values=values[None, :, :pixels])
    assert suspicions(sampled(values), False)
    assert not suspicions(few, False)


def test_one_valid_band_among_invalid_ones():
    values = np.full((13, 400), np.nan, np.float32)
    values[2] = 0.1 + np.arange(400) / 1e4
    assert set(kinds(values)) == {"absent"}


# from files


def test_a_verdict_in_full(tmp_path):
    values = usual()
    values[4] = 0.2
    path = written(tmp_path / "a.tif", values, nodata=0.0)
    with open_raster(path) as raster:
        verdict = check(raster)
    assert [flag.kind for flag in verdict.flags][-1] == "constant"
    assert verdict.valid == 1.0
    assert verdict.clouds is None
    assert verdict.read_from == raster.facts
    assert verdict.fixed == ()
    assert [row.name for row in verdict.table] == list(TOA.names)
    assert verdict.table[4].flags[-1] == "constant"
    np.testing.assert_allclose(
        [[row.q02, row.median, row.q98] for row in verdict.table],
        np.quantile(np.round(values[:, :4096] * 1e4) / 1e4, (0.02, 0.5, 0.98), axis=1).T,
        atol=2e-4,
    )
    assert verdict.warnings[-1] == f"{path}: {verdict.flags[-1].text}"
    assert verdict.text.startswith("valid pixels found\n")
    assert all(verdict.text.split("\n"))
    assert to_plain(verdict)["table"][0]["name"] == "B1"


def test_wrong_units_are_refused_unless_trusted(tmp_path):
    path = written(tmp_path / "a.tif", usual(), scales=[1.0] * 13, offsets=[0.5] * 13)
    with open_raster(path) as raster:
        with pytest.raises(RasterError, match=rf"{path}: found values with .* expected reflectance.*trust_input=True"):
            check(raster)
        assert [flag.kind for flag in check(raster, trust=True).flags] == ["units"]


def test_a_conflict_is_refused_unless_trusted(tmp_path):
    with open_raster(written(tmp_path / "a.tif", usual())) as opened:
        raster = replace(opened, conflicts=("a.tif: found metadata of X; expected Y",))
        with pytest.raises(RasterError, match=r"a\.tif: found metadata of X; expected Y\. .*trust_input=True$"):
            check(raster)
        verdict = check(raster, trust=True)
    assert [flag.kind for flag in verdict.flags] == ["conflict"]
    assert "a.tif: found metadata of X; expected Y" in verdict.warnings


def test_an_offset_that_metadata_state_is_not_suspected(tmp_path):
    lifted = usual() + np.float32(0.1)
    with open_raster(written(tmp_path / "bare.tif", lifted)) as raster:
        assert [flag.kind for flag in check(raster).flags] == ["offset"]
    declared = written(tmp_path / "declared.tif", lifted, scales=[1e-4] * 13, offsets=[-0.1] * 13)
    with open_raster(declared) as raster:
        verdict = check(raster)
    assert verdict.flags == ()
    assert len(verdict.fixed) == 1
    assert "offset" in verdict.fixed[0]


def test_nothing_valid_is_refused_and_a_little_is_found(tmp_path):
    nothing = np.zeros((13, 1100, 1100), np.uint16)
    with (
        open_raster(write(tmp_path / "a.tif", nothing, names=NAMES, nodata=0.0)) as raster,
        pytest.raises(RasterError, match="found no valid pixel"),
    ):
        check(raster, trust=True)
    nothing[:, 200:204, 300:305] = 1000 + np.arange(13)[:, None, None]  # between the windows of the sample
    with open_raster(write(tmp_path / "b.tif", nothing, names=NAMES, nodata=0.0)) as raster:
        verdict = check(raster)
    assert verdict.table[0].median == pytest.approx(0.1)
    assert 0 < verdict.valid < 0.01


def test_an_empty_date_and_a_single_pixel(tmp_path):
    values = usual()
    paths = [written(tmp_path / f"{day}.tif", values, nodata=0.0) for day in ("2020-05-01", "2020-06-01")]
    empty = np.zeros((13, 64, 64), np.uint16)
    write(paths[1], empty, names=NAMES, nodata=0.0)
    with open_raster(paths) as raster:
        verdict = check(raster)
    assert verdict.flags == ()
    assert verdict.valid == 0.5
    with open_raster(written(tmp_path / "one.tif", values, side=1)) as raster:
        assert check(raster).flags == ()


def test_nan_floods_are_absent_not_zero(tmp_path):
    values = usual()[:, :4096].reshape(13, 64, 64)
    values[6] = np.nan
    path = write(tmp_path / "a.tif", values, names=NAMES)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with open_raster(path) as raster:
            verdict = check(raster)
    assert [(flag.kind, flag.bands) for flag in verdict.flags] == [("absent", ("B7",))]
    assert np.isnan(verdict.table[6].median)


@given(height=st.integers(1, 3000), width=st.integers(1, 3000), along=st.integers(1, 6))
def test_samples_are_few_and_inside(height, width, along):
    windows = list(sample(height, width, along))
    assert 1 <= len(windows) <= along**2
    assert all(w.row >= 0 and w.end_row <= height and w.column >= 0 and w.end_column <= width for w in windows)
    assert len(windows) > 1 or along == 1 or (height <= LOOK_SIDE and width <= LOOK_SIDE)


def test_a_big_scene_costs_no_more(tmp_path, monkeypatch):
    """At most 36 windows of at most 128 x 128 pixels, and 50,000 pixels per band kept, whatever the size."""
    read, seen = Raster.read, []
    monkeypatch.setattr(Raster, "read", lambda self, window=None: seen.append(window) or read(self, window))
    stored = np.full((2, 2100, 3000), 700, np.uint16) + np.arange(3000, dtype=np.uint16) % 601
    with open_raster(write(tmp_path / "a.tif", stored, names=("B02", "B03"))) as raster:
        seen.clear()
        found, _ = look(raster)
    assert len(seen) == 36
    assert all(window.shape == (LOOK_SIDE, LOOK_SIDE) for window in seen)
    assert found.values.shape[2] <= 50_000


# real images


def test_statistics_are_those_of_the_packaged_sensors():
    for of in (TOA, SURFACE):
        reference = typical(of.level)
        assert list(reference.wavelength) == [band.wavelength for band in of.bands]
        assert np.allclose(reference.covariance, reference.covariance.T)
        assert np.linalg.eigvalsh(reference.covariance + 0.01 * np.eye(len(of.bands))).min() > 0
        np.testing.assert_allclose(reference.expected(of.bands), reference.q98)


def test_other_sensors_are_compared_by_wavelength():
    reference = typical("SR")
    oli = sensor("landsat8-c2l2").bands
    same = [None if here is None else TOA_WITHOUT_CIRRUS[here] for here in reference.same(oli)]
    assert same[:7] == ["B1", "B2", "B3", "B4", "B8A", "B11", "B12"]
    assert set(same[7:]) <= {None}
    assert np.isnan(reference.expected(oli)[[band.wavelength > 2500 for band in oli]]).all()


TOA_WITHOUT_CIRRUS = [name for name in TOA.names if name != "B10"]


@pytest.mark.parametrize(
    ("path", "bands"),
    [
        ("s2_pairs/282D_485L_3_3/282D_485L_3_3_S2L1C.tif", None),
        pytest.param("s2_pairs/609U_541L_3_0/609U_541L_3_0_S2L1C.tif", None, marks=pytest.mark.long),
        ("landcover/sentinel2_l2a_rstoolbox/image.tif", "s2-l2a"),
    ],
)
def test_scenes_with_1000_added_are_suspected(path, bands, tmp_path):
    with open_raster(real(path), bands=bands) as raster:
        assert "offset" in [flag.kind for flag in check(raster).flags]
    with rasterio.open(real(path)) as dataset:
        stored, names = dataset.read(), dataset.descriptions
    count = len(stored)
    declared = write(tmp_path / "declared.tif", stored, names=names, scales=[1e-4] * count, offsets=[-0.1] * count)
    with open_raster(declared, bands=bands) as raster:
        assert check(raster).flags == ()


@pytest.mark.parametrize(
    ("pattern", "bands"),
    [
        ("eurosat_ms/SeaLake/*.tif", "eurosat"),  # clean dark water
        ("eurosat_ms/River/*.tif", "eurosat"),
        ("s2_l1c_scenes/*.tif", None),  # deserts, saturated roofs
        ("s2_pairs/*/*L2A.tif", None),  # snow
        pytest.param("s2_more/biomassters*.tif", None, marks=pytest.mark.long),  # snow, low sun
        ("worldcereal_ts/wc_be_a/wc_be_a_201[78]-1*.tif", None),  # cloud, haze
        ("bark_beetle_s2/images_2019/geojson_2[01]*.tif", "s2-l2a"),
    ],
)
def test_clean_images_are_not_suspected(pattern, bands):
    found = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        for path in real_all(pattern):
            with open_raster(path, bands=bands) as raster:
                found[path.name] = [flag.text for flag in check(raster).flags if flag.kind != "absent"]
    assert not {name: flags for name, flags in found.items() if flags}


@pytest.mark.parametrize(
    ("count", "says"), [(2, "B02.tif, {folder}/B03.tif: found no valid"), (4, "{folder}: found no")]
)
def test_a_message_names_few_files_or_their_folder(count, says, tmp_path):
    for name in ("B02", "B03", "B04", "B08")[:count]:
        write(tmp_path / f"{name}.tif", np.zeros((1, 16, 16), np.uint16), nodata=0)
    with open_raster(tmp_path, bands="s2-l1c") as raster, pytest.raises(RasterError) as refused:
        check(raster)
    assert says.format(folder=tmp_path) in str(refused.value)
    assert str(refused.value).startswith(f"{tmp_path}")
