"""From images to shards: nothing lost or stored twice, whatever stops it; one bad file does not affect others."""

import itertools
import json
import multiprocessing
import os
import random
import shutil
import signal
import threading
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_rasters import NAMES, land, write

from made_folders import contents, files_of, killed_run, scene
from spectralgpt.data.chips import PADDED_SIDES, corners, in_no_chip, padded_side
from spectralgpt.data.manifest import read_manifest
from spectralgpt.data.series import Reading
from spectralgpt.data.sharding import shard
from spectralgpt.data.shards import open_shards
from spectralgpt.data.verification import verify_shards
from spectralgpt.errors import DataError, RasterError, TargetError

READING = Reading(chip=32, least_valid=0.1, most_dates=12)
SIZE = 200_000
"""Bytes of a shard in these tests: 8 chips."""


@pytest.fixture(scope="module")
def images(tmp_path_factory) -> Path:
    """Eight images, 4 or 6 chips of 32 pixels each."""
    folder = tmp_path_factory.mktemp("sharding") / "images"
    for number in range(8):
        scene(folder / f"{number:02}.tif", 40 + 5 * number, 60, number)
    return folder


@pytest.fixture(scope="module")
def whole(images, tmp_path_factory) -> Path:
    """The shards of all images, made at once."""
    out = tmp_path_factory.mktemp("whole") / "shards"
    shard([images], out, READING, size=SIZE, workers=1)
    return out


@given(st.integers(1, 300), st.integers(1, 300), st.integers(8, 128))
def test_chips_cover_all_but_thin_edges(height, width, chip):
    side = padded_side(height, width, chip)
    assert side == chip or (side in PADDED_SIDES and max(height, width) <= side < chip)
    assert all(smaller < max(height, width) for smaller in PADDED_SIDES if smaller < side)
    found = list(corners(height, width, side))
    rows, columns = in_no_chip(height, width, side)
    assert rows * 8 < side
    assert columns * 8 < side
    assert len(found) == len(set(found)) == -(-(height - rows) // side) * -(-(width - columns) // side)
    covered = np.zeros((height, width), bool)
    for row, column in found:
        assert 0 <= row <= max(0, height - side)
        assert 0 <= column <= max(0, width - side)
        covered[row : row + side, column : column + side] = True
    assert covered[: height - rows, : width - columns].all()
    assert covered.sum() == (height - rows) * (width - columns)


@pytest.mark.parametrize(
    ("height", "width", "chips"),
    [(131, 129, 1), (128, 128, 1), (143, 143, 1), (144, 128, 2), (256, 270, 4), (200, 131, 2), (40, 300, 3)],
)
def test_no_chip_is_nearly_another(height, width, chips):
    """131 x 129 pixels were four chips that shared 97 %; 144 has the eighth of 128 that is enough."""
    found = list(corners(height, width, 128))
    assert len(found) == chips
    starts = sorted({row for row, _ in found})
    assert all(later - earlier >= 16 for earlier, later in itertools.pairwise(starts))


def test_suspected_images_are_listed(tmp_path):
    """A constant band, a band twice, and a good image."""
    good = land(64, 64)
    constant, twice = good.copy(), good.copy()
    constant[3], twice[5] = 1234, twice[4]
    (tmp_path / "in").mkdir()
    for name, values in (("good", good), ("constant", constant), ("twice", twice)):
        write(tmp_path / "in" / f"{name}.tif", values, names=NAMES)
    for workers in (1, 2):
        out = tmp_path / f"out{workers}"
        report = shard([tmp_path / "in"], out, READING, workers=workers)
        manifest = read_manifest(out)
        assert manifest == report.manifest
        found = {(each.image, each.kind) for each in manifest.suspected}
        assert {kind for _, kind in found} >= {"constant", "duplicate"}
        assert {Path(image).stem for image, kind in found if kind == "constant"} == {"constant"}
        assert manifest.suspected_images()["constant"] == 1
        assert any("constant.tif" in warning for warning in report.warnings)
        again = shard([tmp_path / "in"], out, READING, workers=1)
        assert again.manifest.suspected == manifest.suspected


def test_a_manifest_without_suspicions_is_read(whole, tmp_path):
    """As earlier versions wrote it."""
    content = json.loads((whole / "manifest.json").read_text())
    del content["suspected"]
    (tmp_path / "manifest.json").write_text(json.dumps(content))
    assert read_manifest(tmp_path).suspected == ()


def test_thin_edges_are_said(tmp_path):
    (tmp_path / "in").mkdir()
    write(tmp_path / "in" / "odd.tif", land(131, 129), names=NAMES)
    report = shard([tmp_path / "in"], tmp_path / "out", replace(READING, chip=128), workers=1)
    assert report.added == 1
    assert any("in no chip (3 and 1 pixels, less than 1/8" in warning for warning in report.warnings)


def test_shards_do_not_depend_on_the_number_of_workers(images, whole, tmp_path):
    shard([images], tmp_path / "out", READING, size=SIZE, workers=2)
    assert files_of(tmp_path / "out") == files_of(whole)
    assert len(files_of(whole)) > 4


def test_a_second_run_changes_no_byte(images, whole, tmp_path):
    shutil.copytree(whole, tmp_path / "out")
    (tmp_path / "out" / "shard-99999.arrow.partial").write_bytes(b"left by a kill")
    report = shard([images], tmp_path / "out", READING, size=SIZE, workers=1)
    assert (report.images, report.known, report.added) == (8, 8, 0)
    assert files_of(tmp_path / "out") == files_of(whole)


def test_images_are_added_and_other_chips_are_other_samples(images, whole, tmp_path):
    shard([images / "03.tif"], tmp_path / "out", READING, workers=1)
    shard([images], tmp_path / "out", READING, workers=1)
    assert contents(tmp_path / "out") == contents(whole)
    report = shard([images / "03.tif"], tmp_path / "out", Reading(64, 0.1, 12), workers=1)
    assert report.added == 1
    assert max(contents(tmp_path / "out").values()) == 1


def killed(how: str, at: float, arguments: tuple, options: dict) -> None:
    """Run it in another process that kills itself, as `made_folders.killed_run` says."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["spectralgpt.data.sharding"])
    process = context.Process(target=killed_run, args=(how, at, arguments, options))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL


def assert_same(out: Path, whole: Path, context: str = "") -> None:
    """The same samples, each once, with the same statistics, and files that match the manifest."""
    assert contents(out) == contents(whole), context
    assert verify_shards(out) == len(list(out.glob("shard-*")))
    for one, other in zip(open_shards(out).manifest.statistics, open_shards(whole).manifest.statistics, strict=True):
        assert (one.band, one.count, one.low, one.high) == (other.band, other.count, other.low, other.high)
        assert (one.total, one.sd) == (pytest.approx(other.total), pytest.approx(other.sd))
        assert (one.asinh_mean, one.asinh_sd) == (pytest.approx(other.asinh_mean), pytest.approx(other.asinh_sd))


def test_a_run_killed_at_any_moment_goes_on_where_it_was(images, whole, tmp_path):
    out, options = tmp_path / "out", {"size": SIZE, "workers": 1}
    start = time.perf_counter()
    shard([images], tmp_path / "timed", READING, **options)
    seconds = time.perf_counter() - start
    seed = random.randrange(2**32)
    moments = random.Random(seed)
    for _ in range(3):
        killed("after", moments.uniform(0.1, 0.4) * seconds, ([images], out, READING), options)
    shard([images], out, READING, **options)
    assert not list(out.glob("*.partial"))
    assert_same(out, whole, f"seed {seed}")


def test_a_run_killed_at_a_rename_goes_on_where_it_was(images, whole, tmp_path):
    out, options = tmp_path / "out", {"size": SIZE, "workers": 1}
    # the first rename of a new folder is that of the manifest that names the sources
    for how, call in (("before", 2), ("before", 1), ("behind", 1), ("behind", 2)):
        killed(how, call, ([images], out, READING), options)
    assert len(list(out.glob("shard-*.arrow"))) == 1 + len(open_shards(out).manifest.shards) == 2
    shard([images], out, READING, **options)
    assert_same(out, whole)


def test_a_shard_that_was_renamed_but_not_entered_counts(images, whole, tmp_path):
    out = shutil.copytree(whole, tmp_path / "out")
    content = json.loads((out / "manifest.json").read_text())
    content["shards"].pop()
    (out / "manifest.json").write_text(json.dumps(content))
    report = shard([images], out, READING, size=SIZE, workers=1)
    assert report.added == 0
    assert contents(out) == contents(whole)
    (out / "manifest.json").unlink()  # the shards are enough to restore all of it
    assert shard([images], out, READING, size=SIZE, workers=1).added == 0
    assert_same(out, whole)


def test_a_damaged_shard_is_named_and_made_anew_when_removed(images, whole, tmp_path):
    out = shutil.copytree(whole, tmp_path / "out")
    damaged, gone = out / "shard-00001.arrow", out / "shard-00002.arrow"
    content = bytearray(damaged.read_bytes())
    content[len(content) // 2] ^= 1
    damaged.write_bytes(content)
    gone.unlink()
    with pytest.raises(
        DataError, match=r"2 of \d+ shards .*shard-00001\.arrow \(not the bytes.*shard-00002\.arrow \(No"
    ):
        verify_shards(out)
    damaged.unlink()
    shard([images], out, READING, size=SIZE, workers=1)
    assert_same(out, whole)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_keeps_what_is_done(images, whole, tmp_path, number):
    def interrupt(stage: str, done: int, total: int) -> None:
        if (stage, done) == ("sharding", 4):
            os.kill(os.getpid(), number)

    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt):
        shard([images], tmp_path / "out", READING, workers=1, progress=interrupt)
    assert signal.getsignal(number) is before
    stored = contents(tmp_path / "out")
    assert 10 < len(stored) < len(contents(whole))
    report = shard([images], tmp_path / "out", READING, workers=1)
    assert 4 <= report.known < 8
    assert contents(tmp_path / "out") == contents(whole)


def test_another_thread_may_shard(images, whole, tmp_path):
    thread = threading.Thread(target=shard, args=([images], tmp_path / "out", READING), kwargs={"workers": 1})
    thread.start()
    thread.join()
    assert contents(tmp_path / "out") == contents(whole)


@pytest.fixture
def with_bad_ones(images, tmp_path) -> Path:
    folder = shutil.copytree(images, tmp_path / "images")
    (folder / "01.tif").write_bytes(b"no image")
    (folder / "03.tif").write_bytes((folder / "03.tif").read_bytes()[:-20_000])
    write(folder / "05.tif", land(40, 40), names=[f"odd{index}" for index in range(13)])
    write(folder / "06.tif", np.zeros((13, 40, 40), np.uint16), names=NAMES, nodata=0)
    return folder


def test_bad_files_are_reported_and_do_not_stop_the_rest(with_bad_ones, images, whole, tmp_path):
    out = tmp_path / "out"
    report = shard([with_bad_ones], out, READING, workers=1)
    failed = {failure.source: failure.reason for failure in report.manifest.failed}
    assert list(failed) == ["images/01.tif", "images/03.tif", "images/05.tif", "images/06.tif"]
    assert all(f"{with_bad_ones.parent / source}: " in reason for source, reason in failed.items())
    good = Counter({key: count for key, count in contents(whole).items() if key[0].split(",")[0] not in failed})
    assert contents(out) == good
    before = files_of(out)
    assert shard([with_bad_ones], out, READING, workers=1).added == 0
    assert files_of(out) == before
    for name in ("01.tif", "03.tif", "05.tif", "06.tif"):
        shutil.copy(images / name, with_bad_ones / name)
    assert not shard([with_bad_ones], out, READING, workers=1).manifest.failed  # they are tried again
    assert contents(out) == contents(whole)


def test_an_image_damaged_where_the_check_does_not_look_is_one_failure(tmp_path):
    values = np.random.default_rng(0).integers(1, 9000, (13, 1600, 160), np.uint16)
    tiles = {"tiled": True, "blockxsize": 16, "blockysize": 16, "compress": "deflate", "interleave": "pixel"}
    path = write(tmp_path / "long.tif", values, names=NAMES, **tiles)
    content = bytearray(path.read_bytes())
    for row in (250, 500):  # in the second and the third part of 32 chips
        at = len(content) * row // 1600
        content[at : at + 20_000] = bytes(20_000)
    path.write_bytes(content)
    report = shard([path], tmp_path / "out", READING, workers=1)
    (failure,) = report.manifest.failed
    assert "long.tif: rows " in failure.reason
    assert 32 * 6 < report.added < 250  # all parts but those two


def test_strict_stops_at_the_first_and_keeps_what_is_done(with_bad_ones, tmp_path):
    with pytest.raises(RasterError, match=r"01\.tif: cannot be opened"):
        shard([with_bad_ones], tmp_path / "out", READING, workers=1, strict=True)
    assert {source.split(",")[0] for source, _ in contents(tmp_path / "out")} == {"images/00.tif"}


def test_chips_with_few_valid_pixels_are_left_out(tmp_path):
    values = land(64, 64)
    values[:, :32, :32] = 0
    values[:, 40:, :32] = 0
    values[:, :, 32:] = 0
    write(tmp_path / "half.tif", values, names=NAMES, nodata=0)
    report = shard([tmp_path / "half.tif"], tmp_path / "out", READING, workers=1)
    assert (report.added, report.left_out) == (1, 3)
    report = shard([tmp_path / "half.tif"], tmp_path / "out", READING, workers=1)
    assert (report.added, report.left_out) == (0, 3)
    assert report.manifest.skipped == ()
    report = shard([tmp_path / "half.tif"], tmp_path / "other", Reading(32, 0.5, 12), workers=1)
    assert (report.added, report.left_out) == (0, 4)
    assert [Path(name).name for name in report.manifest.skipped] == ["half.tif"]
    assert shard([tmp_path / "half.tif"], tmp_path / "other", READING, workers=1).manifest.skipped == ()


def test_a_folder_of_something_else_is_left_alone(images, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("mine")
    with pytest.raises(TargetError, match=r"contains thesis\.txt, but no"):
        shard([images], tmp_path / "out", READING, workers=1)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["thesis.txt"]
    (tmp_path / "file").write_text("mine")
    with pytest.raises(TargetError, match="file: is a file; expected a folder of shards"):
        shard([images], tmp_path / "file", READING, workers=1)


def test_two_runs_at_once_are_refused(images, tmp_path):
    out = tmp_path / "out"

    def another(stage: str, done: int, total: int) -> None:
        if (stage, done) == ("sharding", 1):
            with pytest.raises(TargetError, match="another run is already writing to this folder"):
                shard([images], out, READING, workers=1)
            refused.append(True)

    refused: list[bool] = []
    shard([images], out, READING, workers=1, progress=another)
    assert refused


def test_a_full_disk_is_the_users_to_mend(images, tmp_path, monkeypatch):
    def full(file: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(TargetError, match="No space left"):
        shard([images], tmp_path / "out", READING, size=SIZE, workers=1)
    monkeypatch.undo()
    assert not shard([images], tmp_path / "out", READING, size=SIZE, workers=1).manifest.failed
    verify_shards(tmp_path / "out")


def test_progress_counts_images(images, tmp_path):
    calls = []
    shard([images], tmp_path / "out", READING, workers=1, progress=lambda *each: calls.append(each))
    assert [each for each in calls if each[0] == "sharding"] == [("sharding", done, 8) for done in range(9)]
    verify_shards(tmp_path / "out", lambda *each: calls.append(each))
    assert calls[-1] == ("checking shards", 1, 1)
