"""What GDAL may open: files of drivers that read this file and what lies beside it under its name, and VRTs over such.

By default GDAL tries every driver on every file. A text under an image's name then makes it read other files or ask a
server. So the drivers are listed here, names of files on other machines are refused, and a VRT is opened once each file
that it names was looked at.
"""

import os
import re
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache

from rasterio._err import CPLE_BaseError
from rasterio.env import env_ctx_if_needed
from rasterio.errors import RasterioError
from rasterio.io import DatasetReader

from spectralgpt.errors import RasterError
from spectralgpt.raster.vrt_files import (
    DEEPEST_VRT,
    VRT_START,
    VRT_START_BYTES,
    is_vrt,
    parse_vrt,
    vrt_files,
    written_names,
)

IMAGE_DRIVERS = (
    *("GTiff", "JP2OpenJPEG", "JP2KAK", "JP2ECW", "JP2MrSID", "HFA"),  # the images of providers
    *("ENVI", "EHdr", "RST", "SAGA"),  # plain values, with a header beside them under the same name
    *("PNG", "JPEG", "BMP", "GIF", "WEBP", "PNM"),  # pictures: masks, views
    *("netCDF", "HDF5", "HDF5Image", "HDF4", "HDF4Image", "NITF", "GRIB", "AAIGrid"),
)
"""GDAL's drivers that images are opened with. Not listed: those of files that name other files or addresses (WMS, WCS,
WMTS, STACTA, GTI, MRF, PCIDSK, ERS, PAux), and those that connect to a server."""

OF_VRT = "VRT"

SUBDATASETS = ("GTIFF_DIR", "NETCDF", "HDF5", "HDF4_SDS", "HDF4_EOS", "NITF_IM")
"""How GDAL's names of an image inside a file may begin: GTIFF_DIR:2:scene.tif."""

PREFIX = re.compile(r"([A-Za-z0-9_]{2,}):")
LOCAL_SCHEMES = ("file", "zip", "tar", "gzip")
SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")
VIRTUAL = re.compile(r"/?vsi\w+/")
"""How GDAL's names of files begin that it gets by something else than the file system."""

ARCHIVES = re.compile(r"(?:/?vsi(?:zip|tar|gzip)/[/{]*)+")
"""How they begin for files in archives, also one in another."""

MEMBER_NAME = re.compile(r"/vsi(zip|tar)/\{?([^{}]*?\.(?:zip|tar))\}?/(.+)", re.IGNORECASE)

REMOTE_NAME = re.compile(r"(?:https?|ftp|s3|gs|gcs|az|azure|adl|abfss?|oss|swift|hdfs|webhdfs|dap4?|dods)://", re.I)

BESIDE_IMAGES = (".ovr", ".msk", ".msk.ovr", ".OVR", ".MSK", ".MSK.OVR")
"""Endings that GDAL adds to the name of an image for files that it opens with it, with any driver."""

OF_OVERVIEWS = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+", b"EHFA_HEADER_TAG")
"""First bytes of the files of overviews and masks that GDAL writes: TIFF, BigTIFF, HFA."""

TEXT = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:<[A-Za-z!?]|[{\[]\s*[\"{])|SQLite format 3|fgb|PK\x03\x04")
"""How files begin that name other files: XML, JSON, GeoPackage, FlatGeobuf, KMZ."""

BESIDE_ITSELF = ":::BASE:::"
"""How the name of a file of overviews begins that lies beside the image."""


_remote: ContextVar[bool] = ContextVar("remote", default=False)


@contextmanager
def remote_sources(allowed: bool) -> Iterator[None]:
    """While entered, this thread may open images on other machines, which the user asked for. What is open stays so."""
    before = _remote.set(allowed)
    try:
        yield
    finally:
        _remote.reset(before)


def open_trusted(path: str) -> DatasetReader:
    """The dataset of a path. RasterError for what makes GDAL read other files or the network; GDAL's own errors for
    what is no image."""
    refuse_remote(path)
    _refuse_beside(path)
    if is_vrt(path):
        refuse_vrt(path)
        dataset = reopened(path)
    else:
        refuse_text(path)
        dataset = _opened(path, IMAGE_DRIVERS)
    try:
        _refuse_after(path, dataset)
    except RasterError:
        dataset.close()
        raise
    return dataset


def reopened(path: str) -> DatasetReader:
    """The dataset of a path that `open_trusted` has opened before."""
    return _opened(path, (OF_VRT, *IMAGE_DRIVERS))


def is_remote(path: str) -> bool:
    """Whether this is the name of a file on another machine, also of one in an archive there."""
    inside = ARCHIVES.sub("", path, count=1) if path.startswith("/vsi") else ""
    scheme = SCHEME.match(path)
    is_address = scheme is not None and scheme[1].lower() not in LOCAL_SCHEMES and not _is_inner(path)
    is_virtual = path.startswith("/vsi") and VIRTUAL.match(inside or path) is not None
    return is_address or is_virtual or REMOTE_NAME.search(path) is not None


def refuse_remote(path: str) -> None:
    """RasterError for the name of a file on another machine, unless `remote_sources` allows it, and for what only looks
    like a file's name."""
    if is_remote(path) and not _remote.get():
        raise RasterError(
            f"{path}: found a remote source", "a local file", "Download it, or let it be read:", ("allow_remote", True)
        )
    if path.lstrip().startswith("<"):
        raise RasterError(f"{path.strip()[:40]}: found XML in place of a file's name", "a file")
    if path.lower().startswith(("vrt:", "mem:")):
        raise RasterError(f"{path}: found a description of an image in place of a file's name", "a file")


def refuse_text(path: str) -> None:
    """RasterError for a file of text that names other files or addresses. Unlisted drivers do not open it in any case:
    this says why."""
    head = _head(path)
    if TEXT.match(head):
        shown = head[:40].decode(errors="replace").split("\n")[0]
        raise RasterError(
            f"{path}: found {shown!r}, not the values of an image",
            "an image",
            "A file that names other files or addresses is not followed: give these, downloaded",
        )


def refuse_vrt(path: str) -> None:
    """RasterError for a VRT that names anything but local images, and VRTs of such. Missing files are no reason."""
    _refuse_vrt(path, (), set())


def _is_inner(path: str) -> bool:
    """Whether a path is an image inside a file, like HDF5:file.h5://band."""
    found = PREFIX.match(path)
    return found is not None and found[1].upper() in SUBDATASETS


def _opened(path: str, drivers: tuple[str, ...]) -> DatasetReader:
    with env_ctx_if_needed():
        # rasterio.open takes a single driver until 1.5
        return DatasetReader(path, driver=list(drivers))


def _refuse_beside(path: str) -> None:
    for ending in BESIDE_IMAGES:
        _refuse_overviews(path + ending)


def _refuse_overviews(beside: str) -> None:
    """RasterError for a file of overviews or a mask that is none."""
    head = _head(beside)
    if head and (not head.startswith(OF_OVERVIEWS) or VRT_START in head):
        raise RasterError(
            f"{beside}: found {head[:20]!r}", "overviews or a mask, a TIFF", "Remove it, or build it again"
        )


def _refuse_after(path: str, dataset: DatasetReader) -> None:
    """RasterError where an open image names files that do not lie beside it."""
    overviews = dataset.tags(ns="OVERVIEWS").get("OVERVIEW_FILE")
    folder = os.path.dirname(path)
    if overviews is not None:
        name = overviews.removeprefix(BESIDE_ITSELF)
        if not overviews.startswith(BESIDE_ITSELF) or "/" in name or "\\" in name:
            raise RasterError(f"{path}: found overviews in {overviews}", "beside it", "Remove its .aux.xml")
        _refuse_overviews(os.path.join(folder, name))
    if dataset.driver == "HFA":  # its values may lie in another file, which it names
        own = os.path.normpath(folder)
        others = [each for each in dataset.files if os.path.normpath(os.path.dirname(each)) != own]
        if others:
            raise RasterError(f"{path}: found values in {others[0]}", "all beside it", "Save it as a GeoTIFF")


def _refuse_vrt(path: str, above: tuple[str, ...], seen: set[str]) -> None:
    """above: VRTs that it is a source of. seen: files looked at before."""
    real = os.path.realpath(path)
    if real in above:
        raise RasterError(f"{path}: found a VRT that is its own source", "other files", "Build the VRT again")
    if len(above) >= DEEPEST_VRT:
        raise RasterError(f"{path}: found {DEEPEST_VRT} levels of VRTs", "images", "Build one VRT from the images")
    root = parse_vrt(path)
    for name in written_names(root):
        _refuse_name(name, path)
    for file in dict.fromkeys(vrt_files(root, path)):
        if file in seen:
            continue
        _refuse_name(file, path)
        if is_vrt(file):
            _refuse_vrt(file, (*above, real), seen)
        else:
            _refuse_source(file)
        seen.add(file)


def _refuse_name(name: str, path: str) -> None:
    """RasterError for a source that GDAL would not take for the name of a local file, or of an image in one."""
    try:
        refuse_remote(name)
    except RasterError as error:
        raise error.about(f"{path}: one of its sources") from None
    found = PREFIX.match(name)
    allowed = SCHEME.match(name) is not None and _remote.get()
    if found and not allowed and found[1].upper() not in SUBDATASETS and found[1].lower() not in LOCAL_SCHEMES:
        raise RasterError(f"{path}: found the source {name}", "the name of a file", "Build the VRT again")


def _refuse_source(file: str) -> None:
    """RasterError for a source that only unlisted drivers open. Missing ones are for the reader of VRTs."""
    refuse_text(file)
    _refuse_beside(file)
    if os.path.isfile(file) and (found := os.stat(file)).st_size > 0:  # empty ones are for the reader of VRTs, too
        _refuse_unlisted(os.path.abspath(file), found.st_size, found.st_mtime_ns)


@lru_cache(maxsize=4096)
def _refuse_unlisted(file: str, size: int, changed: int) -> None:
    """Open a source of a VRT as an image, once: a mosaic may have thousands. size, changed: of the file's state."""
    try:
        dataset = _opened(file, IMAGE_DRIVERS)
    except (RasterioError, CPLE_BaseError) as error:
        raise RasterError(
            f"{file}: cannot be opened as an image ({error})", do="Give a raster such as a GeoTIFF"
        ) from error
    with dataset:
        _refuse_after(file, dataset)


def _head(path: str) -> bytes:
    """The first bytes of a file, also of one in an archive; none without one."""
    if (inside := MEMBER_NAME.fullmatch(path)) is not None and not os.path.exists(path):
        kind, archive, name = inside[1].lower(), inside[2], inside[3]
        return _head_in(kind, archive, name)
    if not os.path.isfile(path):
        return b""
    try:
        with open(path, "rb") as file:
            return file.read(VRT_START_BYTES)
    except OSError:
        return b""


def _head_in(kind: str, archive: str, name: str) -> bytes:
    """Of a file in an archive."""
    try:
        found = os.stat(archive)
        if name not in _members(kind, archive, found.st_size, found.st_mtime_ns):
            return b""
        if kind == "zip":
            with zipfile.ZipFile(archive) as packed, packed.open(name) as file:
                return file.read(VRT_START_BYTES)
        with tarfile.open(archive, "r:") as tape:
            taken = tape.extractfile(name)
            return b"" if taken is None else taken.read(VRT_START_BYTES)
    except (OSError, zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, LookupError, RuntimeError, ValueError):
        return b""  # reported where it is opened


@lru_cache(maxsize=8)
def _members(kind: str, archive: str, size: int, changed: int) -> frozenset[str]:
    """The names in an archive. size, changed: of the file's state."""
    return frozenset(_names(kind, archive))


def _names(kind: str, archive: str) -> Iterator[str]:
    if kind == "zip":
        with zipfile.ZipFile(archive) as packed:
            yield from packed.namelist()
        return
    with tarfile.open(archive, "r:") as tape:
        yield from tape.getnames()
