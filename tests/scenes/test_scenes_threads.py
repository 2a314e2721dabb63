"""Reading ahead and keeping behind: the same order and results as without threads, one exception, and a clean end."""

import threading
import time

import numpy as np
import pytest

from spectralgpt.errors import RasterError
from spectralgpt.raster import Window
from spectralgpt.scenes import partial_of, plan_scene, run_scene
from spectralgpt.scenes.threads import MOST_WAITING, DoneBehind, ReadAhead

GROUPS = [(number, (Window(number, 0, 1, 1),)) for number in range(20)]


def of_ours() -> list[str]:
    return [each.name for each in threading.enumerate() if each.name.startswith(("read", "keep"))]


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_reads_come_in_order_and_a_few_ahead(threads):
    begun, most = [], 0

    def read(windows):
        begun.append(windows[0].row)
        time.sleep(0.002 * (windows[0].row % 3))
        return windows[0].row

    with ReadAhead(read, iter(GROUPS), threads) as pairs:
        for place, ((row, group), pixels) in enumerate(pairs):
            assert row == pixels == group[0].row == place
            most = max(most, len(begun) - place)
    assert 1 < most <= threads + 1
    assert of_ours() == []


def test_what_a_read_raises_comes_in_its_place():
    def read(windows):
        if windows[0].row == 3:
            raise RasterError("s.tif: rows 3 to 4 cannot be read")
        return windows[0].row

    found = []
    with pytest.raises(RasterError, match="rows 3"), ReadAhead(read, GROUPS, 2) as pairs:
        found += [pixels for _, pixels in pairs if not found.append(pixels)]
    assert found == [0, 1, 2]
    assert of_ours() == []


def test_calls_are_made_in_order_while_the_caller_works():
    made, busy = [], threading.Event()

    def call(number):
        busy.wait(10)
        made.append((number, threading.get_ident()))

    with DoneBehind() as behind:
        for number in range(MOST_WAITING + 1):
            behind.call(call, number)  # waits for none of them
        assert made == []
        busy.set()
        for number in range(MOST_WAITING + 1, 30):
            behind.call(call, number)
    assert [number for number, _ in made] == list(range(30))
    assert {thread for _, thread in made}.isdisjoint({threading.get_ident()})
    assert of_ours() == []


@pytest.mark.parametrize("more", [0, 1, 20])
def test_a_failed_call_is_raised_once_and_the_last(more):
    made = []

    def call(number):
        made.append(number)
        if number == 2:
            raise RasterError("two")

    with pytest.raises(RasterError, match="two"), DoneBehind() as behind:  # noqa: PT012
        for number in range(3 + more):
            behind.call(call, number)
    assert made == [0, 1, 2]


def test_an_exception_of_the_caller_comes_alone():
    def failing():
        raise RasterError("behind")

    made, busy = [], threading.Event()
    with pytest.raises(KeyboardInterrupt) as raised, DoneBehind() as behind:  # noqa: PT012
        behind.call(busy.wait, 0.05)
        behind.call(failing)
        behind.call(made.append, 1)
        raise KeyboardInterrupt
    assert raised.value.__context__ is None
    assert made == []
    assert of_ours() == []


@pytest.mark.parametrize("place", ["read", "stored"])
@pytest.mark.parametrize("error", [KeyboardInterrupt, RasterError, RuntimeError])
def test_a_run_that_fails_in_a_thread_ends_clean(tmp_path, maker_of, made_scene, identity, place, error):
    """One exception, whatever thread it was in; no thread, no half file; finished rows stay."""
    from test_scenes_run import as_stored, layout_of, read

    plan = plan_scene(200, 90, patch=8, side=32, batch=2)
    scene = made_scene(2, 200, 90)
    apply, profile = identity(plan, scene), layout_of(scene.shape, nodata=None)

    def failing_read(windows):
        if place == "read" and windows[0].row == plan.rows[4]:
            raise error("in a thread")

    def compose(window, values, valid):
        if place == "stored" and window.row == plan.block_rows[4][0]:
            raise error("in a thread")
        return as_stored(window, values, valid)

    target = tmp_path / "o.tif"
    # what interrupts a run says what is kept
    said = "block rows of .* are kept" if error is KeyboardInterrupt else "in a thread"
    with pytest.raises(error, match=said):
        run_scene(plan, maker_of(apply, compose, profile, read_as=failing_read), target, {})
    assert of_ours() == []
    assert not target.exists()
    left = sorted(path.name for path in partial_of(target).iterdir())
    done = len([name for name in left if name.startswith("rows")])
    # a failed read may come while earlier rows wait to be kept
    assert done == 4 if place == "stored" else 1 <= done <= 4
    assert not [name for name in left if name.endswith(".new")]
    resumed = []
    run_scene(plan, maker_of(apply, as_stored, profile), target, {}, resumed=resumed.append)
    assert resumed == [done]
    np.testing.assert_array_equal(read(target), scene)


def test_the_disk_is_waited_for(tmp_path, maker_of, made_scene, identity):
    """The model does not run ahead of a slow disk: memory holds a few groups only."""
    from test_scenes_run import as_stored, layout_of

    plan = plan_scene(200, 90, patch=8, side=32, batch=1)
    scene = made_scene(2, 200, 90)
    apply, kept, most = identity(plan, scene), [], []

    def compose(window, values, valid):
        time.sleep(0.003)
        kept.append(window)
        most.append(len(apply.asked) - len(kept))
        return as_stored(window, values, valid)

    run_scene(plan, maker_of(apply, compose, layout_of(scene.shape)), tmp_path / "o.tif", {})
    assert 1 <= max(most) <= MOST_WAITING + 3
