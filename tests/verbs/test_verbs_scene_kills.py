"""Verbs on a scene that are killed at any moment: the same command goes on, and ends as if nothing had happened."""

import numpy as np
import pytest
from made_rasters import NAMES, land, write

from made_drawn_probes import drawn_probe
from made_headed_weights import LAND, headed_weights
from made_scene_kills import killed_runs
from spectralgpt.products import open_pair
from spectralgpt.scenes.changed import CHANGE_CLASSES

HEIGHT, WIDTH = 1040, 72
BLOCK_ROWS = 20
"""At least, of the scene."""


@pytest.fixture(scope="module")
def kept(weights, tmp_path_factory) -> dict:
    """Sources and options of each verb."""
    folder = tmp_path_factory.mktemp("kept")
    headed = headed_weights(weights, folder / "headed")
    values = land(HEIGHT, WIDTH)
    after = values.copy()
    after[:, 400:480, 16:56] = after[::-1, 400:480, 16:56]
    after = after + np.random.default_rng(1).integers(0, 20, after.shape).astype(np.uint16)
    one = write(folder / "s_2020-05-01.tif", values, names=NAMES)
    two = write(folder / "t_2021-05-01.tif", after, names=NAMES)
    moved = write(folder / "u_2021-05-01.tif", np.roll(after, 2, axis=1), names=NAMES)

    def median(probe):
        with open_pair(one, two) as raster:
            return float(np.median(probe.probabilities(raster)[..., 1]))

    probes = {
        "change": drawn_probe(weights, folder / "changes", "change", CHANGE_CLASSES, 120, median),
        "mask": drawn_probe(weights, folder / "masks", "mask", LAND, 60),
        "class": drawn_probe(weights, folder / "images", "class", LAND, 48),
    }
    squares = ["--batch", 2, "--threads", 1, "--trust-input"]
    more = ["--overlap", 0.6, *squares]
    return {
        "embed": ([one], ["--weights", weights, *more]),
        "reconstruct": ([one], ["--weights", weights, *more]),
        "predict": ([one], ["--weights", headed / "mask", "--probabilities", "--entropy", "--polygons", *more]),
        "change": ([one, two], ["--weights", weights, *more]),
        "change aligned": ([one, moved], ["--weights", weights, "--align", *more]),
        "change by weights": ([one, two], ["--weights", headed / "change", *more]),
        "change by a probe": ([one, two], ["--weights", probes["change"], *more]),
        "predict by a probe": ([one], ["--weights", probes["mask"], "--probabilities", "--polygons", *more]),
        "predict squares": ([one], ["--weights", headed / "classes", "--entropy", "--polygons", *squares]),
        "predict squares by a probe": ([one], ["--weights", probes["class"], "--probabilities", *squares]),
    }


def is_whole(kill):
    """All of the result was in place: the rows may have been being removed, in any order, the first one too."""
    return {"o.tif", "o.png"} <= set(kill.files)


def check_kills(kills, during, last):
    assert len(kills) == during + last
    for each in kills:
        assert each.resumed == each.rows or (is_whole(each) and each.resumed < each.rows), each
    assert during == 1 or any(0 < each.rows < BLOCK_ROWS for each in kills), "some of them between two rows"
    for each in kills[during:]:
        assert is_whole(each) or (each.writing and each.rows >= BLOCK_ROWS), f"not in the last pass: {each}"


USUAL = ["embed", "reconstruct", "predict", "change", "change by a probe", "predict by a probe", "predict squares"]
VERBS = [*USUAL, "change aligned", "change by weights", "predict squares by a probe"]


@pytest.mark.parametrize("verb", USUAL)
def test_some_moments(kept, tmp_path, verb):
    check_kills(killed_runs(tmp_path, verb.split()[0], *kept[verb], during=1, last=1), 1, 1)


@pytest.mark.long
@pytest.mark.parametrize("verb", VERBS)
def test_ten_moments(kept, tmp_path, verb):
    check_kills(killed_runs(tmp_path, verb.split()[0], *kept[verb], during=8, last=2), 8, 2)
