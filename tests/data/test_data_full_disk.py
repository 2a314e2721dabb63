"""Shards and a full disk: refused before the first image, else what is finished stays, and the same run goes on."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from made_disks import fill_disk, refusing_writes, small_disk

from made_folders import contents, scene
from spectralgpt.data.series import Reading
from spectralgpt.data.sharding import shard
from spectralgpt.data.verification import verify_shards
from spectralgpt.errors import TargetError

READING = Reading(chip=32, least_valid=0.1, most_dates=12)
SIZE = 200_000


@pytest.fixture(scope="module")
def images(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("full") / "images"
    for number in range(6):
        scene(folder / f"{number:02}.tif", 40 + 5 * number, 60, number)
    return folder


@pytest.fixture(scope="module")
def whole(images, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("whole") / "shards"
    shard([images], out, READING, size=SIZE, workers=1)
    return out


def bytes_of(folder: Path) -> int:
    return sum(each.stat().st_size for each in folder.glob("*.arrow"))


def test_a_disk_without_room_is_refused_before_an_image_is_stored(images, whole, tmp_path, monkeypatch):
    needed = bytes_of(whole)
    monkeypatch.setattr("spectralgpt.free_space.shutil.disk_usage", lambda _: SimpleNamespace(free=needed // 3))
    with pytest.raises(TargetError, match=r"found \S+ [kM]B free on its disk; expected .*for the samples of 6 images"):
        shard([images], tmp_path / "out", READING, size=SIZE, workers=1)
    assert not list((tmp_path / "out").glob("*.arrow*"))
    monkeypatch.setattr("spectralgpt.free_space.shutil.disk_usage", lambda _: SimpleNamespace(free=needed * 3 // 4))
    warnings = shard([images], tmp_path / "out", READING, size=SIZE, workers=1).warnings
    assert [each for each in warnings if "were free at the start" in each]


def test_what_is_finished_stays_and_the_rest_is_removed(images, whole, tmp_path, monkeypatch):
    total = bytes_of(whole)
    for most in (0, 100, total // 4, total // 2, total - 5000):
        out = tmp_path / f"out-{most}"
        with refusing_writes(monkeypatch, out, most), pytest.raises(TargetError, match="No space left on device"):
            shard([images], out, READING, size=SIZE, workers=1)
        assert not list(out.glob("*.partial"))
        shard([images], out, READING, size=SIZE, workers=1)
        verify_shards(out)
        assert sorted(contents(out)) == sorted(contents(whole))


def test_a_real_full_disk(images, whole, tmp_path):
    with small_disk(tmp_path / "disk", 2**23) as disk:
        out, filler = disk / "out", fill_disk(disk, bytes_of(whole) * 2 // 3)
        both = r"No space left on device\), found \S+ [kM]B free; expected .*manifest\.json are safe"
        with pytest.raises(TargetError, match=both):
            shard([images], out, READING, size=SIZE, workers=1)
        assert not list(out.glob("*.partial"))
        assert list(out.glob("*.arrow"))
        filler.unlink()
        shard([images], out, READING, size=SIZE, workers=1)
        verify_shards(out)
