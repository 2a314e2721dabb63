"""Typical reflectance on Earth: makes the table that the input contract compares images with, from real images.

Images are files or folders that `open_raster` opens; the level of their sensor decides for which table. Means and
covariances use images with all 13 bands of Sentinel-2 Level-1C, or all 12 of Level-2A; the 98 % quantiles use all
images. Give no image with an offset left in its values, and none of clouds only.

    python benchmarks/typical_reflectance.py --eurosat eurosat/*/*.tif --s2-l1c l1c/*.tif --s2-l2a l2a/*.tif > \
        src/spectralgpt/checks/typical.toml
"""

import argparse
from collections import Counter
from pathlib import Path

import numpy as np

from spectralgpt.bands import sensor
from spectralgpt.checks.contract import look
from spectralgpt.errors import RasterError
from spectralgpt.products import open_raster

HEAD = """\
# What Sentinel-2 measures on Earth: reflectance that the input contract compares an image with. Made by
# `python benchmarks/typical_reflectance.py` from real images of many places (fields, forest, towns, deserts, coasts and
# sea, snow, some cloud), none with an offset left in; each folder of images weighs as the square root of their number.
# wavelength: nm. q98: median over images of a band's 98 % quantile. mean, covariance: of ln(reflectance + darkest) over
# the images' spectra of 2 %, 50 % and 98 % quantiles."""

TABLES = {"top": ("s2-l1c", 0.003), "surface": ("s2-l2a", 0.01)}
"""Sensor, and darkest: surface reflectance below it shows only the atmospheric correction; at the top of the
atmosphere the cirrus band is informative at 0.001."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("eurosat", "s2-l1c", "s2-l2a"):
        parser.add_argument(f"--{name}", nargs="*", default=[], type=Path)
    given = parser.parse_args()
    spectra = {"L1C": {}, "L2A": {}}
    for choice, paths in (("eurosat", given.eurosat), ("s2-l1c", given.s2_l1c), ("s2-l2a", given.s2_l2a)):
        for path in paths:
            spectra[sensor(choice).level][path] = quantiles(path, choice)
    print(HEAD)
    for table, (name, darkest) in TABLES.items():
        found = {path: each for path, each in spectra[sensor(name).level].items() if each}
        print(f"\n{as_toml(table, name, darkest, found)}")


def quantiles(path: Path, choice: str) -> dict[str, np.ndarray]:
    """2 %, 50 % and 98 % quantiles of each band that has valid pixels, by its name."""
    try:
        with open_raster(path, bands=choice) as raster:
            sample, _ = look(raster)
    except RasterError:  # without any valid pixel
        return {}
    of_bands = zip(sample.names, sample.quantiles().T, strict=True)
    return {name: each for name, each in of_bands if np.isfinite(each).all()}


def as_toml(table: str, name: str, darkest: float, found: dict[Path, dict[str, np.ndarray]]) -> str:
    bands = sensor(name).bands
    whole = {path: np.array([each[b.name] for b in bands]).T for path, each in found.items() if len(each) == len(bands)}
    weights = np.repeat(weighed(list(whole)), 3)
    logarithms = np.log(np.maximum(np.concatenate(list(whole.values())), 0) + darkest)
    mean = weights @ logarithms / weights.sum()
    off = logarithms - mean
    covariance = (off * weights[:, None]).T @ off / weights.sum()
    brightest = []
    for band in bands:
        with_it = [path for path, each in found.items() if band.name in each]
        values = np.array([found[path][band.name][2] for path in with_it])
        order = np.argsort(values)
        summed = np.cumsum(weighed(with_it)[order])
        brightest.append(values[order][np.searchsorted(summed, summed[-1] / 2)])
    return "\n".join(
        [
            f"# {len(whole)} images with all bands, {len(found)} with some",
            f"[{table}]",
            f"darkest = {darkest}",
            f"wavelength = {[band.wavelength for band in bands]}",
            f"q98 = {rounded(brightest, 4)}",
            f"mean = {rounded(mean, 3)}",
            "covariance = [",
            *(f"    {rounded(row, 3)}," for row in covariance),
            "]",
        ]
    )


def weighed(paths: list[Path]) -> np.ndarray:
    """The weight of each image: those of a folder together weigh as the square root of their number."""
    folders = Counter(path.parent for path in paths)
    return np.array([folders[path.parent] ** -0.5 for path in paths])


def rounded(values: np.ndarray | list[float], digits: int) -> list[float]:
    return [round(float(value), digits) for value in values]


if __name__ == "__main__":
    main()
