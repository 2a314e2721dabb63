"""Figures of data sets and pretraining runs: what they show, and no complaint about odd input."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from spectralgpt.report import save_loss_curve, save_rebuilt_samples, save_samples
from spectralgpt.report.places import draw_places
from spectralgpt.report.reconstruction import HIDDEN_GREY

S2 = (492.7, 559.8, 664.6, 832.8, 1613.7)


@pytest.fixture
def figures(monkeypatch) -> list[Figure]:
    """The figures that are saved."""
    kept = []
    save = Figure.savefig
    monkeypatch.setattr(Figure, "savefig", lambda self, *args, **how: kept.append(self) or save(self, *args, **how))
    return kept


def image(bands: int, rows: int, columns: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0.01, 0.4, (bands, rows, columns)).astype(np.float32)


def shown(axes) -> np.ndarray:
    return np.asarray(axes.images[0].get_array())


def sized(path) -> tuple[int, int]:
    with Image.open(path) as saved:
        return saved.size


def test_hidden_is_grey_and_rebuilt_has_the_stretch_of_the_input(tmp_path, figures):
    truth = [image(5, 32, 24), image(5, 16, 16, 1)]
    hidden = [np.zeros(each.shape, bool) for each in truth]
    hidden[0][2, 8:16, :8] = True  # red alone
    hidden[1][3:, :8] = True  # near infrared, which is not in true colour
    rebuilt = [np.where(unseen, 0.2, each).astype(np.float32) for each, unseen in zip(truth, hidden, strict=True)]
    save_rebuilt_samples(tmp_path / "out.png", truth, rebuilt, hidden, [S2, S2], ["one", "other"], "title")
    assert [path.name for path in tmp_path.iterdir()] == ["out.png"]
    axes = figures[0].axes
    assert len(axes) == 6
    for row, (unseen, colours) in enumerate(zip(hidden, ((2, 1, 0), (4, 3, 4)), strict=True)):
        before, seen, after = (shown(each) for each in axes[3 * row : 3 * row + 3])
        grey = unseen[list(colours)].any(axis=0)
        assert grey.any()
        np.testing.assert_array_equal(seen[grey], np.float32(HIDDEN_GREY))
        np.testing.assert_array_equal(seen[~grey], before[~grey])
        # the same stretch: what was not hidden looks the same, to the bit
        for channel, band in enumerate(colours):
            np.testing.assert_array_equal(after[..., channel][~unseen[band]], before[..., channel][~unseen[band]])
        assert (after[grey] != before[grey]).any()
    assert axes[0].get_title() == "one"
    assert axes[1].get_title() == "seen (665, 560, 493 nm)"
    for row in range(2):
        error = np.abs(rebuilt[row] - truth[row])[hidden[row]].mean()
        assert axes[3 * row + 2].get_title() == f"rebuilt, error {error:.4f}"


@pytest.mark.parametrize("change", ["plain", "nothing hidden", "all hidden", "a hole", "nothing valid", "one band"])
def test_rebuilt_samples_of_any_kind(tmp_path, figures, change):
    truth = [image(3, 16, 24), image(5, 8, 8), *(image(4, 32, 32) for _ in range(6 if change == "plain" else 0))]
    hidden = [np.random.default_rng(0).random(each.shape) < 0.7 for each in truth]
    wavelengths = [S2[: len(each)] for each in truth]
    if change == "nothing hidden":
        hidden = [np.zeros_like(each) for each in hidden]
    elif change == "all hidden":
        hidden = [np.ones_like(each) for each in hidden]
    elif change == "a hole":
        truth[0][:, :5] = np.nan
    elif change == "nothing valid":
        truth = [np.full_like(each, np.nan) for each in truth]
    elif change == "one band":
        truth, hidden, wavelengths = [truth[0][:1]], [hidden[0][:1]], [(1613.7,)]
    titles = [str(number) for number in range(len(truth))]
    save_rebuilt_samples(tmp_path / "out.png", truth, [each * 1.1 for each in truth], hidden, wavelengths, titles, "t")
    rows = min(len(truth), 6)
    assert len(figures[0].axes) == 3 * rows
    assert sized(tmp_path / "out.png") == (902, int(110 * (0.7 + 2.75 * rows)))
    assert all(np.isfinite(shown(axes)).all() for axes in figures[0].axes)


def test_samples_in_true_colour_or_told_otherwise(tmp_path, figures):
    samples = [image(5, 32, 32), image(1, 16, 20), np.full((5, 8, 8), np.nan, np.float32)]
    positions = np.array([[10, 50], [11, 51], [np.nan, np.nan]], np.float32)
    order = [3, 2, 0, 4, 1]
    samples[0] = samples[0][order]
    wavelengths = [[S2[band] for band in order], [1613.7], S2]
    save_samples(tmp_path / "out.png", samples, wavelengths, ["a", "b", "c"], positions, "title")
    assert [path.name for path in tmp_path.iterdir()] == ["out.png"]
    first, second, third = (axes for axes in figures[0].axes if axes.images)
    assert (first.get_title(), third.get_title()) == ("a", "c")
    assert second.get_title() == "b\ngrey: 1614 nm"
    for channel, band in enumerate((1, 4, 2)):  # where red, green and blue stand in this order
        values, drawn = samples[0][band].ravel(), shown(first)[..., channel].ravel()
        assert (np.diff(drawn[np.argsort(values)]) >= 0).all()
        assert len(np.unique(drawn)) > 900
    assert (shown(third) == 1).all()
    assert figures[0].axes[-1].get_title() == "places of 2 of 3 samples"


@pytest.mark.parametrize("count", [0, 7, 30])
def test_any_number_of_samples(tmp_path, figures, count):
    positions = np.full((count, 2), np.nan, np.float32)
    samples = [image(3, 8, 8, seed) for seed in range(count)]
    save_samples(tmp_path / "out.png", samples, [S2[:3]] * count, ["x"] * count, positions, "title")
    assert sum(bool(axes.images) for axes in figures[0].axes) == min(count, 24)
    assert figures[0].axes[-1].texts[0].get_text() == "no sample has a known position"
    assert sized(tmp_path / "out.png") == (1540, int(110 * (5 + 2.5 * max(1, min(4, -(-count // 6))))))


@pytest.mark.parametrize(
    ("low", "high", "world"),
    [((9, 45), (12, 49), False), ((20, 60), (20, 60), False), ((-179, -80), (179, 80), True), ((0, 0), (10, 40), True)],
)
def test_the_map_shows_every_place(low, high, world):
    rng = np.random.default_rng(0)
    positions = rng.uniform(low, high, (200_000, 2)).astype(np.float32)
    positions[::7, rng.integers(2)] = np.nan
    known = positions[~np.isnan(positions).any(axis=1)]
    axes = Figure().subplots()
    draw_places(axes, positions)
    points = np.asarray(axes.collections[0].get_offsets())
    assert len(points) <= 100_000
    (west, east), (south, north) = axes.get_xlim(), axes.get_ylim()
    assert ((west, east, south, north) == (-180, 180, -90, 90)) == world
    assert (known >= (west, south)).all()
    assert (known <= (east, north)).all()
    assert max(east - west, north - south) >= 1
    # every sample has a point within a cell of it
    cell = max(east - west, north - south) / 300
    for at in known[:: len(known) // 50]:
        assert (np.abs(points - at) <= cell * 0.51).all(axis=1).any()
    assert axes.get_title() == f"places of {len(known):,} of 200,000 samples"


def test_more_samples_are_a_larger_point():
    positions = np.array([[10, 50]] * 100 + [[12, 50]], np.float32)
    axes = Figure().subplots()
    draw_places(axes, positions)
    many, one = axes.collections[0].get_sizes()
    assert many > 3 * one


def log(count: int = 20, stages: tuple = ("64 px", "96 px")) -> list[dict]:
    """A run's records: held-back losses in records of their own."""
    records = []
    for step in range(1, count + 1):
        stage = stages[(step - 1) * len(stages) // count]
        records.append({"step": 10 * step, "stage": stage, "token": 2 / step, "spectral": 1 / step, "note": "text"})
        if step % 5 == 0:
            records.append({"step": 10 * step, "stage": stage, "val_token": 3 / step, "val_other": None})
    return records


def lines(axes) -> dict:
    return {line.get_label(): line for line in axes.lines if not line.get_label().startswith("_")}


def test_stages_and_held_back_losses(tmp_path, figures):
    save_loss_curve(tmp_path / "out.png", log(), ("token", "spectral"), "title")
    (axes,) = figures[0].axes
    assert list(lines(axes)) == ["token loss", "spectral loss", "token loss, held back"]
    held_back, trained = lines(axes)["token loss, held back"], lines(axes)["token loss"]
    np.testing.assert_array_equal(held_back.get_data(), [[50, 100, 150, 200], [0.6, 0.3, 0.2, 0.15]])
    np.testing.assert_array_equal(trained.get_data()[0], np.arange(10, 201, 10))
    assert held_back.get_color() == trained.get_color() != lines(axes)["spectral loss"].get_color()
    borders = [line.get_xdata()[0] for line in axes.lines if line.get_linestyle() == ":"]
    assert borders == [100]
    above = axes.child_axes[0]
    assert [label.get_text() for label in above.get_xticklabels()] == ["64 px", "96 px"]
    assert above.get_xticks().tolist() == [55, 150]
    assert axes.get_yscale() == "log"
    assert sized(tmp_path / "out.png") == (880, 495)


def test_numbered_stages(tmp_path, figures):
    save_loss_curve(tmp_path / "out.png", log(stages=(1, 2, 3)), ("token",), "title")
    labels = [label.get_text() for label in figures[0].axes[0].child_axes[0].get_xticklabels()]
    assert labels == ["stage 1", "stage 2", "stage 3"]


@pytest.mark.parametrize(
    ("last", "scale"), [(0.5, "log"), (0.0, "log"), (-1.0, "linear"), (float("nan"), "log"), (None, "log")]
)
def test_a_logarithmic_axis_where_nothing_is_below_0(tmp_path, figures, last, scale):
    records = [{"step": 1, "loss": 2.0}, {"step": 2, "loss": 1.0}, {"step": 3, "loss": last}]
    save_loss_curve(tmp_path / "out.png", records, ("loss",), "title")
    assert figures[0].axes[0].get_yscale() == scale


@pytest.mark.parametrize("records", [[], [{"step": 1}], [{"step": 1, "loss": 1.0, "stage": 1}]])
def test_short_logs(tmp_path, figures, records):
    save_loss_curve(tmp_path / "out.png", records, ("loss",), "title")
    assert len(lines(figures[0].axes[0])) == sum("loss" in each for each in records)


def test_a_part_that_is_the_whole_loss_is_drawn_once(tmp_path, figures):
    records = [{"step": 1, "stage": "fit", "loss": 2.0, "class": 2.0, "val_loss": 3.0, "val_class": 3.0}]
    save_loss_curve(tmp_path / "out.png", records, ("loss", "class"), "title")
    (axes,) = figures[0].axes
    assert list(lines(axes)) == ["loss", "loss, held back"]
    assert not axes.child_axes  # a single stage is not named


def test_the_score_is_called_by_its_name_and_that_of_the_kept_state_is_marked(tmp_path, figures):
    records = [
        {"step": 1, "loss": 2.0, "class": 1.5, "dice": 0.5, "val_loss": 3.0, "val_score": 0.25, "kept": True},
        {"step": 2, "loss": 1.0, "class": 0.5, "dice": 0.5, "val_loss": 4.0, "val_score": 0.5, "kept": False},
    ]
    save_loss_curve(tmp_path / "out.png", records, ("loss", "class", "dice"), "title", score="mean IoU")
    above, below = figures[0].axes
    assert list(lines(above)) == ["whole loss", "class loss", "dice loss", "whole loss, held back"]
    assert below.get_ylabel() == "mean IoU, held back"
    assert list(lines(below)) == ["kept: 0.250 at step 1"]


def test_a_long_curve_is_smoothed_within_its_stages(tmp_path, figures):
    noise = np.random.default_rng(0).normal(0, 0.05, 1000)
    losses = np.where(np.arange(1000) < 600, 1.0, 5.0) + noise
    records = [
        {"step": step, "stage": "one" if step <= 600 else "two", "loss": loss} for step, loss in enumerate(losses, 1)
    ]
    save_loss_curve(tmp_path / "out.png", records, ("loss",), "title")
    steps, smooth = lines(figures[0].axes[0])["loss"].get_data()
    assert len(steps) == 1000
    assert np.abs(smooth[:600] - 1).max() < 0.05
    assert np.abs(smooth[600:] - 5).max() < 0.05
    assert smooth[:600].std() < 0.5 * noise[:600].std()
    np.testing.assert_allclose(smooth[300], losses[294:307].mean())
