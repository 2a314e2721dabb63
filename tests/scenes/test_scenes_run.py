"""A scene through files: the result is the same scene, or nothing, or a folder from which a later run goes on."""

import json
import tracemalloc
from itertools import pairwise
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.crs import CRS

from spectralgpt.errors import InputError, TargetError, WeightsError
from spectralgpt.products import open_raster
from spectralgpt.raster import Grid, Profile, Window, write_raster
from spectralgpt.scenes import Course, check_scene_target, partial_of, plan_scene, run_scene
from spectralgpt.scenes.journal import MOST_NOTES, VERSION, Journal
from spectralgpt.scenes.rows import RowFile

UTM = CRS.from_epsg(32632).to_wkt()


def layout_of(
    shape: tuple[int, int, int], dtype: str = "uint16", nodata: float | None = 0.0, gsd: float = 10.0
) -> Profile:
    """Layout of `dtype` for an array [band, row, column] somewhere in Bavaria."""
    return Profile(
        grid=Grid(UTM, Affine(gsd, 0.0, 600000.0, 0.0, -gsd, 5400000.0), shape[1], shape[2]),
        count=shape[0],
        dtype=dtype,
        nodata=nodata,
        descriptions=tuple(f"B{band + 2:02}" for band in range(shape[0])),
        scale=(1e-4,) * shape[0],
        offset=(0.0,) * shape[0],
        tags={"made_by": "a test"},
    )


def as_stored(window: Window, values: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Stored as uint16, 0 where not valid."""
    assert values.shape == valid.shape
    assert values.shape[1:] == (window.height, window.width)
    return np.where(valid, np.rint(values), 0).astype(np.uint16)


def read(path: Path) -> np.ndarray:
    """Stored values [band, row, column]."""
    with rasterio.open(path) as file:
        return file.read()


@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.9])
@pytest.mark.parametrize(("height", "width"), [(1, 1), (7, 9), (129, 127), (101, 97), (200, 136)])
def test_a_raster_goes_through_windows(tmp_path, made_scene, maker_of, height, width, overlap):
    """From file to file: windows that extend beyond the scene are read inside it, and not valid elsewhere."""
    scene = made_scene(2, height, width) % 60000 + 1
    scene[:, height // 3 : height // 2, width // 4 : width // 2] = 0
    profile = layout_of(scene.shape)
    write_raster(tmp_path / "in.tif", scene, profile)
    plan = plan_scene(height, width, patch=8, side=64, overlap=overlap, batch=3)

    with open_raster(tmp_path / "in.tif") as raster:

        def apply(windows):
            values = np.full((len(windows), 2, plan.side_rows, plan.side_columns), np.nan)
            valid = np.zeros(values.shape, bool)
            for index, w in enumerate(windows):
                rows, columns = min(w.height, height - w.row), min(w.width, width - w.column)
                pixels = raster.read(Window(w.row, w.column, rows, columns))
                values[index, :, :rows, :columns] = pixels.values[0]
                valid[index, :, :rows, :columns] = True if pixels.valid is None else pixels.valid[0]
            return values, valid

        run_scene(plan, maker_of(apply, as_stored, profile), tmp_path / "out.tif", {})
    with open_raster(tmp_path / "in.tif") as before, open_raster(tmp_path / "out.tif") as after:
        np.testing.assert_array_equal(after.read().values[0], scene)
        assert (after.grid, after.bands, after.scale) == (before.grid, before.bands, before.scale)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.tif", "out.tif"]


@pytest.fixture
def small(made_scene, identity):
    """A plan with 3 rows of windows in 2 groups each, the scene, its layout, and the identity model."""
    plan = plan_scene(70, 90, patch=8, side=32, overlap=0.25, batch=2)
    scene = made_scene(2, 70, 90)
    assert len(plan.rows) == 3
    assert [len(plan.groups(row)) for row in range(3)] == [2, 2, 2]
    return plan, scene, layout_of(scene.shape, nodata=None), identity(plan, scene)


def test_one_pixel_a_place(tmp_path, identity, made_scene, maker_of):
    plan = plan_scene(101, 203, patch=8, side=64, overlap=0.5, batch=4, reduce=8)
    scene = made_scene(3, 13, 26)
    maker = maker_of(identity(plan, scene), as_stored, layout_of(scene.shape, gsd=80.0))
    run_scene(plan, maker, tmp_path / "out.tif", {})
    np.testing.assert_array_equal(read(tmp_path / "out.tif"), scene)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_no_map_of_answers_that_are_not_finite(tmp_path, made_scene, identity, maker_of, value):
    plan = plan_scene(70, 90, patch=8, side=32, overlap=0.25, batch=2)
    scene = made_scene(2, 70, 90).astype(np.float64)
    scene[1, 40, 50] = value
    profile = layout_of(scene.shape, nodata=None)
    with pytest.raises(WeightsError, match=r"NaN or infinite values in \d of 2048 valid places"):
        run_scene(plan, maker_of(identity(plan, scene), as_stored, profile), tmp_path / "out.tif", {})
    assert [path.name for path in tmp_path.iterdir()] == ["out.tif.partial"], "a block row was finished before"
    # where nothing is valid they are no answers
    valid = np.isfinite(scene)
    run_scene(plan, maker_of(identity(plan, scene, valid), as_stored, profile), tmp_path / "out.tif", {})
    np.testing.assert_array_equal(read(tmp_path / "out.tif"), np.where(valid, scene, 0))


def test_order_of_work(tmp_path, small, maker_of, monkeypatch):
    """Every window read and computed once, in groups; pieces of block rows from the top; progress counts both."""
    plan, scene, profile, apply = small
    monkeypatch.setattr("spectralgpt.scenes.run.usual_readers", lambda: 1)
    read_windows, pieces, steps = [], [], []

    def compose(window, values, valid):
        pieces.append(((window.row, window.end_row), (window.column, window.end_column)))
        return as_stored(window, values, valid)

    maker = maker_of(apply, compose, profile, read_as=read_windows.append)
    run_scene(plan, maker, tmp_path / "o.tif", {}, progress=lambda *step: steps.append(step))
    assert read_windows == [group for row in range(3) for group in plan.groups(row)]
    assert apply.asked == [window for group in read_windows for window in group]
    assert pieces == [(rows, columns) for rows in plan.block_rows for columns in plan.block_columns]
    windows = [(done, total) for stage, done, total in steps if stage == "windows"]
    assert windows == [(done, 12) for done in (0, 2, 4, 6, 8, 10, 12)]
    assert [(done, total) for stage, done, total in steps if stage == "writing"] == [(n, 3) for n in range(4)]
    np.testing.assert_array_equal(read(tmp_path / "o.tif"), scene)


def test_integers_scaled_by_all_that_is_stored(tmp_path, small, maker_of):
    """A scale per band is known only at the end: the layout is made from all block rows, then they are encoded."""
    plan, scene, _, apply = small

    def compose(window, values, valid):
        return values.astype(np.float32)

    def profile(blocks):
        largest = np.max([np.abs(block).max(axis=(1, 2)) for block in blocks], axis=0)
        made = layout_of(scene.shape, "int8", nodata=-128.0)
        return Profile(
            grid=made.grid, count=2, dtype="int8", nodata=-128.0, descriptions=made.descriptions,
            scale=tuple(float(value) / 127 for value in largest), offset=made.offset, tags={},
        )  # fmt: skip

    def encode(stored, profile):
        return np.rint(stored / np.array(profile.scale)[:, None, None]).astype(np.int8)

    maker = maker_of(apply, compose, layout_of(scene.shape), profile, encode, np.float32)
    run_scene(plan, maker, tmp_path / "out.tif", {})
    with rasterio.open(tmp_path / "out.tif") as file:
        values, scale = file.read(), np.array(file.scales).reshape(2, 1, 1)
    assert values.dtype == np.int8
    assert values.max() == 127
    np.testing.assert_allclose(values * scale, scene, atol=scale.max() / 2 * 1.001)


def test_the_journal_says_what_was_done(tmp_path, small, maker_of):
    """During the run: plan.json from the start, whole block rows with their notes, one under its temporary name, and no
    TARGET."""
    plan, scene, profile, apply = small
    seen = []

    def compose(window, values, valid):
        folder = partial_of(tmp_path / "o.tif")
        assert not (tmp_path / "o.tif").exists()
        content = json.loads((folder / "plan.json").read_text())
        assert content["version"] == VERSION
        seen.append((content["journal"], content["plan"]["rows"], sorted(p.name for p in folder.iterdir())))
        for (start, stop), path in zip(plan.block_rows, sorted(folder.glob("rows-*.npy")), strict=False):
            np.testing.assert_array_equal(np.load(path), scene[:, start:stop])
            notes = json.loads((folder / path.name.replace("rows", "notes").replace("npy", "json")).read_text())
            assert notes == {"all": [[start, *columns] for columns in plan.block_columns]}
        return as_stored(window, values, valid)

    journal = {"sources": ["a.tif"], "fingerprint": "0f", "overlap": 0.25}
    maker = maker_of(apply, compose, profile, note=lambda window, _: [[window.row, window.column, window.end_column]])
    run_scene(plan, maker, tmp_path / "o.tif", journal)
    names = [
        sorted(
            [
                "lock",
                "plan.json",
                *(name for row in range(done) for name in (f"notes-00000{row}.json", f"rows-00000{row}.npy")),
                f"rows-00000{done}.npy.new",
            ]
        )
        for done in range(3)
    ]
    assert seen == [(journal, list(plan.rows), names[row]) for row in range(3) for _ in plan.columns]
    assert [path.name for path in tmp_path.iterdir()] == ["o.tif"]


FINISHED = {"read": 0, "compute": 0, "stored": 1, "notes": 1, "merged": 3, "profile": 3, "encoded": 3}
"""Block rows that are finished when a function of the maker fails (`fails_in`)."""
PLACES = list(FINISHED)


def fails_in(place, error, small, maker_of):
    """Plan and maker, where the function `place` raises at its second call (stored, notes: for a block row; merged,
    layout: at its only call)."""
    plan, _, profile, apply = small
    calls = dict.fromkeys(PLACES, 0)

    def step(name):
        calls[name] += 1
        if name == place and (calls[name] == 2 or name in ("merged", "profile")):
            raise error

    def failing_apply(windows):
        step("compute")
        return apply(windows)

    def failing_compose(window, values, valid):
        if window.column == 0:
            step("stored")
        return as_stored(window, values, valid)

    def failing_note(window, stored):
        if window.column == 0:
            step("notes")
        return []

    def failing_merge(notes):
        step("merged")
        return notes

    def failing_layout(rows):
        step("profile")
        return profile

    def failing_encode(stored, profile):
        step("encoded")
        return stored

    return plan, maker_of(
        failing_apply,
        failing_compose,
        profile,
        failing_layout,
        failing_encode,
        read_as=lambda windows: step("read"),
        note=failing_note,
        merge=failing_merge,
    )


@pytest.mark.parametrize("before", [None, b"what was there"])
@pytest.mark.parametrize("place", PLACES)
def test_wrong_input_leaves_only_finished_rows(tmp_path, small, maker_of, place, before):
    target = tmp_path / "o.tif"
    if before:
        target.write_bytes(before)
    arguments = fails_in(place, InputError("in.tif: found half an image"), small, maker_of)
    with pytest.raises(InputError, match="half an image"):
        run_scene(*arguments, target, {})
    left = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    assert left == ({"o.tif": before} if before else {})
    assert len(list(partial_of(target).glob("rows-*.npy"))) == FINISHED[place]
    assert partial_of(target).exists() == (FINISHED[place] > 0)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("ours"), MemoryError(), OSError("disk")])
@pytest.mark.parametrize("place", PLACES)
def test_our_fault_leaves_the_journal_alone(tmp_path, small, maker_of, place, error):
    target = tmp_path / "o.tif"
    target.write_bytes(b"what was there")
    arguments = fails_in(place, error, small, maker_of)
    with pytest.raises(type(error)):
        run_scene(*arguments, target, {})
    assert target.read_bytes() == b"what was there"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["o.tif", "o.tif.partial"]
    rows = FINISHED[place]
    left = {"plan.json", *(f"rows-{row:06d}.npy" for row in range(rows))} | (
        {"writing"} if place == "encoded" else set()
    )
    left |= {f"notes-{row:06d}.json" for row in range(rows)}
    assert {path.name for path in partial_of(target).iterdir()} == left

    # the next run goes on from there, and replaces TARGET only at its end
    plan, scene, profile, apply = small

    def compose(window, values, valid):
        assert target.read_bytes() == b"what was there"
        return as_stored(window, values, valid)

    resumed = []
    run_scene(plan, maker_of(apply, compose, profile), target, {}, resumed=resumed.append)
    assert resumed == [rows]
    np.testing.assert_array_equal(read(target), scene)
    assert [path.name for path in tmp_path.iterdir()] == ["o.tif"]


def test_a_run_that_had_finished_nothing_is_gone_with_a_wrong_one(tmp_path, small, maker_of):
    """Without a finished block row there is nothing to go on from."""
    for error in (KeyboardInterrupt(), InputError("wrong")):
        arguments = fails_in("compute", error, small, maker_of)
        with pytest.raises(type(error)):
            run_scene(*arguments, tmp_path / "o.tif", {})
    assert list(tmp_path.iterdir()) == []


def untouched(windows):
    raise AssertionError("the scene was read")


def unread(maker_of, profile):
    """A maker that must not read a window."""
    return maker_of(untouched, as_stored, profile, read_as=untouched)


def make_foreign(folder: Path, kind: str) -> None:
    """A file or folder TARGET.partial that no run of ours left."""
    if kind == "file":
        folder.write_text("notes")
    elif kind == "link":
        (folder.parent / "elsewhere").mkdir()
        folder.symlink_to(folder.parent / "elsewhere")
    else:
        folder.mkdir()
        names = {"photos": "a.jpg", "no plan": "rows-000000.npy", "other plan": "plan.json", "broken": "plan.json"}
        text = {"other plan": '{"format": "of a house"}', "broken": "{"}.get(kind, "")
        (folder / names.get(kind, "plan.json")).write_text(text or json.dumps({"format": "spectralgpt scene"}))
        if kind == "more in it":
            (folder / "notes.txt").write_text("keep me")
        if kind == "folder in it":
            (folder / "rows-000000.npy").mkdir()


@pytest.mark.parametrize(
    "kind", ["file", "link", "photos", "no plan", "other plan", "broken", "more in it", "folder in it"]
)
def test_a_foreign_partial_is_refused_and_kept(tmp_path, small, maker_of, kind):
    plan, _, profile, _ = small
    make_foreign(tmp_path / "o.tif.partial", kind)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    for call in (
        lambda: check_scene_target(tmp_path / "o.tif"),
        lambda: run_scene(plan, unread(maker_of, profile), tmp_path / "o.tif", {}),
    ):
        with pytest.raises(TargetError, match=r"o\.tif\.partial: found .*; expected .*move it away"):
            call()
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    assert (tmp_path / "o.tif.partial").exists()


@pytest.mark.parametrize("at", ["made", "named", "written"])
def test_whatever_a_kill_left_is_replaced(tmp_path, small, maker_of, at):
    plan, scene, profile, apply = small
    target = tmp_path / "o.tif"
    partial_of(target).mkdir()
    if at == "named":
        (partial_of(target) / "plan.json.new").write_text('{"for')
    if at == "written":  # with the last block row, and with what CogWriter had begun
        (partial_of(target) / "plan.json").write_text(f'{{"format": "spectralgpt scene", "version": {VERSION}}}')
        (partial_of(target) / "notes-000006.json").write_bytes(b"{}")
        (partial_of(target) / "notes-000007.json.new").write_bytes(b"{")
        (partial_of(target) / "rows-000007.npy.new").write_bytes(b"half")
        (partial_of(target) / "writing" / ".o.tif.x").mkdir(parents=True)
        (partial_of(target) / "writing" / ".o.tif.x" / "rows.tif").write_bytes(b"half")
    run_scene(plan, maker_of(apply, as_stored, profile), target, {})
    np.testing.assert_array_equal(read(target), scene)
    assert [path.name for path in tmp_path.iterdir()] == ["o.tif"]


@pytest.mark.parametrize("version", ["1", "2", "4", "null"])
def test_the_partial_of_another_version_is_refused_with_advice(tmp_path, small, maker_of, version):
    """Version 1 kept no notes, version 2 not what its rows were made from."""
    plan, _, profile, _ = small
    folder = tmp_path / "o.tif.partial"
    folder.mkdir()
    (folder / "plan.json").write_text(f'{{"format": "spectralgpt scene", "version": {version}}}')
    np.save(folder / "rows-000000.npy", np.zeros((2, 24, 90), np.uint16))
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    for call in (
        lambda: check_scene_target(tmp_path / "o.tif"),
        lambda: run_scene(plan, unread(maker_of, profile), tmp_path / "o.tif", {}),
    ):
        with pytest.raises(
            TargetError, match=r"o\.tif\.partial: found .*; expected format 3.*begin anew, use restart=True$"
        ) as refused:
            call()
        said = str(refused.value).removeprefix(str(folder))
        assert said.count(". ") == 1, "what is wrong, and what to do"
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    _, scene, profile, apply = small
    run_scene(plan, maker_of(apply, as_stored, profile), tmp_path / "o.tif", {}, course=Course(restart=True))
    np.testing.assert_array_equal(read(tmp_path / "o.tif"), scene)


def test_a_file_put_there_meanwhile_is_kept(tmp_path, small, maker_of):
    plan, scene, profile, apply = small

    def compose(window, values, valid):
        (tmp_path / "o.tif.partial" / "notes.txt").write_text("mine")
        return as_stored(window, values, valid)

    run_scene(plan, maker_of(apply, compose, profile), tmp_path / "o.tif", {})
    np.testing.assert_array_equal(read(tmp_path / "o.tif"), scene)
    assert [path.name for path in (tmp_path / "o.tif.partial").iterdir()] == ["notes.txt"]


@pytest.mark.parametrize("target", ["nowhere/o.tif", "folder"])
def test_target_is_tested_before_anything_is_read(tmp_path, small, maker_of, target):
    plan, _, profile, _ = small
    (tmp_path / "folder").mkdir()
    with pytest.raises(TargetError):
        run_scene(plan, unread(maker_of, profile), tmp_path / target, {})
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_results_that_do_not_fit_are_told_early(tmp_path, small, maker_of):
    plan, _, profile, apply = small
    targets = (tmp_path / f"{number}.tif" for number in range(9))

    def floats(window, values, valid):
        return values

    def cropped(window, values, valid):
        return as_stored(window, values, valid)[:, 1:]

    def first_only(windows):
        return tuple(each[:1] for each in apply(windows))

    with pytest.raises(ValueError, match="stored returned 2 bands of float64; expected 2 of uint16"):
        run_scene(plan, maker_of(apply, floats, profile), next(targets), {})
    with pytest.raises(ValueError, match=r"stored returned .* \(2, 23, 24\); expected \(band, 24, 24\)"):
        run_scene(plan, maker_of(apply, cropped, profile), next(targets), {})
    with pytest.raises(ValueError, match="encoded returned 2 bands of float64; expected 2 of uint16"):
        run_scene(plan, maker_of(apply, floats, profile, kept=np.float64), next(targets), {})
    with pytest.raises(ValueError, match="compute returned 1 values"):
        run_scene(plan, maker_of(first_only, floats, profile), next(targets), {})
    with pytest.raises(ValueError, match=r"grid of \(70, 91\).*expected .*\(70, 90\)"):
        run_scene(plan, unread(maker_of, layout_of((2, 70, 91))), next(targets), {})
    with pytest.raises(TypeError):
        run_scene(plan, unread(maker_of, profile), next(targets), {"source": tmp_path})
    assert not list(tmp_path.glob("*.tif"))


def test_memory_does_not_grow_with_the_scene(tmp_path, maker_of):
    """Memory of arrays: the file's caches belong to GDAL and are bounded in the raster room."""
    peaks = []
    for height in (256, 2048):
        plan = plan_scene(height, 128, patch=8, side=64, batch=2)

        def apply(windows):
            return np.ones((len(windows), 2, 64, 64), np.float32), np.ones((len(windows), 1, 64, 64), bool)

        tracemalloc.start()
        maker = maker_of(apply, as_stored, layout_of((2, height, 128)))
        run_scene(plan, maker, tmp_path / f"{height}.tif", {})
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.3 * peaks[0], f"8 times the scene took {peaks} bytes"


def test_memory_per_column_is_what_two_rows_of_windows_share(tmp_path, maker_of, monkeypatch):
    """And the block row that TARGET's writer takes at once; no other float64 values."""
    monkeypatch.setattr("spectralgpt.scenes.rows.BYTES_AT_ONCE", 2**16)
    peaks = []
    for width in (512, 4096):
        plan = plan_scene(128, width, patch=8, side=64, batch=2)

        def apply(windows):
            return np.ones((len(windows), 2, 64, 64), np.float32), np.ones((len(windows), 1, 64, 64), bool)

        tracemalloc.start()
        maker = maker_of(apply, as_stored, layout_of((2, 128, width)))
        run_scene(plan, maker, tmp_path / f"{width}.tif", {})
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    shared = max(before + 64 - after for before, after in pairwise(plan.rows))
    per_column = (peaks[1] - peaks[0]) / (4096 - 512)
    assert per_column < 1.2 * max(3 * 8 * shared, 2 * 2 * 48), f"{per_column} bytes per column"


def test_two_runs_on_one_target(tmp_path, small, maker_of):
    """The second is refused and should wait; the first is not disturbed."""
    plan, scene, profile, apply = small

    def second(windows):
        with pytest.raises(TargetError, match="another run"):
            run_scene(plan, maker_of(apply, as_stored, profile), tmp_path / "o.tif", {})
        return apply(windows)

    run_scene(plan, maker_of(second, as_stored, profile), tmp_path / "o.tif", {})
    with rasterio.open(tmp_path / "o.tif") as dataset:
        np.testing.assert_array_equal(dataset.read(), scene)
    assert [path.name for path in tmp_path.iterdir()] == ["o.tif"]


# -- notes ------------------------------------------------------------------------------------------------


def test_the_summary_is_what_the_disk_says(tmp_path, small, maker_of):
    """Notes and rows are read back from disk, from the top and from left to right, whatever is in memory."""
    plan, scene, profile, apply = small

    def note(window, stored):
        if window == last:
            # notes of an earlier run count, not what is in memory
            path = partial_of(tmp_path / "o.tif") / "notes-000000.json"
            path.write_text('{"all": ["from the disk"]}')
        return [[window.row, window.column, int(stored.sum())]]

    (top, _), (left, _) = plan.block_rows[-1], plan.block_columns[-1]
    last = Window(top, left, 70 - top, 90 - left)
    looked_at = []

    def layout_of_rows(rows):
        looked_at.append(np.concatenate([*rows[:2], rows[2]], axis=1))
        return profile

    summary, rows = run_scene(
        plan, maker_of(apply, as_stored, profile, layout_of_rows, note=note), tmp_path / "o.tif", {}
    )
    assert len(rows) == len(plan.rows)
    np.testing.assert_array_equal(looked_at[0], scene)
    assert summary == ["from the disk"] + [
        [top, left, int(scene[:, top:bottom, left:right].sum())]
        for top, bottom in plan.block_rows[1:]
        for left, right in plan.block_columns
    ]


@pytest.mark.parametrize("gone", ["rows-000001.npy", "notes-000001.json"])
def test_a_row_without_its_notes_is_not_done(tmp_path, small, maker_of, gone):
    """Nor notes without their row."""
    plan, _, profile, apply = small
    journal = Journal(tmp_path / "o.tif", plan, {})
    done = []

    def note(window, stored):
        if window.column == 0:
            done.append(journal.done)
        return [window.row]

    def stopped(notes):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_scene(plan, maker_of(apply, as_stored, profile, note=note, merge=stopped), tmp_path / "o.tif", {})
    assert done == [0, 1, 2]
    assert journal.done == len(journal.rows()) == len(list(journal.notes())) == 3
    (journal.folder / gone).unlink()
    assert journal.done == len(journal.rows()) == len(list(journal.notes())) == 1, "nor is what follows it"


def test_notes_come_before_their_row(tmp_path, small, monkeypatch, maker_of):
    """If a kill comes between them, the row is not done."""
    plan, _, profile, apply = small
    target = tmp_path / "o.tif"

    def killed(_):
        raise KeyboardInterrupt

    monkeypatch.setattr("spectralgpt.scenes.rows.RowFile.finish", killed)
    with pytest.raises(KeyboardInterrupt):
        run_scene(plan, maker_of(apply, as_stored, profile), target, {})
    assert {path.name for path in partial_of(target).iterdir()} == {"plan.json", "notes-000000.json"}
    assert Journal(target, plan, {}).done == 0


def test_notes_of_more_than_a_megabyte_are_our_fault(tmp_path, small, maker_of):
    plan, _, profile, apply = small
    maker = maker_of(apply, as_stored, profile, note=lambda window, stored: ["x" * (MOST_NOTES // 3)])
    with pytest.raises(ValueError, match=rf"notes of \d+ bytes for block row 0; expected at most {MOST_NOTES}"):
        run_scene(plan, maker, tmp_path / "o.tif", {})
    with pytest.raises(TypeError):
        run_scene(plan, maker_of(apply, as_stored, profile, note=lambda window, _: [window]), tmp_path / "p.tif", {})
    assert {path.name for path in tmp_path.rglob("*") if path.is_file()} == {"plan.json"}


def test_numbers_in_notes_keep_every_bit(tmp_path, small, maker_of):
    plan, _, profile, apply = small
    numbers = [0.1, 1 / 3, 5e-324, 1.7976931348623157e308, -0.0, float("inf"), 2**53 + 1]
    maker = maker_of(apply, as_stored, profile, note=lambda window, _: numbers if window == first else [])
    first = Window(0, 0, 24, 24)
    summary, _ = run_scene(plan, maker, tmp_path / "o.tif", {})
    assert [repr(each) for each in summary] == [repr(each) for each in numbers]


# -- block rows on disk -----------------------------------------------------------------------------------


@settings(max_examples=50)
@given(
    bands=st.integers(1, 3),
    height=st.integers(1, 4),
    widths=st.lists(st.integers(1, 9), min_size=1, max_size=6),
    dtype=st.sampled_from(["uint8", "int16", "float32", ">f8"]),
    chunk=st.integers(1, 400),
    turned=st.booleans(),
)
def test_a_row_written_in_pieces_is_the_row_saved(tmp_path_factory, bands, height, widths, dtype, chunk, turned):
    folder = tmp_path_factory.mktemp("rows")
    whole = (np.arange(bands * height * sum(widths)) % 251).reshape(bands, height, -1).astype(dtype)
    with (
        mock.patch("spectralgpt.scenes.rows.BYTES_AT_ONCE", chunk),
        RowFile(folder / "rows.npy", whole.shape, whole.dtype) as row,
    ):
        for start, width in zip(np.cumsum([0, *widths]), widths, strict=False):
            piece = whole[:, :, start : start + width]
            row.write(np.asfortranarray(piece) if turned else piece)
        assert not (folder / "rows.npy").exists()
        row.finish()
    np.save(folder / "saved.npy", whole)
    assert (folder / "rows.npy").read_bytes() == (folder / "saved.npy").read_bytes()
    assert {path.name for path in folder.iterdir()} == {"rows.npy", "saved.npy"}


@pytest.mark.parametrize(
    ("pieces", "match"),
    [
        ([np.zeros((1, 1, 2), np.uint8)], "found 2 columns written; expected 3"),
        ([np.zeros((1, 1, 2), np.uint8)] * 2, "found 4 columns; expected 3"),
        ([np.zeros((1, 2, 1), np.uint8)], "expected uint8"),
        ([np.zeros((1, 1, 1), np.int8)], "found int8"),
    ],
)
def test_a_row_that_is_not_whole_is_not_there(tmp_path, monkeypatch, pieces, match):
    monkeypatch.setattr("spectralgpt.scenes.rows.BYTES_AT_ONCE", 1)

    def write():
        with RowFile(tmp_path / "rows.npy", (1, 1, 3), np.dtype(np.uint8)) as row:
            for piece in pieces:
                row.write(piece)
            row.finish()

    with pytest.raises(ValueError, match=match):
        write()
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_the_user_s(tmp_path, small, maker_of):
    plan, _, profile, apply = small

    def full(self, *_):
        raise OSError(28, "No space left on device")

    with mock.patch("numpy.lib.format.write_array_header_1_0", full), pytest.raises(TargetError, match="No space left"):
        run_scene(plan, maker_of(apply, as_stored, profile), tmp_path / "o.tif", {})
    assert list(tmp_path.iterdir()) == []
