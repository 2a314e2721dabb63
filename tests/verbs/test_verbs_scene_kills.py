"""Verbs on a scene that are killed at any moment: the same command goes on, and ends as if nothing had happened."""

import numpy as np
import pytest
from made_rasters import NAMES, land, write

from made_headed_weights import headed_weights
from made_scene_kills import killed_runs

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
    more = ["--overlap", 0.6, "--batch", 2, "--threads", 1, "--trust-input"]
    return {
        "embed": ([one], ["--weights", weights, *more]),
        "reconstruct": ([one], ["--weights", weights, *more]),
        "predict": ([one], ["--weights", headed / "mask", "--probabilities", "--entropy", "--polygons", *more]),
        "change": ([one, two], ["--weights", weights, *more]),
        "change by weights": ([one, two], ["--weights", headed / "change", *more]),
    }


def check_kills(kills, during, last):
    assert len(kills) == during + last
    for each in kills:
        # with all of the result in place, the rows were being removed, and the run begins anew
        over = not each.writing and {"o.tif", "o.png"} <= set(each.files)
        assert each.resumed == (0 if over else each.rows), each
    assert during == 1 or any(0 < each.rows < BLOCK_ROWS for each in kills), "some of them between two rows"
    assert all(each.writing and each.rows >= BLOCK_ROWS for each in kills[during:]), "the last ones in the last pass"


VERBS = ["embed", "reconstruct", "predict", "change", "change by weights"]


@pytest.mark.parametrize("verb", VERBS[:4])
def test_some_moments(kept, tmp_path, verb):
    check_kills(killed_runs(tmp_path, verb.split()[0], *kept[verb], during=1, last=1), 1, 1)


@pytest.mark.long
@pytest.mark.parametrize("verb", VERBS)
def test_ten_moments(kept, tmp_path, verb):
    check_kills(killed_runs(tmp_path, verb.split()[0], *kept[verb], during=8, last=2), 8, 2)
