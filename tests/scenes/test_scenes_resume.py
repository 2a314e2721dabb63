"""A scene that was interrupted goes on from its finished block rows, and ends like one that was not."""

import os
import time

import numpy as np
import pytest
import torch
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from made_rasters import NAMES, land, write

from spectralgpt.bands import BandSet, sensor
from spectralgpt.checks import check
from spectralgpt.errors import TargetError
from spectralgpt.nn import BandStatistics, ModelConfig, Normalization, Size
from spectralgpt.products import open_raster
from spectralgpt.raster import Grid, Profile
from spectralgpt.scenes import Course, chosen_before, embed_scene, partial_of, plan_scene, run_scene
from spectralgpt.scenes.journal import Journal
from spectralgpt.weights import SpectralGPT


class StoppedError(Exception):
    """Ends a run in the middle."""


def layout(height: int, width: int) -> Profile:
    return Profile(grid=Grid(None, Affine(10.0, 0.0, 0.0, 0.0, -10.0, 0.0), height, width), count=2, dtype="float64")


def answers(windows, plan):
    """Values that no two windows agree on, so that each one shows where it is blended."""
    made = [np.random.default_rng((w.row, w.column)).normal(size=(2, w.height, w.width)) for w in windows]
    return np.stack(made), np.ones((len(windows), 1, plan.side_rows, plan.side_columns), bool)


def stored(window, values, valid):
    return values


@settings(max_examples=40)
@given(
    height=st.integers(40, 200),
    overlap=st.sampled_from([0.0, 0.25, 0.5, 0.6, 0.9]),
    batch=st.integers(1, 4),
    moment=st.floats(0, 1, exclude_max=True),
)
def test_it_ends_in_the_same_bytes(tmp_path_factory, maker_of, height, overlap, batch, moment):
    """Wherever it stops, and however many rows of windows reach into a block row."""
    folder = tmp_path_factory.mktemp("scene")
    plan = plan_scene(height, 70, patch=8, side=32, overlap=overlap, batch=batch)
    groups = [group for row in range(len(plan.rows)) for group in plan.groups(row)]
    asked = []

    def note(window, _):
        return [window.row, window.column]

    def run(name, apply):
        resumed = []
        maker = maker_of(apply, stored, layout(height, 70), kept=np.float64, note=note)
        summary, _ = run_scene(plan, maker, folder / name, {}, resumed=resumed.append)
        return summary, resumed[0]

    def apply(windows):
        asked.append(tuple(windows))
        return answers(windows, plan)

    def stopping(windows):
        if len(asked) == int(moment * len(groups)):
            raise StoppedError
        return apply(windows)

    expected, none = run("straight.tif", apply)
    assert none == 0
    asked.clear()
    with pytest.raises(StoppedError):
        run("stopped.tif", stopping)
    done = Journal(folder / "stopped.tif", plan, {}).done
    asked.clear()
    found, resumed = run("stopped.tif", apply)
    assert found == expected
    assert resumed == done
    assert (folder / "stopped.tif").read_bytes() == (folder / "straight.tif").read_bytes()
    # the same groups; none that only earlier block rows depend on
    reaching = [group for group in groups if group[0].row + plan.side_rows > plan.rows[done]]
    assert asked == reaching


def interrupted(target, plan, maker_of, journal):
    """A run that was stopped in its last row of windows, with the first block row finished."""
    first = partial_of(target) / "rows-000000.npy"

    def stopping(windows):
        if windows[0].row == plan.rows[-1]:
            until = time.monotonic() + 60  # it is written beside the model
            while not first.exists() and time.monotonic() < until:
                time.sleep(0.01)
            raise StoppedError
        return answers(windows, plan)

    with pytest.raises(StoppedError):
        run_scene(plan, maker_of(stopping, stored, layout(plan.height, plan.width), kept=np.float64), target, journal)
    return maker_of(lambda windows: answers(windows, plan), stored, layout(plan.height, plan.width), kept=np.float64)


JOURNAL = {"inputs": {"a.tif": [10, 99], "b.tif": None}, "weights": "0f", "parameters": {"batch": 2, "per": "all"}}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"inputs": {"a.tif": [12, 99], "b.tif": None}}, "a.tif (changed)"),
        ({"inputs": {"a.tif": [10, 100], "b.tif": None}}, "a.tif (changed)"),
        ({"inputs": {"a.tif": [10, 99]}}, "b.tif (only in one of the runs)"),
        ({"weights": "1e"}, "weights 0f, now 1e"),
        ({"parameters": {"batch": 3, "per": "date"}}, "batch 2, now 3; per all, now date"),
        ({"parameters": {"batch": 2, "per": "all", "nodata": "0"}}, "nodata None, now 0"),
        ({"verdict": "x" * 99}, "verdict"),
    ],
)
def test_what_differs_is_named_and_refused(tmp_path, maker_of, change, named):
    plan = plan_scene(70, 70, patch=8, side=32, batch=2)
    target = tmp_path / "o.tif"
    maker = interrupted(target, plan, maker_of, JOURNAL)
    before = {path: path.read_bytes() for path in partial_of(target).iterdir()}
    with pytest.raises(TargetError) as refused:
        run_scene(plan, maker, target, JOURNAL | change)
    assert f"was begun otherwise: {named}; expected the same" in str(refused.value)
    assert refused.value.advice == (("restart", True),)
    assert {path: path.read_bytes() for path in partial_of(target).iterdir()} == before
    resumed = []
    run_scene(plan, maker, target, JOURNAL | change, course=Course(restart=True), resumed=resumed.append)
    assert resumed == [0]
    assert [path.name for path in tmp_path.iterdir()] == ["o.tif"]


def test_a_plan_that_lost_its_journal_is_refused(tmp_path, maker_of):
    plan = plan_scene(70, 70, patch=8, side=32, batch=2)
    maker = interrupted(tmp_path / "o.tif", plan, maker_of, JOURNAL)
    file = partial_of(tmp_path / "o.tif") / "plan.json"
    file.write_text(file.read_text().replace('"journal"', '"jour"'))
    with pytest.raises(TargetError, match=r"begun otherwise: jour.*; journal"):
        run_scene(plan, maker, tmp_path / "o.tif", JOURNAL)


def test_rows_with_a_damaged_header_are_computed_again(tmp_path, maker_of):
    plan = plan_scene(70, 70, patch=8, side=32, batch=2)
    target = tmp_path / "o.tif"
    maker = interrupted(target, plan, maker_of, JOURNAL)
    file = partial_of(target) / "rows-000000.npy"
    # neither a dictionary nor the tokens of one, for which NumPy raises other errors than for a short file
    file.write_bytes(file.read_bytes().replace(b"'fortran_order': False", b"'fortran_or" + b"\xbf" * 11))
    resumed = []
    run_scene(plan, maker, target, JOURNAL, resumed=resumed.append)
    assert resumed == [0]


def test_another_plan_is_refused(tmp_path, maker_of):
    plan = plan_scene(70, 70, patch=8, side=32, batch=2)
    maker = interrupted(tmp_path / "o.tif", plan, maker_of, JOURNAL)
    other = plan_scene(70, 70, patch=8, side=32, batch=1)
    with pytest.raises(TargetError, match=r"begun otherwise: batch 2, now 1; expected"):
        run_scene(other, maker, tmp_path / "o.tif", JOURNAL)


def test_without_a_finished_row_there_is_nothing_to_refuse(tmp_path, maker_of):
    plan = plan_scene(70, 70, patch=8, side=32, batch=2)
    target = tmp_path / "o.tif"
    maker = interrupted(target, plan, maker_of, JOURNAL)
    for path in partial_of(target).glob("rows-*"):
        path.unlink()
    run_scene(plan, maker, target, JOURNAL | {"weights": "other"})
    assert target.exists()


@pytest.mark.parametrize("name", ["rows-000001.npy", "notes-000001.json"])
@pytest.mark.parametrize("left", [0, 5, 100])
def test_a_row_cut_off_by_a_power_cut_is_made_again(tmp_path, maker_of, name, left):
    plan = plan_scene(200, 70, patch=8, side=32, batch=2)
    target = tmp_path / "o.tif"
    maker = interrupted(target, plan, maker_of, {})
    run_scene(plan, maker, tmp_path / "straight.tif", {})
    damaged = partial_of(target) / name
    damaged.write_bytes(damaged.read_bytes()[: min(left, damaged.stat().st_size - 1)])
    resumed = []
    run_scene(plan, maker, target, {}, resumed=resumed.append)
    assert resumed == [1]
    assert target.read_bytes() == (tmp_path / "straight.tif").read_bytes()


def test_what_was_chosen_before(tmp_path, maker_of):
    assert chosen_before(tmp_path / "o.tif") == {}
    interrupted(tmp_path / "o.tif", plan_scene(70, 70, patch=8, side=32, batch=2), maker_of, JOURNAL)
    assert chosen_before(tmp_path / "o.tif") == {"batch": 2, "per": "all"}
    (partial_of(tmp_path / "o.tif") / "plan.json").write_text("[]")
    assert chosen_before(tmp_path / "o.tif") == {}


# -- models on files --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def model() -> SpectralGPT:
    torch.manual_seed(0)
    bands = sensor("s2-l1c").bands
    normalization = Normalization("standard", tuple(BandStatistics(band, 2.0, 1.0) for band in bands))
    config = ModelConfig(Size(32, 2, 4, 32, 1, 4), BandSet.native(sensor("spectralgpt-12").bands))
    return SpectralGPT(config, normalization, {"data": "none"}).eval()


@pytest.mark.parametrize("how", ["touched", "longer", "vrt", "mask"])
def test_a_changed_file_is_named(tmp_path, model, how):
    """The image itself, what a VRT reads, or a mask of clouds: by size and time of the last change."""
    import rasterio.shutil

    source = write(tmp_path / "s_2020-05-01.tif", land(300, 60), names=NAMES)
    clouds, given, changed = None, source, source
    if how == "vrt":
        given = tmp_path / "s.vrt"
        rasterio.shutil.copy(source, given, driver="VRT")
    if how == "mask":
        clouds = changed = write(tmp_path / "clouds.tif", np.zeros((1, 300, 60), np.uint8))

    def run(stop):
        def progress(stage, done, total):
            if stop and done == total:
                raise StoppedError

        with open_raster(given, clouds=clouds, bands="s2-l1c") as raster:
            embed_scene(raster, model, tmp_path / "e.tif", verdict=check(raster), batch=2, progress=progress)

    with pytest.raises(StoppedError):
        run(stop=True)
    found = changed.stat()
    if how == "longer":
        with changed.open("ab") as file:
            file.write(b"0")
        os.utime(changed, ns=(found.st_atime_ns, found.st_mtime_ns))
    else:
        os.utime(changed, ns=(found.st_atime_ns, found.st_mtime_ns + 1))
    with pytest.raises(TargetError, match=rf"begun otherwise: \S*{changed.name} \(changed\); expected"):
        run(stop=False)
