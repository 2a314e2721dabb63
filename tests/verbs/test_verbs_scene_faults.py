"""What may happen to a long run of a verb on a scene: one message each, and finished block rows are kept."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import rasterio
from filelock import FileLock
from made_rasters import NAMES, land, listing, write

from spectralgpt.scenes import partial_of

SMALL_STEPS = ("--overlap", "0.85", "--batch", "2", "--trust-input")
"""A block row is 16 rows of the scene."""


def rows_of(target: Path) -> int:
    return len(list(partial_of(target).glob("rows-*.npy")))


@pytest.fixture
def long_scene(tmp_path) -> Path:
    """Of 100 block rows."""
    return write(tmp_path / "s_2020-05-01.tif", land(1712, 72), names=NAMES, compress="deflate", blockysize=16)


def damaged(path: Path, strip: int) -> bytes:
    """A strip of 16 rows becomes unreadable. Returns the bytes of the file before it."""
    whole = path.read_bytes()
    with rasterio.open(path) as dataset:
        at, size = (int(dataset.get_tag_item(f"BLOCK_{each}_0_{strip}", "TIFF", bidx=1)) for each in ("OFFSET", "SIZE"))
    before = path.stat()
    path.write_bytes(whole[:at] + b"\xff" * size + whole[at + size :])
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    return whole


def test_a_scene_that_cannot_be_read_at_its_ninetieth_row(long_scene, weights, tmp_path, spectralgpt):
    target = tmp_path / "out" / "o.tif"
    target.parent.mkdir()
    command = ("embed", long_scene, target, "--weights", weights, *SMALL_STEPS)
    before = long_scene.stat()
    whole = damaged(long_scene, 97)  # window 90 ends with it
    ended = spectralgpt(*command)
    assert ended.code == 2
    message = ended.err.strip().splitlines()[-1]
    assert message.startswith(f"{long_scene}: rows 1440 to 1567 cannot be read (")
    kept = rows_of(target)
    # the failed read may come while earlier rows wait to be kept
    assert 80 < kept <= 90
    assert f"{kept} of 100 block rows of {target} are kept: the same command goes on from there" in message
    assert listing(target.parent)[0] == "o.tif.partial", "no result"
    # a disk, or a network, that works again
    long_scene.write_bytes(whole)
    os.utime(long_scene, ns=(before.st_atime_ns, before.st_mtime_ns))
    ended = spectralgpt(*command, "--json")
    assert (ended.code, ended.json["blocks_resumed"]) == (0, kept)
    straight = tmp_path / "straight" / "o.tif"
    straight.parent.mkdir()
    assert spectralgpt(command[0], long_scene, straight, *command[3:]).code == 0
    assert straight.read_bytes() == target.read_bytes()


def test_a_scene_that_changes_while_it_is_read(scene, weights, tmp_path, monkeypatch):
    from spectralgpt import embed
    from spectralgpt.errors import RasterError

    def progress(stage, done, total):
        if stage == "windows" and done:
            os.utime(scene, ns=(1, 1))

    target = tmp_path / "o.tif"
    with pytest.raises(RasterError, match=r"scene_2020-05-01.tif: was changed while it was read; expected a file that"):
        embed(scene, target, weights=weights, progress=progress)
    assert listing(tmp_path) == [scene.name], "rows of two versions of a scene are of no use"
    assert embed(scene, target, weights=weights).blocks_resumed == 0


def test_another_run_at_the_same_target(scene, weights, tmp_path, spectralgpt):
    from test_verbs_resume import interrupted

    target = tmp_path / "o.tif"
    command = ("reconstruct", scene, target, "--weights", weights, "--json")
    with interrupted():
        assert spectralgpt(*command).code == 130
    files = listing(partial_of(target))
    with FileLock(partial_of(target) / "lock"):
        ended = spectralgpt(*command)
        assert ended.code == 2
        message = ended.json["error"]
        assert message.startswith(f"{partial_of(target)}: another run is already writing to this target. Wait for it")
        assert set(files) <= set(listing(partial_of(target)))
    assert spectralgpt(*command).json["blocks_resumed"] == 1


def test_an_interrupt_says_what_is_kept(long_scene, weights, tmp_path):
    """Ctrl-C in a process of its own, in the middle of computing."""
    target = tmp_path / "o.tif"
    slowly = """
import runpy, signal, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in what a shell started in the background
from spectralgpt.scenes.block_rows import BlockRows
take = BlockRows.take
def slow(*given):
    time.sleep(0.1)
    return take(*given)
BlockRows.take = slow
runpy.run_module("spectralgpt", run_name="__main__")
"""
    command = [sys.executable, "-c", slowly, "embed", long_scene, target, "--weights", weights, *SMALL_STEPS]
    paths = os.pathsep.join(each for each in sys.path if each)
    child = subprocess.Popen(
        [*map(str, command), "--json"],
        env=os.environ | {"PYTHONPATH": paths},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    until = time.monotonic() + 300
    while not rows_of(target) and child.poll() is None and time.monotonic() < until:
        time.sleep(0.005)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=300)
    assert child.returncode == 130, err
    rows = rows_of(target)
    assert 0 < rows < 100
    expected = (
        f"spectralgpt embed: interrupted. {rows} of 100 block rows of {target} are kept: "
        "the same command goes on from there, as long as its input is the same."
    )
    assert err.strip().splitlines()[-1] == expected
    assert json.loads(out)["error"] == expected


def test_an_interrupt_before_the_first_row_says_so(scene, weights, tmp_path, spectralgpt, monkeypatch):
    from spectralgpt.scenes.block_rows import BlockRows

    def stopped(self, *given):
        raise KeyboardInterrupt

    monkeypatch.setattr(BlockRows, "take", stopped)
    ended = spectralgpt("embed", scene, tmp_path / "o.tif", "--weights", weights)
    assert ended.code == 130
    assert f"interrupted. Nothing of {tmp_path / 'o.tif'} is kept, as no block row was finished." in ended.err
