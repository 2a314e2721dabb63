"""The figure of a map of classes: both panels show the same ground, in the classes' colours."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from spectralgpt.report import LegendEntry, ShownPoint, save_class_map
from spectralgpt.report.class_map import LEGEND_ROWS, _draw_points, _painted

LEGEND = (
    LegendEntry(0, "water", "#0000ff", 0.25),
    LegendEntry(1, "a name of a class that is too long for a legend, $x$", "#00ff00", 0.7499),
    LegendEntry(2, "absent", "#ff0000", 0.0),
    LegendEntry(3, "rare", "#123456", 0.0001),
)


def test_colours_of_values():
    painted = _painted(np.array([[0, 1], [-1, 3]]), LEGEND)
    assert (painted[0, 0] == (0, 0, 1)).all()
    assert (painted[0, 1] == (0, 1, 0)).all()
    assert (painted[1, 0] == 1).all(), "white where there is no answer"
    np.testing.assert_allclose(painted[1, 1] * 255, (0x12, 0x34, 0x56))


@pytest.mark.parametrize(
    ("rows", "columns", "covered"), [(60, 90, (60, 90)), (200, 30, (224, 32)), (9, 400, (16, 416))]
)
def test_both_panels_show_the_same_ground(rows, columns, covered, tmp_path):
    """Blue in the left half of the scene, whatever the map covers beyond it."""
    scene = np.full((3, rows, columns), 0.1, np.float32)
    scene[:, :, columns // 2 :] = 0.3
    values = np.ones(covered, int)
    values[:, : columns // 2] = 0
    path = tmp_path / "map.png"
    save_class_map(path, scene, "red", values, LEGEND, "title", size=(rows, columns), covered=covered, text={"a": "b"})
    with Image.open(path) as picture:
        assert picture.info["a"] == "b"
        pixels = np.array(picture.convert("RGB")).astype(int)
    blue = (pixels == (0, 0, 255)).all(axis=-1)
    green = (pixels == (0, 255, 0)).all(axis=-1)
    row = int(blue.sum(axis=1).argmax())
    assert blue[row].sum() > 10
    assert green[row].sum() == pytest.approx(blue[row].sum(), abs=0.1 * blue[row].sum() + 30)


def test_a_legend_of_many_classes_and_of_none(tmp_path):
    many = [LegendEntry(index, f"class {index}", "#999999", 1 / 60) for index in range(60)]
    scene, values = np.full((3, 20, 20), np.nan, np.float32), np.full((20, 20), -1)
    for legend in (many, []):
        path = tmp_path / f"{len(legend)}.png"
        save_class_map(path, scene, "red", values, legend, "title", size=(20, 20), covered=(20, 20))
        assert path.stat().st_size > 1000
    assert LEGEND_ROWS < 60


def test_points_lie_on_their_places_in_the_colours_of_their_classes():
    axes = Figure().subplots()
    _draw_points(axes, [ShownPoint(12.0, 4.0, 1), ShownPoint(20.0, 36.0, 0), ShownPoint(4.0, 4.0, 1)], LEGEND)
    (drawn,) = axes.collections
    np.testing.assert_array_equal(drawn.get_offsets(), [[4, 12], [36, 20], [4, 4]])
    np.testing.assert_array_equal(drawn.get_facecolors()[:, :3], [[0, 1, 0], [0, 0, 1], [0, 1, 0]])
    empty = Figure().subplots()
    _draw_points(empty, [], LEGEND)
    assert not empty.collections[:]
