"""The figure of a class map: places lie on the scene, points on their places, in the colours of their classes."""

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from spectralgpt.report.class_map import class_map_figure

CLASSES = [("water", "#2c6fbb"), ("forest", "#14532d"), ("sand", "#f4e3a1")]


def drawn(height: int, width: int, pixels: float, mask: np.ndarray):
    colours = np.random.default_rng(0).uniform(0, 0.3, (3, height, width)).astype(np.float32)
    points, labels = np.array([[0, 0], [1, 2], [2, 1]]), np.array([1, 0, 1])
    figure = class_map_figure(colours, mask, CLASSES, points, labels, "a title", pixels)
    return figure, *figure.axes


# a scene that its places cover exactly, one that they reach beyond, and one of which every third pixel is drawn
@pytest.mark.parametrize(("height", "width", "pixels"), [(40, 32, 8.0), (37, 27, 8.0), (14, 9, 8 / 3)])
def test_places_and_points_lie_on_the_scene(height, width, pixels):
    mask = np.zeros((5, 4), np.int64)
    mask[1:, 0] = 1
    _, scene, map_ = drawn(height, width, pixels, mask)
    assert scene.images[0].get_extent() == [0, width, height, 0]
    assert map_.images[0].get_extent() == pytest.approx([0, 4 * pixels, 5 * pixels, 0])
    for axes in (scene, map_):
        assert (axes.get_xlim(), axes.get_ylim()) == ((0, width), (height, 0))
        assert axes.get_aspect() == 1
    (points,) = scene.collections
    expected = np.array([[0.5, 0.5], [1.5, 2.5], [2.5, 1.5]]) * pixels
    np.testing.assert_allclose(points.get_offsets(), expected)
    colours = [to_rgb(CLASSES[label][1]) for label in (1, 0, 1)]
    np.testing.assert_allclose(points.get_facecolors()[:, :3], colours)
    assert map_.collections[:] == []
    shown = map_.images[0].get_array()
    np.testing.assert_array_equal(shown[..., :3] == np.array([44, 111, 187]), np.repeat(mask[..., None] == 0, 3, -1))


def test_the_legend_names_the_classes_that_are_shown():
    mask = np.full((5, 4), -1)
    figure, *_ = drawn(40, 32, 8, mask)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["water", "forest"]  # of points alone
    mask[0, 0] = 2
    figure, *_ = drawn(40, 32, 8, mask)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["water", "forest", "sand"]
    assert figure.get_suptitle() == "a title"


def test_a_scene_of_which_nothing_is_known(tmp_path):
    colours = np.full((3, 20, 30), np.nan, np.float32)
    nothing = np.zeros(0, np.int64)
    figure = class_map_figure(colours, np.full((3, 4), -1), CLASSES, nothing.reshape(0, 2), nothing, "nothing", 8)
    figure.savefig(tmp_path / "nothing.png")
