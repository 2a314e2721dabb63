"""The shift between two dates: measured, said, and corrected."""

import re

import numpy as np
import pytest

from made_dates import band, of_dates, shifted
from spectralgpt import change


@pytest.mark.parametrize("shift", [(1.5, -1.5), (-3.0, 2.0)])
def test_align_takes_a_shift_back(shift, weights, tmp_path):
    """The map is that of the pair without the shift, but for what interpolating twice blurs; at the border, too, where
    the moved image shows nothing."""
    before, after, moved = shifted(tmp_path, *shift)
    how = {"weights": weights, "precision": "fp32"}
    still = change(before, after, tmp_path / "still.tif", **how)
    plain = change(before, moved, tmp_path / "plain.tif", **how)
    back = change(before, moved, tmp_path / "back.tif", align=True, threshold=still.threshold, **how)
    assert (plain.shift.rows, plain.shift.columns) == (
        pytest.approx(shift[0], abs=0.1),
        pytest.approx(shift[1], abs=0.1),
    )
    assert (plain.shift.metres_rows, plain.shift.metres_columns) == (
        pytest.approx(10 * plain.shift.rows, rel=0.01),
        pytest.approx(10 * plain.shift.columns, rel=0.01),
    )
    assert not plain.shift.aligned
    assert back.shift.aligned
    assert any("align=True" in warning for warning in plain.warnings)
    assert of_dates(back.warnings) == of_dates(still.warnings) == []
    inner = np.s_[1:-1, 1:-1]
    wanted, without, found = (band(each.target)[inner] for each in (still, plain, back))
    assert np.abs(found - wanted).max() < 0.3
    assert np.abs(found - wanted).mean() < 0.25 * np.abs(without - wanted).mean()
    wanted, found = band(still.changed_map), band(back.changed_map)
    np.testing.assert_array_equal(found[found != 255], wanted[found != 255])
    assert (found[inner] != 255).all()


def test_a_small_shift_is_neither_warned_of_nor_corrected(weights, tmp_path):
    before, _, moved = shifted(tmp_path, 0.25, 0.0)
    found = change(before, moved, tmp_path / "map.tif", weights=weights, align=True)
    assert 0.05 < found.shift.rows < 0.45
    assert not found.shift.aligned
    assert of_dates(found.warnings) == []


def test_the_command_says_the_shift_and_the_option(weights, tmp_path, spectralgpt):
    before, _, moved = shifted(tmp_path, 2.0, 0.0)
    ended = spectralgpt("change", before, moved, tmp_path / "map.tif", "--weights", weights)
    assert ended.code == 0, ended.err
    found = re.search(
        r"shift of AFTER: \(row, column\) = \((\S+), (\S+)\) .*pixels = \((\S+), (\S+)\) m, in", ended.out
    )
    assert found is not None, ended.out
    pixels, metres = [float(text) for text in found.groups()[:2]], [float(text) for text in found.groups()[2:]]
    assert pixels == [pytest.approx(2, abs=0.1), pytest.approx(0, abs=0.1)]
    assert metres == [pytest.approx(20, abs=1), pytest.approx(0, abs=1)]
    assert "correct it with --align" in ended.err
    assert "do not lie on one another" not in ended.err
    ended = spectralgpt("change", before, moved, tmp_path / "map.tif", "--weights", weights, "--align", "--json")
    assert ended.json["shift"]["aligned"] is True
    assert ended.json["threshold"] > 0
    assert ended.json["changed_map"] == str(tmp_path / "map.changed.tif")
