"""Figures from plain arrays: right colours in the right place, and no complaint about odd images."""

import numpy as np
import pytest
from made_disks import refusing_writes
from PIL import Image

from spectralgpt.errors import TargetError
from spectralgpt.report import save_loss_curve, save_picture, save_reconstruction
from spectralgpt.report.pictures import coloured, stretch_of
from spectralgpt.report.reconstruction import _places

NAMES = ("B2", "B3", "B4", "B8")
WAVELENGTHS = (492.7, 559.8, 664.6, 832.8)


def test_a_small_picture_is_enlarged_without_change(tmp_path):
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 255, (20, 30, 4), dtype=np.uint8)
    picture[..., 3] = 255
    save_picture(tmp_path / "out.png", picture)
    with Image.open(tmp_path / "out.png") as saved:
        found = np.asarray(saved)
    np.testing.assert_array_equal(found[::25, ::25], picture)
    assert found.shape == (500, 750, 4)
    assert [path.name for path in tmp_path.iterdir()] == ["out.png"]


def scene(height=40, width=56) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    truth = rng.uniform(0.01, 0.4, (4, height, width)).astype(np.float32)
    hidden = np.zeros(truth.shape, bool)
    hidden[:, 8:24, 16:40] = True
    return truth, np.where(hidden, 0.2, truth).astype(np.float32), hidden


@pytest.mark.parametrize(
    "change",
    [
        "plain",
        "nothing hidden",
        "all hidden",
        "a hole",
        "nothing valid",
        "constant",
        "one band",
        "smaller than a patch",
    ],
)
def test_reconstruction(change, tmp_path):
    truth, rebuilt, hidden = scene(*((5, 6) if change == "smaller than a patch" else ()))
    names, wavelengths = NAMES, WAVELENGTHS
    if change == "nothing hidden":
        hidden[:] = False
    elif change == "all hidden":
        hidden[:] = True
    elif change == "a hole":
        truth[:, :10] = rebuilt[:, :10] = np.nan
    elif change == "nothing valid":
        truth[:] = rebuilt[:] = np.nan
    elif change == "constant":
        truth[:] = rebuilt[:] = 0.1
    elif change == "one band":
        truth, rebuilt, hidden, names, wavelengths = truth[3:], rebuilt[3:], hidden[3:], NAMES[3:], WAVELENGTHS[3:]
    save_reconstruction(tmp_path / "out.png", truth, rebuilt, hidden, names, wavelengths, "title")
    with Image.open(tmp_path / "out.png") as saved:
        # without a place to show there are no spectra
        assert saved.size == (
            1870,
            594 if change in ("nothing hidden", "nothing valid", "smaller than a patch") else 946,
        )


def test_red_is_red():
    """The band nearest to 665 nm is shown red, the one nearest to 490 nm blue."""
    colours = np.zeros((3, 2, 2), np.float32)
    colours[0, 0, 0] = colours[1, 0, 1] = colours[2, 1, 0] = 1.0
    shown = coloured(colours, stretch_of(colours))
    assert shown[0, 0].argmax() == 0
    assert shown[0, 1].argmax() == 1
    assert shown[1, 0].argmax() == 2


def test_places_are_whole_hidden_patches_from_dark_to_bright():
    truth, _, hidden = scene()
    places = _places(truth, hidden, 8)
    assert len(set(places)) == len(places) == 4
    brightness = [truth[:, r * 8 : r * 8 + 8, c * 8 : c * 8 + 8].mean(axis=(1, 2)).max() for r, c in places]
    assert brightness == sorted(brightness)
    assert all(1 <= row < 3 and 2 <= column < 5 for row, column in places)


def test_loss_curve(tmp_path):
    records = [{"step": float(step), "token": 1 / step, "spectral": 5 / step} for step in (1, 2, 3)]
    save_loss_curve(tmp_path / "out.png", records, ("token", "spectral"), "title")
    with Image.open(tmp_path / "out.png") as saved:
        assert saved.size == (880, 495)


@pytest.mark.parametrize("most", [0, 1, 300])
def test_a_picture_on_a_full_disk_is_one_message_and_leaves_the_old_one(tmp_path, monkeypatch, most):
    path = tmp_path / "out.png"
    picture = np.random.default_rng(0).integers(0, 255, (90, 90, 3)).astype(np.uint8)
    save_picture(path, picture)
    before = path.read_bytes()
    both = r"out\.png: cannot be written to \(No space left on device\), found .* free; expected about \d+ kB"
    with refusing_writes(monkeypatch, tmp_path, most), pytest.raises(TargetError, match=both):
        save_picture(path, picture[::-1])
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["out.png"]
