"""Every real image is opened as what it is, or refused for the reason in its README."""

import csv
import json
import math
import re
import tomllib
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from made_rasters import NAMES, write
from rasterio.errors import NotGeoreferencedWarning
from real_rasters import BOTH, IMAGES, SHARED, real

from spectralgpt.checks import Verdict, check
from spectralgpt.errors import InputError
from spectralgpt.products import open_raster
from spectralgpt.raster import Raster

FAMILIES: list[dict[str, Any]] = tomllib.loads(Path(__file__).with_name("shared_images.toml").read_text())["family"]
"""The table: groups of files, and how each should be opened or refused."""

READS = [
    pytest.param(family, read, id=f"{family['files'][0]}-{read.get('bands', 'own' if 'own' in read else 'unstated')}")
    for family in FAMILIES
    for read in family.get("read", ())
]

SUSPICIONS = {"offset", "units", "order", "duplicate"}
"""Flags for an image that is not what it seems. The others describe its pixels."""

OPENED, LOOKED_AT = 12, 3
"""How many files of each glob are opened, and on how many of these the contract is tried: all of them take minutes."""

needed = pytest.mark.skipif(not SHARED.is_dir(), reason="the data folder ../shared is not here")

LANDSLIDE4SENSE = [
    1111.81236406, 824.63171476, 663.41636217, 445.17289745, 645.8582926, 1547.73508126, 1960.44401001,
    1941.32229668, 674.07572865, 9.04787384, 1113.98338755, 519.90397929,
]  # fmt: skip
"""The divisors of that data set's bands, which make each 1 on average."""


def files_of(family: dict[str, Any], folder: Path, most: int | None = None) -> list[Path]:
    """The files of a family; of each glob only some, evenly."""
    found = [sorted(folder.glob(pattern)) for pattern in family["files"]]
    return sorted({path for paths in found for path in (spread(paths, most) if most else paths)})


def spread(paths: list[Path], most: int) -> list[Path]:
    return [paths[len(paths) * i // most] for i in range(most)] if len(paths) > most else paths


@contextmanager
def unplaced() -> Iterator[None]:
    """Warnings about missing georeference are ignored."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        yield


def values_of(path: str) -> np.ndarray:
    with unplaced(), rasterio.open(path) as dataset:
        return dataset.read()


def choice(read: dict[str, Any], folder: Path) -> str | None:
    """The argument `bands`; a sensor of the user's own is written to a file for it."""
    if "own" not in read:
        return read.get("bands")
    keys = dict(read["own"])
    listed = keys.pop("wavelengths", None)
    lines = [f"{key} = {json.dumps(value)}" for key, value in keys.items()]
    if listed:
        rows = csv.DictReader(real(listed).read_text().splitlines())
        bands = [
            f'{{ name = "{r["wavelength_nm"]} nm", wavelength = {r["wavelength_nm"]}, fwhm = 10, gsd = 20 }}'
            for r in rows
        ]
        lines.append(f"bands = [{', '.join(bands)}]")
    path = folder / "mine.toml"
    path.write_text("\n".join(lines))
    return str(path)


def flags_of(verdict: Verdict) -> set[str]:
    return {flag.kind for flag in verdict.flags}


def differences(raster: Raster, read: dict[str, Any]) -> Iterator[str]:
    """How an opened image differs from the table."""
    if "sensor" in read and raster.sensor.name != read["sensor"]:
        yield f"sensor {raster.sensor.name}"
    if raster.sensor.level != read["level"]:
        yield f"level {raster.sensor.level}"
    names = [band.name for band in raster.bands]
    if read["names"] != "*" and names != read["names"].split():
        yield f"bands {' '.join(names)}"
    known = (math.inf, -math.inf) if read["gsd"] == "unknown" else read["gsd"]
    if not (math.isnan(raster.gsd) if read["gsd"] == "unknown" else known[0] <= raster.gsd <= known[1]):
        yield f"gsd {raster.gsd}"
    if (raster.dates[0] != "") != read["date"]:
        yield f"date {raster.dates[0]!r}"
    reflected = [index for index, band in enumerate(raster.bands) if band.wavelength < 3000]
    units = {(raster.scale[index], raster.offset[index]) for index in reflected}
    if read.get("scale") != "metadata" and units != {(read.get("scale", 1e-4), read.get("offset", 0.0))}:
        yield f"scale and offset {units}"
    if "warns" in read and not any(re.search(read["warns"], warning) for warning in raster.warnings):
        yield f"warnings {raster.warnings}"


def suspicions(raster: Raster, read: dict[str, Any]) -> Iterator[str]:
    """How the contract's flags differ from the table."""
    wanted = [set(each.split("|")) for each in read.get("flags", ())]
    allowed = set.union(set(read.get("sometimes", ())), *wanted)
    verdict = check(raster, trust="units" in allowed)
    found = flags_of(verdict)
    for each in wanted:
        if not each & found:
            yield f"not suspected: {' or '.join(sorted(each))}"
    for flag in verdict.flags:
        if flag.kind in SUSPICIONS - allowed:
            yield f"suspected: {flag.kind} ({flag.text})"


def tried(read: dict[str, Any], folder: Path, paths: list[Path], looked_at: list[Path]) -> list[str]:
    """One line per file that differs from the table."""
    bands, wrong = choice(read, folder), []
    for path in paths:
        found: list[str] = []
        try:
            with open_raster(path, bands=bands) as raster:
                if "refused" in read:
                    found.append(f"opened as {raster.sensor.name}, {[band.name for band in raster.bands][:14]}")
                else:
                    found += differences(raster, read)
                    if path in looked_at:
                        found += suspicions(raster, read)
        except InputError as error:
            if "refused" not in read:
                found.append(f"refused: {error}")
            elif not re.search(read["refused"], str(error), re.DOTALL):
                found.append(f"refused otherwise: {error}")
        if found:
            wrong.append(f"{path}: {'; '.join(found)}")
    return wrong


@pytest.mark.parametrize("data", BOTH)
def test_every_file_belongs_to_one_family(data):
    times = Counter(path for family in FAMILIES for path in files_of(family, data))
    unclaimed, twice = [], []
    for path in data.rglob("*"):
        claims = sum(times[each] for each in (path, *path.parents))
        if path.is_file() and claims != 1:
            (twice if claims else unclaimed).append(str(path.relative_to(data)))
    assert (unclaimed, twice) == ([], [])
    if data == SHARED:
        assert not [pattern for family in FAMILIES for pattern in family["files"] if not any(data.glob(pattern))]


@pytest.mark.parametrize("family", [pytest.param(each, id=each["files"][0]) for each in FAMILIES if "read" in each])
def test_what_an_image_is(family, tmp_path):
    data = IMAGES if files_of(family, IMAGES) else SHARED
    paths = files_of(family, data, OPENED)
    if not paths:
        pytest.skip("in ../shared only, as it is large or not ours to pass on; that folder is not here")
    for read in family["read"]:
        wrong = tried(read, tmp_path, paths, files_of(family, data, LOOKED_AT))
        assert not wrong, f"{read}: {len(wrong)} of {len(paths)} ({family['why']}):\n" + "\n".join(wrong[:6])


@pytest.mark.long
@needed
@pytest.mark.parametrize(("family", "read"), READS)
def test_what_every_image_is(family, read, tmp_path):
    paths = files_of(family, SHARED)
    wrong = tried(read, tmp_path, paths, paths)
    assert not wrong, f"{len(wrong)} of {len(paths)} ({family['why']}):\n" + "\n".join(wrong[:6])


@pytest.mark.parametrize("data", BOTH)
@pytest.mark.parametrize("family", [each for each in FAMILIES if "oscd/*/imgs_1" in each["files"]])
def test_dates_are_those_of_the_data_set(family, data):
    dates = {
        row["city"]: (row["date_1"], row["date_2"])
        for row in csv.DictReader((data / "oscd/cities.csv").read_text().splitlines())
    }
    for folder in files_of(family, data):
        with open_raster(folder) as raster:
            date = raster.dates[0].replace("-", "")
        assert date == dates[folder.parent.name][int(folder.name[-1]) - 1], folder


@pytest.mark.parametrize(
    ("sample", "suspected"),
    [
        ("m-eurosat/id_1905", {"order"}),
        pytest.param("m-brick-kiln/examples_0_9", {"order", "duplicate"}, marks=pytest.mark.long),
        pytest.param("m-brick-kiln/examples_0_12", {"order", "duplicate"}, marks=pytest.mark.long),
    ],
)
def test_band_names_of_geobench_are_suspected(sample, suspected, tmp_path):
    """Bands taken from the HDF5 file in the order of their names, in which 08A follows 08."""
    with unplaced(), rasterio.open(real(f"geobench_samples/{sample}.hdf5")) as container:
        named = {re.search(r"//(\d\dA?)_", each)[1]: each for each in container.subdatasets}
    names = sorted(named)
    assert names[7:9] == ["08", "08A"]
    values = np.concatenate([values_of(named[name]) for name in names])
    path = write(tmp_path / "taken.tif", values, names=[f"B{name}".replace("B08A", "B8A") for name in names])
    with open_raster(path) as raster:
        assert raster.sensor.name == "s2-l1c"
        assert flags_of(check(raster, trust=True)) & suspected


@pytest.mark.parametrize("number", [902, *(pytest.param(each, marks=pytest.mark.long) for each in (1, 27, 45, 150))])
def test_scaled_bands_of_landslide4sense_are_suspected(number, tmp_path):
    """As the data set is distributed: each band divided by its own number."""
    values = values_of(str(real(f"landslide4sense/images/image_{number}.tif")))
    names = [name for name in NAMES if name != "B8A"]
    scaled = values / np.array(LANDSLIDE4SENSE)[:, None, None]
    path = write(tmp_path / "scaled.tif", scaled.astype(np.float32), names=names)
    with open_raster(path) as raster:
        assert flags_of(check(raster, trust=True)) & {"units", "order"}


def test_the_table_tells_only_what_it_means():
    known = "bands own refused sensor level names gsd date scale offset warns flags sometimes"
    for family in FAMILIES:
        assert family.keys() <= {"files", "why", "read"}, family
        for read in family.get("read", ()):
            assert read.keys() <= set(known.split()), read
            assert ("refused" in read) != ({"level", "names", "gsd", "date"} <= read.keys()), read
