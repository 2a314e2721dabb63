"""A new format is one file: it is opened, sharded, inspected and masked, and no other file mentions it."""

import sys
from pathlib import Path

import numpy as np
import pytest
from made_rasters import NAMES, land, write

import spectralgpt.products.formats as folder_of_formats
from spectralgpt import inspect, shard
from spectralgpt.errors import OptionError
from spectralgpt.products import (
    Format,
    all_formats,
    cloud_options,
    format_of_file,
    image_suffixes,
    looks_like_image,
    open_raster,
)


@pytest.fixture(scope="module", autouse=True)
def mug():
    """The made-up format, as if its file lay in the room."""
    folder_of_formats.__path__.append(str(Path(__file__).parent / "made_formats"))
    yield next(each for each in all_formats() if each.name == "mug")
    folder_of_formats.__path__.pop()
    sys.modules.pop("spectralgpt.products.formats.mug")


@pytest.fixture
def scene(tmp_path):
    """A mug of 13 bands; the upper left quarter lies in steam."""
    steam = np.zeros((1, 64, 64), np.uint8)
    steam[0, :32, :32] = 7
    write(tmp_path / "image.tif", land(64, 64), names=NAMES)
    write(tmp_path / "steam.tif", steam)
    path = tmp_path / "scene.mug"
    path.write_text("image.tif\nsteam.tif\n")
    return path


def test_it_opens_with_what_it_says(scene):
    with open_raster(scene) as raster:
        assert raster.dates == ("2020-05-01",)
        assert np.array_equal(raster.read().values[0], land(64, 64))


def test_clouds_takes_its_name(scene):
    assert "steam" in cloud_options()
    with open_raster(scene, clouds="steam") as raster:
        valid = raster.read().valid
    assert valid is not None
    assert not valid[..., :32, :32].any()
    assert valid.sum() == 13 * 64 * 64 * 3 / 4
    with pytest.raises(OptionError, match=r"steam"):
        open_raster(scene, clouds="a.tif,b.tif")


def test_shard_finds_it_in_a_folder(scene, tmp_path):
    result = shard(scene.parent, out=tmp_path / "shards", chip=64, clouds="steam", workers=1)
    # its image and its steam are parts of it, as a STAC item's assets are
    assert (result.images, result.samples, result.failed) == (1, 1, ())


def test_inspect_knows_it(scene):
    found = inspect(scene)
    assert found.clouds == 0.25
    assert looks_like_image("somebody/scene.mug")


def test_every_format_says_what_it_is(mug):
    assert mug in all_formats()
    assert ".mug" in image_suffixes()
    for each in all_formats():
        assert each.title
        for ending in (*each.suffixes, *each.archives, *each.named):
            assert ending == ending.lower()
            assert ending.startswith(".")
    layers = [code.layer for each in all_formats() for code in each.clouds]
    assert len(set(layers)) == len(layers)


def test_the_first_by_priority_is_asked_first():
    """The alphabet does not decide: a folder of ESPA also holds Landsat's MTL file, and GDAL opens any file."""
    names = [each.name for each in all_formats()]
    assert names.index("espa") < names.index("landsat")
    assert names[-3:] == ["folder", "packed", "file"]
    assert [each.priority for each in all_formats()] == sorted(each.priority for each in all_formats())


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("a.tif", b"", "file"),
        ("a.VRT", b"", "vrt"),
        ("a.dat", b"", None),  # without a header
        ("a.bil", b"", "file"),  # may be EHdr's
        ("notes.txt", b"", None),
        ("item.json", b'{"stac_version": "1.0.0"}', "stac"),
        ("other.json", b"{}", None),
    ],
)
def test_a_file_is_claimed_by_its_format(tmp_path, name, text, expected):
    (tmp_path / name).write_bytes(text)
    found = format_of_file(str(tmp_path / name))
    assert (found and found.name) == expected


def test_an_envi_file_without_ending_is_claimed_by_its_header(tmp_path):
    (tmp_path / "cube").write_bytes(b"")
    (tmp_path / "cube.hdr").write_text("ENVI\nsamples = 1\n")
    found = format_of_file(str(tmp_path / "cube"))
    assert found is not None
    assert found.name == "envi"
    assert format_of_file(str(tmp_path / "cube.hdr")) is None


@pytest.mark.parametrize(
    ("number", "text", "error"),
    [
        (1, "FORMAT = 3", "^broken_[0-9]: found FORMAT = 3; expected a Format"),
        (2, "", "^broken_[0-9]: found FORMAT = None; expected a Format"),
        (
            3,
            "from spectralgpt.products.format import Format\nFORMAT = Format(title='b', priority=100, read=print)",
            "priority 100, which",
        ),
    ],
)
def test_a_broken_format_names_its_module(tmp_path, monkeypatch, number, text, error):
    (tmp_path / f"broken_{number}.py").write_text(text)
    monkeypatch.setattr(folder_of_formats, "__path__", [*folder_of_formats.__path__, str(tmp_path)])
    with pytest.raises((TypeError, ValueError), match=error):
        all_formats()


def test_endings_begin_with_a_dot():
    with pytest.raises(ValueError, match="expected a tuple like"):
        Format(title="a", priority=1, read=print, suffixes=("tif",))
