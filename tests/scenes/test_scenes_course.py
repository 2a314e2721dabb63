"""A run with a limit of time, and what is said before the work."""

import time

import numpy as np
import pytest

from spectralgpt.errors import OptionError, UnfinishedError
from spectralgpt.scenes import Course, partial_of, plan_scene, run_scene
from spectralgpt.scenes.course import SceneEstimate, in_bytes, in_time
from test_scenes_run import as_stored, layout_of, read


@pytest.fixture
def scene_of_six_rows(made_scene, identity):
    plan = plan_scene(150, 90, patch=8, side=32, overlap=0.25, batch=2)
    scene = made_scene(2, 150, 90)
    assert len(plan.rows) == 6
    return plan, scene, layout_of(scene.shape, nodata=None), identity(plan, scene)


@pytest.mark.parametrize("groups", [4, 7, 11])
def test_it_ends_after_the_running_group_and_goes_on(tmp_path, scene_of_six_rows, maker_of, monkeypatch, groups):
    """Block rows that are finished then are kept; every run makes the rest, a few groups each."""
    plan, scene, profile, apply = scene_of_six_rows
    calls = []

    def ticking(windows):
        calls.append(windows)
        return apply(windows)

    begun = time.monotonic()
    monkeypatch.setattr("spectralgpt.scenes.course.time.monotonic", lambda: begun + 3600 * len(calls))
    target, kept, said_first = tmp_path / "o.tif", [], []
    for _ in range(20):
        calls.clear()
        try:
            run_scene(
                plan,
                maker_of(ticking, as_stored, profile),
                target,
                {},
                course=Course(max_hours=groups - 0.5, started=begun, announce=said_first.append),
                resumed=kept.append,
            )
        except UnfinishedError as error:
            assert len(calls) == groups
            said, done = str(error), len(list(partial_of(target).glob("rows-*")))
        else:
            break
        assert f"max_hours={groups - 0.5} ended with {done} of 6 block rows finished. " in said
        assert ("They are kept" in said) == (done > kept[-1])
        assert not target.exists()
    # the row of windows before the first missing block row is computed again: 2 groups
    assert kept == [0, *range(groups // 2, 7, groups // 2 - 1)]
    assert kept[-1] > 0
    resumed = [text for text in said_first if "going on" in text]
    assert resumed == [
        f"{target}: going on after {rows} of 6 block rows, which an interrupted run finished" for rows in kept[1:]
    ]
    np.testing.assert_array_equal(read(target), scene)
    assert [path.name for path in tmp_path.iterdir()] == ["o.tif"]


def test_a_limit_that_gets_no_further_says_so():
    """After a block row, a run computes a row of windows again before it makes another."""
    text = str(Course(max_hours=2).unfinished("o.tif", 3, 3, 6))
    assert text == (
        "o.tif: max_hours=2 ended with 3 of 6 block rows finished. No more than before: the same command gets no "
        "further, give more hours."
    )


def test_a_limit_before_the_first_row_keeps_nothing(tmp_path, scene_of_six_rows, maker_of):
    plan, _, profile, apply = scene_of_six_rows
    with pytest.raises(UnfinishedError, match=r"max_hours=1e-09 ended before the first of 6 block rows. Nothing is"):
        run_scene(plan, maker_of(apply, as_stored, profile), tmp_path / "o.tif", {}, course=Course(max_hours=1e-9))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("hours", [0, -1, float("nan")])
def test_hours_are_more_than_0(hours):
    with pytest.raises(OptionError, match=r"^max_hours="):
        Course(max_hours=hours)


def test_an_estimate_comes_once_after_two_groups(tmp_path, scene_of_six_rows, maker_of):
    plan, _, profile, apply = scene_of_six_rows
    said, at = [], []

    def announce(text):
        said.append(text)
        at.append(len(apply.asked))

    course = Course(announce=announce)
    run_scene(plan, maker_of(apply, as_stored, profile), tmp_path / "o.tif", {}, course=course)
    assert len(said) == 1
    assert at == [4]
    assert "for the 20 still to do of 24 windows of 32 x 32 pixels, in groups of 2, about " in said[0]
    assert "at most 54 kB for the result" in said[0]


def test_the_estimate_in_words():
    plan = plan_scene(10980, 10980, patch=8, side=128, batch=8, reduce=8)
    text = SceneEstimate(plan, 13000, 1130.0, 722_000_000).text
    assert text.startswith(
        f"Estimated: about 19 minutes for the 13000 still to do of {plan.count} windows of 128 x 128 pixels, in groups"
    )
    assert "at most 722 MB for the result" in text
    assert [in_time(each) for each in (0.2, 89, 100, 5400, 40000)] == [
        "about 1 s",
        "about 89 s",
        "about 1.7 minutes",
        "about 1.5 hours",
        "about 11 hours",
    ]
    assert [in_bytes(each) for each in (0, 2e4, 3.14e6, 9.96e8, 2.5e12)] == [
        "0 kB",
        "20 kB",
        "3.1 MB",
        "996 MB",
        "2.5 TB",
    ]
