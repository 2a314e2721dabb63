"""The cache gives back what it was given, or nothing; and never fails a run."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from made_sets import made_image
from spectralgpt.features import Cache, cache_folder, content_of
from spectralgpt.raster import Pixels

ARRAYS = {"values": np.array([[1.5, np.nan, -0.0]], np.float32), "valid": np.array([True, False])}


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def same(one: dict[str, np.ndarray] | None, other: dict[str, np.ndarray]) -> bool:
    assert one is not None
    return one.keys() == other.keys() and all(
        one[name].dtype == other[name].dtype and one[name].tobytes() == other[name].tobytes() for name in one
    )


def test_tests_do_not_write_to_the_users_folder(cache_of_tests):
    assert cache_folder() == cache_of_tests / "features"
    assert Cache.default().folder == cache_of_tests / "features"


def test_the_default_folder(monkeypatch, tmp_path):
    monkeypatch.delenv("SPECTRALGPT_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "spectralgpt" / "features"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.delenv("LOCALAPPDATA", raising=False)
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "home")
    found = cache_folder()
    assert found is not None
    assert found.is_relative_to(tmp_path / "home")
    assert found.parts[-2:] == ("spectralgpt", "features")


def test_what_is_put_is_read_back_bit_by_bit(tmp_path):
    cache = Cache(tmp_path / "new" / "folder")
    key = cache.key("maker", "content")
    assert cache.get(key) is None
    cache.put(key, ARRAYS)
    assert same(cache.get(key), ARRAYS)
    assert same(Cache(tmp_path / "new" / "folder").get(key), ARRAYS)
    assert Cache(tmp_path).get(cache.key("maker 2", "content")) is None
    assert not cache.note


@pytest.mark.parametrize("damage", ["cut", "bit", "empty", "other"])
def test_a_damaged_entry_is_as_if_it_were_not_there(tmp_path, damage):
    cache = Cache(tmp_path)
    key = cache.key("maker", "content")
    cache.put(key, ARRAYS)
    (path,) = files(tmp_path)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes({"cut": content[:-3], "bit": content, "empty": b"", "other": b"not ours" * 99}[damage])
    assert cache.get(key) is None
    cache.put(key, ARRAYS)
    assert same(cache.get(key), ARRAYS)


def test_a_write_that_fails_leaves_nothing_and_is_noted_once(tmp_path, monkeypatch):
    cache = Cache(tmp_path)
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    for content in "abc":
        cache.put(cache.key("maker", content), ARRAYS)
    assert "disk full" in cache.note
    assert files(tmp_path) == []
    assert cache.get(cache.key("maker", "a")) is None


def test_without_a_folder_nothing_is_kept(tmp_path):
    (tmp_path / "file").write_text("a file is no folder")
    for cache in (Cache(None), Cache(tmp_path / "file")):
        cache.put(cache.key("maker", "content"), ARRAYS)
        assert cache.get(cache.key("maker", "content")) is None
    assert cache.note.startswith(f"{tmp_path / 'file'}: ")


def test_what_was_used_longest_ago_is_removed_first(tmp_path):
    big = {"values": np.zeros(1000, np.float32)}
    keys = [Cache(None).key("maker", str(index)) for index in range(12)]
    cache = Cache(tmp_path, most=10 * 4100 + 2000)
    for age, key in enumerate(keys[:10]):
        cache.put(key, big)
        path = max(files(tmp_path), key=lambda each: each.stat().st_mtime_ns)
        os.utime(path, ns=(10**9 * age, 10**9 * age))
    assert cache.get(keys[0]) is not None, "used, so no longer the oldest"
    for key in keys[10:]:
        cache.put(key, big)
    held = [index for index, key in enumerate(keys) if cache.get(key) is not None]
    assert sum(path.stat().st_size for path in files(tmp_path)) <= cache.most
    assert {0, 10, 11} <= set(held)
    assert 1 not in held
    assert held[1:] == list(range(held[1], 12)), "the oldest went first"


# -- the content of an image -------------------------------------------------------------------------------------------


def changes(image: Pixels) -> dict[str, Pixels]:
    valid = np.ones(image.shape, bool)
    valid[0, 3, 2, 2] = False
    one_value = image.values.copy()
    one_value[0, 12, 39, 30] += 1
    bands = list(image.bands)
    bands[0] = replace(bands[0], wavelength=444.0)
    return {
        "value": replace(image, values=one_value),
        "valid": replace(image, valid=valid),
        "type": replace(image, values=image.values.astype(np.int32)),
        "shape": replace(image, values=image.values.reshape(1, 13, 31, 40)),
        "scale": replace(image, scale=image.scale * 2),
        "offset": replace(image, offset=image.offset - 0.1),
        "bands": replace(image, bands=tuple(bands)),
        "days": replace(image, days=image.days + 1),
        "gsd": replace(image, gsd=20.0),
    }


def test_all_that_features_depend_on_is_in_the_content():
    image = made_image(40, 31)
    found = {"as it is": image, **changes(image)}
    del found["shape"]  # a grid would not fit; shapes are compared below
    assert len({content_of(each) for each in found.values()}) == len(found)
    assert content_of(made_image(40, 30)) != content_of(made_image(30, 40))


def test_what_features_do_not_depend_on_is_not(monkeypatch):
    image = made_image(40, 31)
    moved = replace(image, grid=replace(image.grid, transform=image.grid.transform.translation(5, 7)))
    assert content_of(moved) == content_of(image)
    assert content_of(replace(image, valid=np.ones(image.shape, bool))) == content_of(image)
    hole = changes(image)["valid"]
    junk = hole.values.copy()
    junk[~hole.valid] = 9
    assert content_of(replace(hole, values=junk)) == content_of(hole)
    monkeypatch.setattr("spectralgpt.features.cache.ROWS_HASHED", 100)
    whole = content_of(hole)
    assert whole == content_of(replace(hole, values=np.ascontiguousarray(hole.values)))
