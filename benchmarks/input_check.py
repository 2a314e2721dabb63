"""The input check on real images: false alarms on right ones, and misses on faults made in them.

DATA is a folder as benchmarks/real_images.py describes it. A fault is written to a file and opened as a user would.
Limits are also set on all data sets but one, and judged on that one (benchmarks/check_limits.py).

    python benchmarks/input_check.py DATA --json docs/results/input_check.json
"""

import argparse
import json
import tempfile
import time
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from check_limits import Judged, LeftOut, by_data_set, judged_by_others, refused, summary
from rasterio.errors import NotGeoreferencedWarning
from real_images import FAMILIES, Family, images_of

from spectralgpt.checks import check
from spectralgpt.errors import InputError
from spectralgpt.products import open_raster
from spectralgpt.raster import Raster
from spectralgpt.raster.grid import Grid
from spectralgpt.raster.window import Window

FAULTY_PER_FAMILY, SIDE, MOST_BANDS = 8, 256, 20
"""Most images of a family in which faults are made, their largest side in pixels, and most bands."""

SENTINEL2 = ("eurosat", "s2-l1c", "s2-l2a", "spectralgpt-12")


@dataclass(frozen=True)
class Made:
    """Stored values (band, row, column), and what the file declares."""

    values: np.ndarray
    scale: float | None = None
    offset: float | None = None


def whole(reflectance: np.ndarray, add: float = 0, scale: float = 1e-4) -> np.ndarray:
    """As uint16, 0 where not valid."""
    stored = np.where(np.isnan(reflectance), 0, np.round(reflectance / scale + add).clip(1, 65535))
    return stored.astype(np.uint16)


def swapped(values: np.ndarray, band: int) -> np.ndarray:
    """With a band and another one exchanged that is no neighbour."""
    other = (band + len(values) // 2) % len(values)
    order = np.arange(len(values))
    order[[band, other]] = other, band
    return values[order]


def filled(values: np.ndarray) -> np.ndarray:
    """With -1000 in the first tenth of the rows."""
    stored = values.astype(np.int32)
    stored[:, : max(1, stored.shape[1] // 10)] = -1000
    return stored


def rolled(values: np.ndarray, band: int, rows: int) -> np.ndarray:
    """With one band moved."""
    moved = values.copy()
    moved[band] = np.roll(moved[band], rows, 0)
    return moved


Fault = Callable[[np.ndarray, int], Made]
FAULTS: dict[str, tuple[Fault, tuple[str, ...]]] = {
    "none": (lambda r, band: Made(whole(r)), ()),
    "none, in floats": (lambda r, band: Made(r), ()),
    "1000 left in": (lambda r, band: Made(whole(r, 1000)), ("offset",)),
    "1000 subtracted twice": (lambda r, band: Made(whole(r), 1e-4, -0.1), ("offset",)),
    "percent": (lambda r, band: Made(100 * r), ("units", "scale")),
    "times 10": (lambda r, band: Made(10 * r), ("units", "scale")),
    "times 1000": (lambda r, band: Made(1000 * r), ("units", "scale")),
    "a tenth": (lambda r, band: Made(r / 10), ("units", "scale")),
    "0 to 255": (lambda r, band: Made(255 * r), ("units", "scale")),
    "stretched to 16 bits": (lambda r, band: Made(whole(r, scale=1 / 65535)), ("units", "scale")),
    "two bands exchanged": (lambda r, band: Made(swapped(whole(r), band)), ("order",)),
    "reversed": (lambda r, band: Made(whole(r)[::-1]), ("order",)),
    "undeclared fill": (lambda r, band: Made(filled(whole(r))), ("fill",)),
    "wrapped below zero": (lambda r, band: Made(whole(r) - np.uint16(300)), ("offset",)),
    "a band 2 pixels off": (lambda r, band: Made(rolled(whole(r), band, 2)), ("shift",)),
    "a band 6 pixels off": (lambda r, band: Made(rolled(whole(r), band, 6)), ("shift",)),
}
"""How each fault is made from reflectance and one of its bands, and the kinds of flags that find it."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    warnings.simplefilter("ignore", NotGeoreferencedWarning)
    data = given.data.resolve()
    right, faults = {}, {}
    left_out, judged = LeftOut(data), list[Judged]()
    with tempfile.TemporaryDirectory() as folder:
        for family in FAMILIES:
            started = time.perf_counter()
            right[family.name], faults[family.name] = of_family(family, data, Path(folder), left_out, judged)
            print(family.name, right[family.name], f"{time.perf_counter() - started:.0f} s", flush=True)
    by_others = judged_by_others(judged)
    result = {"right": right, "faults": summed(faults), "faults_by_family": faults, "limits": by_others}
    print(table(result["faults"]), summary(by_others), by_data_set(by_others), sep="\n\n")
    if given.json:
        given.json.write_text(json.dumps(result, indent=1) + "\n")


def of_family(family: Family, data: Path, folder: Path, left_out: LeftOut, judged: list[Judged]) -> tuple[dict, dict]:
    """Counts of flags on its right images, and of faults made and found in some of them; what limits find in both is
    added to `judged`."""
    flags: Counter[str] = Counter()
    images, refused, sensor = 0, 0, ""
    opened = []
    for original, path, bands in images_of(family, data, folder):
        try:
            with open_raster(path, bands=bands) as raster:
                images, sensor = images + 1, raster.sensor.name
                kinds = [flag.kind for flag in check(raster, trust=True).flags]
                judged.append(left_out.judged(raster, left_out.data_set(original, family.name)))
        except InputError:
            continue
        flags.update(kinds)
        refused += any(kind in ("units", "conflict") for kind in kinds)
        opened.append((original, path, bands))
    found: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for original, path, bands in opened[:: -(-len(opened) // FAULTY_PER_FAMILY)] if opened else []:
        with open_raster(path, bands=bands) as raster:
            judged += count_faults(raster, folder, found, left_out, left_out.data_set(original, family.name))
    return {"sensor": sensor, "images": images, "refused": refused, "flags": dict(flags)}, dict(found)


def count_faults(
    raster: Raster, folder: Path, found: dict[str, list[int]], left_out: LeftOut, data_set: str
) -> Iterator[Judged]:
    """Add [made, found, with a flag of another kind] per fault to `found`; what limits find in each fault."""
    rows, columns = raster.grid.shape
    height, width = min(SIDE, rows), min(SIDE, columns)
    window = Window((rows - height) // 2, (columns - width) // 2, height, width)
    pixels = raster.read(window)
    reflectance = pixels.reflectance()[0]
    if pixels.valid is not None:
        reflectance = np.where(pixels.valid[0], reflectance, np.float32(np.nan))
    wavelengths = np.array([band.wavelength for band in raster.bands])
    usable = np.isfinite(reflectance).any(axis=(1, 2)) & (wavelengths < 2500)
    if not 3 <= usable.sum() <= MOST_BANDS or np.isfinite(reflectance).mean() < 0.5:
        return
    names = ",".join(band.name for band, kept in zip(raster.bands, usable, strict=True) if kept)
    bands = [band for band, kept in zip(raster.bands, usable, strict=True) if kept]
    finest = min(band.gsd for band in bands)
    fine = [at for at, band in enumerate(bands) if band.gsd <= 3 * finest and not 1360 < band.wavelength < 1390]
    for name, (make, kinds) in FAULTS.items():
        if name == "1000 left in" and raster.sensor.name not in SENTINEL2:  # no other sensor adds it
            continue
        made = make(reflectance[usable], fine[found[name][0] % len(fine)])
        path, how = folder / "faulty.tif", f"{raster.sensor.name}:{names}"
        write(made, pixels.grid, path)
        try:
            with open_raster(path, bands=how) as faulty:
                flags = [flag.kind for flag in check(faulty, trust=True).flags]
                yield left_out.judged(faulty, data_set, name)
        except InputError:
            flags = ["units"]
            yield refused(data_set, name)
        count = found[name]
        count[0] += 1
        count[1] += any(kind in kinds for kind in flags)
        count[2] += any(kind not in kinds for kind in flags)


def write(made: Made, grid: Grid, path: Path) -> None:
    """Write a file with these values."""
    count, height, width = made.values.shape
    dtype = made.values.dtype.name
    nodata = 0 if dtype == "uint16" else np.nan if dtype == "float32" else None
    profile = {"driver": "GTiff", "count": count, "height": height, "width": width, "dtype": dtype, "nodata": nodata}
    with rasterio.open(path, "w", **profile, transform=grid.transform, crs=grid.crs) as file:
        file.write(made.values)
        if made.scale is not None:
            file.scales, file.offsets = [made.scale] * count, [made.offset] * count


def summed(faults: dict[str, dict[str, list[int]]]) -> dict[str, list[int]]:
    return {name: np.sum([each[name] for each in faults.values() if name in each], axis=0).tolist() for name in FAULTS}


def table(faults: dict[str, list[int]]) -> str:
    rows = [f"| {name} | {made} | {made - found} | {other} |" for name, (made, found, other) in faults.items()]
    return "\n".join(["| fault | made | missed | with another flag |", "|---|---|---|---|", *rows])


if __name__ == "__main__":
    main()
