"""A scene through files: the same scene comes out, or nothing, or what a later run can go on from."""

import json
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.crs import CRS

from spectralgpt.errors import InputError, TargetError
from spectralgpt.raster import Grid, Layout, Window, open_raster, write_raster
from spectralgpt.scenes import check_scene_target, partial_of, plan_scene, run_scene

UTM = CRS.from_epsg(32632).to_wkt()


def layout_of(
    shape: tuple[int, int, int], dtype: str = "uint16", nodata: float | None = 0.0, gsd: float = 10.0
) -> Layout:
    """Layout of `dtype` for an array [band, row, column] somewhere in Bavaria."""
    return Layout(
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
    """compose: uint16, 0 where not valid."""
    assert values.shape == valid.shape
    assert values.shape[1:] == (window.height, window.width)
    return np.where(valid, np.rint(values), 0).astype(np.uint16)


def read(path: Path) -> np.ndarray:
    """Stored values [band, row, column]."""
    with rasterio.open(path) as file:
        return file.read()


@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.9])
@pytest.mark.parametrize(("height", "width"), [(1, 1), (7, 9), (129, 127), (101, 97), (200, 136)])
def test_a_raster_goes_through_windows(tmp_path, made_scene, height, width, overlap):
    """From file to file: windows beyond the scene are read where there is something, and are not valid elsewhere."""
    scene = made_scene(2, height, width) % 60000 + 1
    scene[:, height // 3 : height // 2, width // 4 : width // 2] = 0
    layout = layout_of(scene.shape)
    write_raster(tmp_path / "in.tif", scene, layout)
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

        run_scene(plan, apply, as_stored, layout, tmp_path / "out.tif", {})
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


def test_one_pixel_a_place(tmp_path, identity, made_scene):
    plan = plan_scene(101, 203, patch=8, side=64, overlap=0.5, batch=4, reduce=8)
    scene = made_scene(3, 13, 26)
    run_scene(plan, identity(plan, scene), as_stored, layout_of(scene.shape, gsd=80.0), tmp_path / "out.tif", {})
    np.testing.assert_array_equal(read(tmp_path / "out.tif"), scene)


def test_order_of_work(tmp_path, small):
    """Every window once, in groups; block rows from the top; progress counts both."""
    plan, scene, layout, apply = small
    blocks, steps = [], []

    def compose(window, values, valid):
        blocks.append((window.row, window.row + window.height))
        return as_stored(window, values, valid)

    run_scene(plan, apply, compose, layout, tmp_path / "o.tif", {}, progress=lambda *step: steps.append(step))
    assert apply.asked == [window for row in range(3) for group in plan.groups(row) for window in group]
    assert tuple(blocks) == plan.block_rows
    windows = [(done, total) for stage, done, total in steps if stage == "windows"]
    assert windows == [(done, 12) for done in (0, 2, 4, 6, 8, 10, 12)]
    assert [(done, total) for stage, done, total in steps if stage == "writing"] == [(n, 3) for n in range(4)]
    np.testing.assert_array_equal(read(tmp_path / "o.tif"), scene)


def test_integers_scaled_by_all_that_is_stored(tmp_path, small):
    """A scale a band can be known at the end only: the layout is made from all block rows, then they are encoded."""
    plan, scene, _, apply = small

    def compose(window, values, valid):
        return values.astype(np.float32)

    def layout(blocks):
        largest = np.max([np.abs(block).max(axis=(1, 2)) for block in blocks], axis=0)
        made = layout_of(scene.shape, "int8", nodata=-128.0)
        return Layout(
            grid=made.grid, count=2, dtype="int8", nodata=-128.0, descriptions=made.descriptions,
            scale=tuple(float(value) / 127 for value in largest), offset=made.offset, tags={},
        )  # fmt: skip

    def encode(stored, layout):
        return np.rint(stored / np.array(layout.scale)[:, None, None]).astype(np.int8)

    run_scene(plan, apply, compose, layout, tmp_path / "out.tif", {}, encode=encode)
    with rasterio.open(tmp_path / "out.tif") as file:
        values, scale = file.read(), np.array(file.scales).reshape(2, 1, 1)
    assert values.dtype == np.int8
    assert values.max() == 127
    np.testing.assert_allclose(values * scale, scene, atol=scale.max() / 2 * 1.001)


def test_the_journal_says_what_was_done(tmp_path, small):
    """While it works: plan.json from the start, whole block rows, no file half written, and no TARGET."""
    plan, scene, layout, apply = small
    seen = []

    def compose(window, values, valid):
        folder = partial_of(tmp_path / "o.tif")
        assert not (tmp_path / "o.tif").exists()
        content = json.loads((folder / "plan.json").read_text())
        seen.append((content["journal"], content["plan"]["rows"], sorted(p.name for p in folder.iterdir())))
        for (start, stop), path in zip(plan.block_rows, sorted(folder.glob("rows-*")), strict=False):
            np.testing.assert_array_equal(np.load(path), scene[:, start:stop])
        return as_stored(window, values, valid)

    journal = {"sources": ["a.tif"], "fingerprint": "0f", "overlap": 0.25}
    run_scene(plan, apply, compose, layout, tmp_path / "o.tif", journal)
    names = ["lock", "plan.json", "rows-000000.npy", "rows-000001.npy"]
    assert seen == [(journal, list(plan.rows), names[: 2 + index]) for index in range(3)]
    assert [path.name for path in tmp_path.iterdir()] == ["o.tif"]


PLACES = ["apply", "compose", "layout", "encode"]


def fails_in(place, error, small):
    """Arguments of run_scene where the function `place` raises at its second call (layout: its only one)."""
    plan, _, layout, apply = small
    calls = dict.fromkeys(PLACES, 0)

    def step(name):
        calls[name] += 1
        if name == place and (calls[name] == 2 or name == "layout"):
            raise error

    def failing_apply(windows):
        step("apply")
        return apply(windows)

    def failing_compose(window, values, valid):
        step("compose")
        return as_stored(window, values, valid)

    def failing_layout(blocks):
        step("layout")
        return layout

    def failing_encode(stored, layout):
        step("encode")
        return stored

    return (plan, failing_apply, failing_compose, failing_layout), {"encode": failing_encode}


@pytest.mark.parametrize("before", [None, b"what was there"])
@pytest.mark.parametrize("place", PLACES)
def test_wrong_input_leaves_nothing(tmp_path, small, place, before):
    target = tmp_path / "o.tif"
    if before:
        target.write_bytes(before)
    arguments, options = fails_in(place, InputError("in.tif: found half an image"), small)
    with pytest.raises(InputError, match="half an image"):
        run_scene(*arguments, target, {}, **options)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == ({"o.tif": before} if before else {})


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("ours"), MemoryError(), OSError("disk")])
@pytest.mark.parametrize("place", PLACES)
def test_our_fault_leaves_the_journal_alone(tmp_path, small, place, error):
    target = tmp_path / "o.tif"
    target.write_bytes(b"what was there")
    arguments, options = fails_in(place, error, small)
    with pytest.raises(type(error)):
        run_scene(*arguments, target, {}, **options)
    assert target.read_bytes() == b"what was there"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["o.tif", "o.tif.partial"]
    rows = {"apply": 0, "compose": 1, "layout": 3, "encode": 3}[place]
    left = {"plan.json", *(f"rows-{row:06d}.npy" for row in range(rows))} | (
        {"writing"} if place == "encode" else set()
    )
    assert {path.name for path in partial_of(target).iterdir()} == left

    # the next run finds its folder, replaces it, and TARGET only at its end
    plan, scene, layout, apply = small

    def compose(window, values, valid):
        assert target.read_bytes() == b"what was there"
        return as_stored(window, values, valid)

    run_scene(plan, apply, compose, layout, target, {})
    np.testing.assert_array_equal(read(target), scene)
    assert [path.name for path in tmp_path.iterdir()] == ["o.tif"]


def test_a_run_replaced_by_a_wrong_one_is_gone(tmp_path, small):
    """The .partial that a killed run left is this run's once it started: wrong input leaves nothing of both."""
    for error in (KeyboardInterrupt(), InputError("wrong")):
        arguments, options = fails_in("apply", error, small)
        with pytest.raises(type(error)):
            run_scene(*arguments, tmp_path / "o.tif", {}, **options)
    assert list(tmp_path.iterdir()) == []


def untouched(windows):
    raise AssertionError("the scene was read")


def make_foreign(folder: Path, kind: str) -> None:
    """Something called TARGET.partial that no run of ours left."""
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
def test_a_foreign_partial_is_refused_and_kept(tmp_path, small, kind):
    plan, _, layout, _ = small
    make_foreign(tmp_path / "o.tif.partial", kind)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    for call in (
        lambda: check_scene_target(tmp_path / "o.tif"),
        lambda: run_scene(plan, untouched, as_stored, layout, tmp_path / "o.tif", {}),
    ):
        with pytest.raises(TargetError, match=r"o\.tif\.partial: found .*; expected .*Move it away"):
            call()
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    assert (tmp_path / "o.tif.partial").exists()


@pytest.mark.parametrize("at", ["made", "named", "written"])
def test_whatever_a_kill_left_is_replaced(tmp_path, small, at):
    plan, scene, layout, apply = small
    target = tmp_path / "o.tif"
    partial_of(target).mkdir()
    if at == "named":
        (partial_of(target) / "plan.json.new").write_text('{"for')
    if at == "written":  # with the last block row, and with what CogWriter had begun
        (partial_of(target) / "plan.json").write_text('{"format": "spectralgpt scene", "version": 0}')
        (partial_of(target) / "rows-000007.npy.new").write_bytes(b"half")
        (partial_of(target) / "writing" / ".o.tif.x").mkdir(parents=True)
        (partial_of(target) / "writing" / ".o.tif.x" / "rows.tif").write_bytes(b"half")
    run_scene(plan, apply, as_stored, layout, target, {})
    np.testing.assert_array_equal(read(target), scene)
    assert [path.name for path in tmp_path.iterdir()] == ["o.tif"]


def test_a_file_put_there_meanwhile_is_kept(tmp_path, small):
    plan, scene, layout, apply = small

    def compose(window, values, valid):
        (tmp_path / "o.tif.partial" / "notes.txt").write_text("mine")
        return as_stored(window, values, valid)

    run_scene(plan, apply, compose, layout, tmp_path / "o.tif", {})
    np.testing.assert_array_equal(read(tmp_path / "o.tif"), scene)
    assert [path.name for path in (tmp_path / "o.tif.partial").iterdir()] == ["notes.txt"]


@pytest.mark.parametrize("target", ["nowhere/o.tif", "folder"])
def test_target_is_tested_before_anything_is_read(tmp_path, small, target):
    plan, _, layout, _ = small
    (tmp_path / "folder").mkdir()
    with pytest.raises(TargetError):
        run_scene(plan, untouched, as_stored, layout, tmp_path / target, {})
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_results_that_do_not_fit_are_told_early(tmp_path, small):
    plan, _, layout, apply = small
    target = tmp_path / "o.tif"

    def floats(window, values, valid):
        return values

    def cropped(window, values, valid):
        return as_stored(window, values, valid)[:, 1:]

    with pytest.raises(ValueError, match="compose returned 2 bands of float64; expected 2 of uint16"):
        run_scene(plan, apply, floats, layout, target, {})
    with pytest.raises(ValueError, match=r"compose returned .* \(2, 23, 90\); expected \(band, 24, 90\)"):
        run_scene(plan, apply, cropped, layout, target, {})
    with pytest.raises(ValueError, match="encode returned 2 bands of float64; expected 2 of uint16"):
        run_scene(plan, apply, floats, layout, target, {}, encode=lambda stored, layout: stored)
    with pytest.raises(ValueError, match="apply returned 1 values"):
        run_scene(plan, lambda windows: tuple(a[:1] for a in apply(windows)), floats, layout, target, {})
    with pytest.raises(ValueError, match=r"layout of \(70, 91\).*expected .*\(70, 90\)"):
        run_scene(plan, untouched, floats, layout_of((2, 70, 91)), target, {})
    with pytest.raises(TypeError):
        run_scene(plan, untouched, floats, layout, target, {"source": tmp_path})
    assert not target.exists()


def test_memory_does_not_grow_with_the_scene(tmp_path):
    """Of arrays: the file's own caches are GDAL's and are bounded in the raster room."""
    peaks = []
    for height in (256, 2048):
        plan = plan_scene(height, 128, patch=8, side=64, batch=2)

        def apply(windows):
            return np.ones((len(windows), 2, 64, 64), np.float32), np.ones((len(windows), 1, 64, 64), bool)

        tracemalloc.start()
        run_scene(plan, apply, as_stored, layout_of((2, height, 128)), tmp_path / f"{height}.tif", {})
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.3 * peaks[0], f"8 times the scene took {peaks} bytes"


def test_two_runs_on_one_target(tmp_path, small):
    """The second is told to wait, and the first is not disturbed."""
    plan, scene, layout, apply = small

    def second(windows):
        with pytest.raises(TargetError, match="another run"):
            run_scene(plan, apply, as_stored, layout, tmp_path / "o.tif", {})
        return apply(windows)

    run_scene(plan, second, as_stored, layout, tmp_path / "o.tif", {})
    with rasterio.open(tmp_path / "o.tif") as dataset:
        np.testing.assert_array_equal(dataset.read(), scene)
    assert [path.name for path in tmp_path.iterdir()] == ["o.tif"]
