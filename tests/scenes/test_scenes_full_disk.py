"""A scene and a full disk: refused before it starts, else finished block rows stay and the same run goes on."""

from types import SimpleNamespace

import numpy as np
import pytest
import rasterio
from affine import Affine
from made_disks import fill_disk, refusing_writes, small_disk

from spectralgpt.errors import TargetError
from spectralgpt.raster import Grid, Profile
from spectralgpt.scenes import Course, partial_of, plan_scene, run_scene

SIDE = 200
STORED = 2 * SIDE * SIDE * 2
"""Bytes of all block rows."""


def as_stored(window, values, valid):
    return np.rint(values).astype(np.uint16)


@pytest.fixture
def made(made_scene, identity, maker_of):
    """A plan, a maker that stores the scene's own values, and the scene."""
    plan = plan_scene(SIDE, SIDE, patch=8, side=32, overlap=0.25, batch=8)
    scene = made_scene(2, SIDE, SIDE)
    grid = Grid(None, Affine(10, 0, 0, 0, -10, 0), SIDE, SIDE)
    profile = Profile(grid, 2, "uint16", block=64)
    return plan, maker_of(identity(plan, scene), as_stored, profile), scene


def test_a_disk_without_room_for_the_block_rows_is_refused_first(tmp_path, monkeypatch, made):
    plan, maker, _ = made
    monkeypatch.setattr("spectralgpt.free_space.shutil.disk_usage", lambda _: SimpleNamespace(free=STORED - 1))
    both = (
        r"found 160 kB free on its disk; expected 160 kB, for the block rows of out\.tif, while the result is at most"
    )
    with pytest.raises(TargetError, match=both):
        run_scene(plan, maker, tmp_path / "out.tif", {})
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_may_be_too_small_is_announced(tmp_path, monkeypatch, made):
    plan, maker, _ = made
    said: list[str] = []
    monkeypatch.setattr("spectralgpt.free_space.shutil.disk_usage", lambda _: SimpleNamespace(free=2 * STORED))
    run_scene(plan, maker, tmp_path / "out.tif", {}, course=Course(announce=said.append))
    assert "320 kB are free; up to 587 kB are needed" in said[0]
    said.clear()
    monkeypatch.undo()
    run_scene(plan, maker, tmp_path / "other.tif", {}, course=Course(announce=said.append))
    assert not [each for each in said if "are free" in each]


@pytest.mark.parametrize("most", [60_000, 110_000, STORED])
def test_block_rows_that_are_finished_stay_and_the_run_goes_on(tmp_path, monkeypatch, made, most):
    plan, maker, scene = made
    target, resumed = tmp_path / "out.tif", []
    with (
        refusing_writes(monkeypatch, partial_of(target), most),
        pytest.raises(TargetError, match=r"No space left on device.*Finished block rows are kept"),
    ):
        run_scene(plan, maker, target, {})
    assert not target.exists()
    assert not [each for each in partial_of(target).iterdir() if each.name.endswith(".new")]
    run_scene(plan, maker, target, {}, resumed=resumed.append)
    assert resumed[0] > 0
    assert (read(target) == scene).all()
    assert [each.name for each in tmp_path.iterdir()] == ["out.tif"]


def test_a_full_disk_at_the_end_keeps_all_block_rows(tmp_path, made):
    plan, maker, scene = made
    with small_disk(tmp_path / "disk", 2**20) as disk:
        target, resumed = disk / "out.tif", []
        filler = fill_disk(disk, STORED + 100_000)
        with pytest.raises(TargetError, match="No space left on device"):
            run_scene(plan, maker, target, {})
        assert not target.exists()
        filler.unlink()
        run_scene(plan, maker, target, {}, resumed=resumed.append)
        assert resumed == [len(plan.rows)]
        assert (read(target) == scene).all()


def read(path):
    with rasterio.open(path) as file:
        return file.read()
