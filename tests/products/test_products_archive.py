"""One view of a product's files, in a folder, a zip or a tar."""

import io
import struct
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
import rasterio
from made_rasters import distinct, write

from spectralgpt.errors import RasterError
from spectralgpt.products import archive as module
from spectralgpt.products.archive import open_archive

TEXT = "Grüße\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    inner = tmp_path / "ein Produkt" / "a b"
    inner.mkdir(parents=True)
    write(inner / "o 1.tif", distinct(1, 40, 50))
    (inner.parent / "t.txt").write_text(TEXT, encoding="utf-8-sig")
    return inner.parent


def packed(folder: Path, kind: str) -> Path:
    """The folder's files in an archive; in a tar with a leading ./, as `tar -cf x.tar ./*` writes them."""
    path = folder.parent / f"x y.{kind}"
    files = [each for each in sorted(folder.rglob("*")) if each.is_file()]
    if kind == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
            for file in files:
                target.write(file, str(file.relative_to(folder)))
    else:
        with tarfile.open(path, "w") as target:
            for file in files:
                target.add(file, f"./{file.relative_to(folder)}")
    return path


@pytest.mark.parametrize("kind", ["folder", "zip", "tar"])
def test_all_kinds_show_the_same(folder, kind, monkeypatch):
    path = folder if kind == "folder" else packed(folder, kind)
    monkeypatch.chdir(folder.parent)
    view = open_archive(path.name)
    assert view is not None
    assert view.kind == kind
    assert view.names() == ("a b/o 1.tif", "t.txt")
    assert view.names(1) == ("t.txt",)
    assert view.text("t.txt") == TEXT
    assert view.start("t.txt").endswith(TEXT)
    assert view.size("t.txt") == (folder / "t.txt").stat().st_size
    assert view.has("t.txt")
    assert not view.has("a b")
    monkeypatch.chdir("/")
    with rasterio.open(view.gdal_path("a b/o 1.tif")) as dataset:
        np.testing.assert_array_equal(dataset.read(), distinct(1, 40, 50))
    assert view.start("missing") == ""
    for work in (view.text, view.size):
        with pytest.raises(RasterError, match=": missing is missing"):
            work("missing")


def test_no_archive(folder):
    assert open_archive(str(folder / "t.txt")) is None
    assert open_archive(str(folder / "missing.zip")) is None


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_damaged(folder, kind):
    path = packed(folder, kind)
    content = path.read_bytes()
    for damaged in (b"", b"\xff" * 2000, b"PK\x03\x04", content[: len(content) // 3]):
        path.write_bytes(damaged)
        if kind == "tar" and damaged and content.startswith(damaged):
            continue  # a tar has no directory: its first files are whole
        with pytest.raises(RasterError, match=r": the archive cannot be read \(.*Download it again"):
            open_archive(str(path))


def test_beginning_lost(folder):
    path = packed(folder, "zip")
    path.write_bytes(path.read_bytes()[100:])
    with pytest.raises(RasterError, match="cannot be read"):
        open_archive(str(path)).text("a b/o 1.tif")


def test_compressed_tar_is_refused(folder):
    path = folder.parent / "x.tar.gz"
    with tarfile.open(path, "w:gz") as target:
        target.add(folder / "t.txt", "t.txt")
    with pytest.raises(RasterError, match=r"found a compressed tar.*tar -xf"):
        open_archive(str(path))


def test_locked_zip(folder):
    path = packed(folder, "zip")
    content = bytearray(path.read_bytes())
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):  # the flag of encryption, in both places
        start = content.find(mark)
        while start >= 0:
            content[start + at] |= 1
            start = content.find(mark, start + 1)
    path.write_bytes(content)
    view = open_archive(str(path))
    assert view is not None
    with pytest.raises(RasterError, match=r"t.txt cannot be read \(.*encrypted"):
        view.text("t.txt")


def test_links_and_devices_in_a_tar_are_no_files(tmp_path):
    with tarfile.open(tmp_path / "x.tar", "w") as target:
        for name, kind in (("link", tarfile.SYMTYPE), ("hard", tarfile.LNKTYPE), ("device", tarfile.CHRTYPE)):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "link"
            target.addfile(member)
        member = tarfile.TarInfo("../out")
        target.addfile(member, io.BytesIO())
    view = open_archive(str(tmp_path / "x.tar"))
    assert view is not None
    assert view.names() == ()


def test_far_too_many_files(folder, monkeypatch):
    monkeypatch.setattr(module, "MOST_FILES", 1)
    view = open_archive(str(folder))
    assert view is not None
    with pytest.raises(RasterError, match="found more than 1 files"):
        view.names()
    for kind in ("zip", "tar"):
        with pytest.raises(RasterError, match="found more than 1 files"):
            open_archive(str(packed(folder, kind)))


def test_nested_without_end(tmp_path):
    inner = tmp_path
    for _ in range(60):
        inner = inner / "d"
    inner.mkdir(parents=True)
    (inner / "deep.txt").touch()
    (tmp_path / "d" / "top.txt").touch()
    (tmp_path / "d" / "loop").symlink_to(tmp_path)
    view = open_archive(str(tmp_path))
    assert view is not None
    assert view.names() == ("d/top.txt",)


def test_a_member_without_a_name_is_left_out(folder):
    path = packed(folder, "zip")
    with zipfile.ZipFile(path, "a") as target:
        target.writestr("nameless", b"x")
    content = path.read_bytes()
    at = content.rfind(b"nameless")  # in the directory at the end
    length = content.rfind(b"PK\x01\x02", 0, at) + 28
    # the lengths of name, extra field and comment: the name is a comment now
    changed = content[:length] + struct.pack("<HHH", 0, 0, 8) + content[length + 6 :]
    path.write_bytes(changed)
    with zipfile.ZipFile(path) as target:
        assert "" in target.namelist()
    assert open_archive(str(path)).names() == ("a b/o 1.tif", "t.txt")


def test_a_damaged_member_of_any_compression_is_refused(folder):
    for compression in (zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        path = folder.parent / f"{compression}.zip"
        with zipfile.ZipFile(path, "w", compression) as target:
            target.writestr("t.txt", TEXT * 500)
        content = bytearray(path.read_bytes())
        content[45:60] = b"\xff" * 15
        path.write_bytes(content)
        with pytest.raises(RasterError, match=r"t.txt cannot be read"):
            open_archive(str(path)).text("t.txt")
