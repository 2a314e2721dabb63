"""The figure of an image: bands by wavelength, panels that say what is missing, odd images."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from spectralgpt.report.inspection import BLUE, GREEN, NIR, RED, SWIR, nearest_band, save_inspection

S2 = {"B2": 492.7, "B3": 559.8, "B4": 664.6, "B8": 832.8, "B11": 1613.7, "B12": 2202.4, "B10": 1373.5}


def drawn(tmp_path, monkeypatch, values, names, wavelengths) -> Figure:
    """The figure as it was saved."""
    kept = []
    save = Figure.savefig
    monkeypatch.setattr(Figure, "savefig", lambda self, *args, **how: kept.append(self) or save(self, *args, **how))
    save_inspection(tmp_path / "out.png", values, names, wavelengths, "title")
    with Image.open(tmp_path / "out.png") as saved:
        assert saved.size == (1870, 572)
    assert [path.name for path in tmp_path.iterdir()] == ["out.png"]
    return kept[0]


def image(bands: int, rows: int = 20, columns: int = 30) -> np.ndarray:
    return np.random.default_rng(0).uniform(0.01, 0.4, (bands, rows, columns)).astype(np.float32)


@pytest.mark.parametrize(
    ("wavelengths", "found"),
    [
        (tuple(S2.values()), ["B4", "B3", "B2", "B8", "B12"]),
        ((482.0, 561.4, 654.6, 864.7, 1608.9, 2200.7), [654.6, 561.4, 482.0, 864.7, 2200.7]),  # Landsat 8
        ((469.0, 555.0, 645.0, 858.0, 1240.0, 1640.0, 2130.0), [645.0, 555.0, 469.0, 858.0, 2130.0]),  # MODIS
        ((10_895.0,), [None] * 5),
    ],
)
def test_bands_are_chosen_by_wavelength(wavelengths, found):
    names = list(S2) if len(wavelengths) == len(S2) and "B2" in found else list(wavelengths)
    bands = [nearest_band(wavelengths, colour) for colour in (RED, GREEN, BLUE, NIR, SWIR)]
    assert [None if band is None else names[band] for band in bands] == found


def test_titles_name_the_bands_whatever_their_order(tmp_path, monkeypatch):
    for order in (list(S2), list(S2)[::-1]):
        figure = drawn(tmp_path, monkeypatch, image(7), order, [S2[name] for name in order])
        titles = [axes.get_title() for axes in figure.axes]
        assert [title.partition(": ")[2] for title in titles[:3]] == ["B4, B3, B2)", "B8, B4, B3)", "B12, B8, B4)"]


def test_a_panel_without_its_bands_says_so(tmp_path, monkeypatch):
    figure = drawn(tmp_path, monkeypatch, image(3), ("B4", "B3", "B2"), (664.6, 559.8, 492.7))
    texts = [[text.get_text() for text in axes.texts] for axes in figure.axes]
    assert texts == [[], ["no band for NIR"], ["no band for SWIR, NIR"], []]


def test_the_spectrum_is_the_mean_by_wavelength(tmp_path, monkeypatch):
    values = image(4)
    values[1, :5] = np.nan
    figure = drawn(tmp_path, monkeypatch, values, ("B8", "B2", "B4", "heat"), (832.8, 492.7, 664.6, 10_895.0))
    (line,) = figure.axes[3].lines
    np.testing.assert_array_equal(line.get_xdata(), [492.7, 664.6, 832.8])
    means = [np.nanmean(values[band]) for band in (1, 2, 0)]
    np.testing.assert_allclose(line.get_ydata(), means, rtol=1e-5)


@pytest.mark.parametrize("change", ["nothing valid", "constant", "one pixel", "heat alone"])
def test_odd_images(tmp_path, monkeypatch, change):
    values, wavelengths = image(4, *((1, 1) if change == "one pixel" else (20, 30))), (492.7, 559.8, 664.6, 832.8)
    if change == "nothing valid":
        values[:] = np.nan
    elif change == "constant":
        values[:] = 0.1
    elif change == "heat alone":
        values, wavelengths = values[:1], (10_895.0,)
    drawn(tmp_path, monkeypatch, values, ("a", "b", "c", "d")[: len(values)], wavelengths)


@pytest.mark.parametrize("without", [("B12",), ("B12", "B10"), ("B12", "B2")])
def test_swir_is_shown_by_the_shorter_band_where_the_longer_is_missing(tmp_path, monkeypatch, without):
    names = [name for name in S2 if name not in without]
    figure = drawn(tmp_path, monkeypatch, image(len(names)), names, [S2[name] for name in names])
    assert figure.axes[2].get_title().partition(": ")[2] == "B11, B8, B4)"


VISIBLE_BANDS = ("B4", "B3", "B2")


@pytest.mark.parametrize(("cloud", "share"), [(0.7, 0.2), (0.5, 0.4), (1.1, 0.6)])
def test_dark_land_beside_clouds_is_seen(tmp_path, monkeypatch, cloud, share):
    land = np.random.default_rng(1).uniform(0.02, 0.08, (3, 40, 50)).astype(np.float32)
    values = land.copy()
    values[:, : int(40 * share)] = cloud
    figure = drawn(tmp_path, monkeypatch, values, VISIBLE_BANDS, [S2[name] for name in VISIBLE_BANDS])
    shown = np.asarray(figure.axes[0].images[0].get_array())
    assert shown[: int(40 * share)].min() == 1.0, "clouds are white"
    assert np.median(shown[int(40 * share) :]) > 0.2, "land is not black"


@pytest.mark.parametrize("bright", [0.9, 0.35, 0.15])
def test_bright_images_without_clouds_keep_their_range(tmp_path, monkeypatch, bright):
    values = np.random.default_rng(1).uniform(0.5 * bright, bright, (3, 40, 50)).astype(np.float32)
    figure = drawn(tmp_path, monkeypatch, values, VISIBLE_BANDS, [S2[name] for name in VISIBLE_BANDS])
    shown = np.asarray(figure.axes[0].images[0].get_array())
    assert (shown == 1.0).mean() < 0.03, "hardly any pixel is cut"
