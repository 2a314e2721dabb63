"""Labelled sets of real images, for probes: tables, and images and masks cut where that is needed.

python benchmarks/labelled_sets.py DATA WORK
    DATA: a folder of real images, each of its folders with a README. Writes into WORK alone: a folder per set with
    `table.csv`, and the files that had to be cut or written anew. Prints a summary of each set as JSON, one per line.

A table has a row per sample: `image` (of a pair, the one before), `after`, `label`, `labels` (separated by semicolons)
or `mask`, `group`, `date`, `lon` and `lat`. Paths are absolute, or relative to the table. `classes.toml` names codes.
"""

import csv
import json
import re
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import rasterio
from cut_images import clipped, counted_codes, cut, first_word, ground_of, linked, patches, read_codes, write_codes
from rasterio.errors import NotGeoreferencedWarning

IGNORED_CODE = 255


@dataclass(frozen=True)
class MadeSet:
    """A labelled set, ready to be opened.

    source: its table, or a folder of a known layout. classes: the file that names its codes, empty where labels are
    names. bands, ignore, trust_input: for the options of these names. groups: how many; counts: samples per class of
    images, pixels per class of masks. notes: what was left out, and what limits the numbers.
    """

    name: str
    target: str
    source: str
    samples: int
    groups: int
    counts: Mapping[str, int]
    classes: str = ""
    bands: str = ""
    ignore: int | None = None
    trust_input: bool = False
    notes: Sequence[str] = ()


# -- EuroSAT -----------------------------------------------------------------------------------------------------------


def eurosat(data: Path, work: Path) -> MadeSet:
    """One label: 10 classes, 12 images each."""
    root = data / "eurosat_ms"
    rows = read_rows(root / "labels.csv")
    groups = linked([ground_of(root / row["file"]) for row in rows], "eurosat")
    return of_one_label(work, "eurosat", root, rows, groups)


def of_one_label(
    work: Path, name: str, root: Path, rows: Sequence[Mapping[str, str]], groups: Sequence[str]
) -> MadeSet:
    """A set of images of EuroSAT. rows: of its `labels.csv`; groups: one per row."""
    table = [
        {
            "image": str(root / row["file"]),
            "label": row["class_name"],
            "group": group,
            "lon": row["center_lon"],
            "lat": row["center_lat"],
        }
        for row, group in zip(rows, groups, strict=True)
    ]
    return made(work, name, "class", table, Counter(row["label"] for row in table), bands="eurosat")


FAR = 10_000.0
"""Metres between images of EuroSAT below which they are one place when places are drawn for training: so far apart
they were cut by those who chose them."""

LEAST_IN_CLASS = 10
"""Images of a class below which it is left out."""


def eurosat_places(data: Path) -> dict[Path, str]:
    """The place of each image of EuroSAT, of both folders: images less than 10 km apart, however indirectly, share
    one."""
    paths = [path for folder in ("eurosat_ms", "eurosat_more") for path in sorted((data / folder).glob("*/*.tif"))]
    return dict(zip(paths, linked([ground_of(path) for path in paths], "eurosat", FAR), strict=True))


def eurosat_more(data: Path, work: Path) -> MadeSet:
    """One label: five classes of EuroSAT."""
    root, places = data / "eurosat_more", eurosat_places(data)
    every = read_rows(root / "labels.csv")
    sizes = Counter(row["class_name"] for row in every)
    rows = [row for row in every if sizes[row["class_name"]] >= LEAST_IN_CLASS]
    return of_one_label(work, "eurosat_more", root, rows, [places[root / row["file"]] for row in rows])


# -- bark beetle -------------------------------------------------------------------------------------------------------

FOREST = {"0": "no forest", "1": "broad-leaved", "2": "coniferous", "3": "mixed or young"}
IN_PATCHES = ("1", "2")
"""The legend is not documented: the names are those that spectra suggest."""

FOREST_NOTES = (
    "the forest raster is of 2022, the images of September 2020: what was felled between is no forest",
    "its legend is not documented: names after the mean spectra",
    "its files declare nodata 0, which is a class: masks are written anew without it",
)
PATCH, LEAST_SHARE, LEAST_COVERED = 64, 0.1, 0.5

MOSTLY_EMPTY = {"205410": "94 % of the image of 2019 is no data"}


def forest_classes(data: Path, work: Path) -> MadeSet:
    """Several labels: the forest classes that cover over 10 % of a patch of 64 x 64 pixels of 2020.

    Broad-leaved and coniferous only: "no forest" covers over 10 % of every patch, "mixed or young" of none. A site
    gives as many whole patches as fit, in its middle. Most sites are narrower than a patch: there it reaches beyond the
    image and is no data. At least half of a patch must have data.
    """
    root, folder = data / "bark_beetle_s2", work / "forest_classes"
    table, left_out = [], 0
    for site, group in bark_beetle_sites(root).items():
        image = root / "images_2020" / f"geojson_{site}.tif"
        with rasterio.open(image) as dataset:
            present = (dataset.read() != dataset.nodata).any(axis=0)
        codes = read_codes(root / "label_forest_2022" / f"geojson_{site}.tif")
        for window in patches(codes.shape, PATCH):
            inside = clipped(window, codes.shape)
            known = codes[inside][present[inside]]
            if known.size < LEAST_COVERED * PATCH**2:
                left_out += 1
                continue
            found = [code for code in IN_PATCHES if (known == int(code)).mean() > LEAST_SHARE]
            name = f"{site}_r{window.row_off}_c{window.col_off}.tif".replace("-", "m")
            cut(image, folder / "images" / name, window)
            table.append({"image": f"images/{name}", "labels": ";".join(found), "group": group, "date": "2020-09-15"})
    counts = Counter(FOREST[code] for row in table for code in row["labels"].split(";") if code)
    notes = (*FOREST_NOTES[:2], f"{left_out} patches with data in less than half of their pixels are left out")
    classes = {code: FOREST[code] for code in IN_PATCHES}
    return made(work, "forest_classes", "classes", table, counts, classes=classes, bands="s2-l2a", notes=notes)


def forest(data: Path, work: Path) -> MadeSet:
    """A class per pixel: the forest raster of 2022 on whole sites of 2020."""
    root, folder = data / "bark_beetle_s2", work / "forest"
    table, counts = [], Counter[str]()
    for site, group in bark_beetle_sites(root).items():
        codes = read_codes(root / "label_forest_2022" / f"geojson_{site}.tif")
        write_codes(folder / "masks" / f"{site}.tif", codes, root / "images_2020" / f"geojson_{site}.tif")
        table.append(
            {
                "image": str(root / "images_2020" / f"geojson_{site}.tif"),
                "mask": f"masks/{site}.tif",
                "group": group,
                "date": "2020-09-15",
            }
        )
        counts += counted_codes(codes, FOREST)
    return made(work, "forest", "mask", table, counts, classes=FOREST, bands="s2-l2a", notes=FOREST_NOTES)


def damage(data: Path, work: Path) -> MadeSet:
    """Change: bark-beetle damage between September 2019 and September 2020."""
    root = data / "bark_beetle_s2"
    classes = {"0": "no change", "1": "change"}
    table, counts = [], Counter[str]()
    for site, group in bark_beetle_sites(root).items():
        if site in MOSTLY_EMPTY:
            continue
        before, after = (root / f"images_{year}" / f"geojson_{site}.tif" for year in (2019, 2020))
        mask = root / "masks" / f"mask_{site}.tif"
        table.append(
            {
                "image": str(before),
                "after": str(after),
                "mask": str(mask),
                "group": group,
            }
        )
        counts += counted_codes(read_codes(mask), classes)
    notes = (
        *(f"site {site} is left out: {why}" for site, why in MOSTLY_EMPTY.items()),
        "composites of September 2019 and September 2020: no day is known",
        "masks miss some visible clearings of 2020",
    )
    return made(work, "damage", "change", table, counts, classes=classes, bands="s2-l2a", notes=notes)


def bark_beetle_sites(root: Path) -> dict[str, str]:
    """Sites with their groups: those within 1 km of each other, however indirectly, are one."""
    sites = [row["site_id"] for row in read_rows(root / "sites.csv")]
    groups = linked([ground_of(root / "images_2020" / f"geojson_{site}.tif") for site in sites], "sites")
    return dict(zip(sites, groups, strict=True))


# -- HLS chips ---------------------------------------------------------------------------------------------------------

WORLDCOVER = {
    "10": "tree", "20": "shrub", "30": "grass", "40": "crop", "50": "built", "60": "bare", "70": "snow", "80": "water",
    "90": "wetland", "100": "moss",
}  # fmt: skip
RARE = 5
"""Classes of fewer chips are left out: they cannot be in every part."""

LEAST_AGREEMENT = 0.5
"""IoU of the weak water mask with (Fmask water or MNDWI > 0)."""

NO_WATER = 0.005
"""Share of a chip below which both masks agree that there is hardly any water, where their IoU means nothing."""

NO_POSITIONS = "no georeference: chips of one scene may be in two clusters, and the GSD of 30 m is not stated"


def land_cover(data: Path, work: Path) -> MadeSet:
    """Several labels: the WorldCover classes that cover at least 5 % of an HLS chip."""
    root = data / "hls_water_chips"
    rows = read_rows(root / "index.csv")
    chips = Counter(code for row in rows for code in row["worldcover_classes_5pct"].split())
    kept = {code: name for code, name in WORLDCOVER.items() if chips[code] >= RARE}
    table = [
        {
            "image": str(root / "images" / f"{row['id']}.tif"),
            "labels": ";".join(code for code in row["worldcover_classes_5pct"].split() if code in kept),
            "group": row["cluster"],
        }
        for row in rows
    ]
    rare = [
        f"{WORLDCOVER[code]} is left out: in {number} of the chips only"
        for code, number in chips.items()
        if code not in kept
    ]
    counts = Counter({name: chips[code] for code, name in kept.items()})
    notes = (*rare, "a model-made map of 2020 or 2021", NO_POSITIONS)
    return made(
        work, "land_cover", "classes", table, counts, classes=kept, bands="hls-l30", notes=notes
    )  # fmt: skip


def water(data: Path, work: Path) -> MadeSet:
    """A class per pixel: water, on chips where the weak mask agrees with the spectra; cloud and shadow are ignored."""
    root, folder = data / "hls_water_chips", work / "water"
    classes = {"0": "other", "1": "water"}
    table, counts, left_out = [], Counter[str](), 0
    for row in read_rows(root / "index.csv"):
        is_dry = max(float(row["water_fraction"]), float(row["fmask_water_fraction"])) <= NO_WATER
        if float(row["water_iou_with_spectral"]) < LEAST_AGREEMENT and not is_dry:
            left_out += 1
            continue
        image = root / "images" / f"{row['id']}.tif"
        codes = read_codes(root / "water" / f"{row['id']}.tif")
        quality = read_codes(root / "fmask" / f"{row['id']}.tif")
        codes[(quality & 0b1010 > 0) | (quality == 255)] = IGNORED_CODE
        write_codes(folder / "masks" / f"{row['id']}.tif", codes, image)
        table.append({"image": str(image), "mask": f"masks/{row['id']}.tif", "group": row["cluster"]})
        counts += counted_codes(codes, classes)
    notes = (
        f"{left_out} chips are left out, as their masks disagree with the spectra (IoU below {LEAST_AGREEMENT})",
        "the masks are weak: they cover wetland and damp ground too",
        NO_POSITIONS,
    )
    return made(
        work, "water", "mask", table, counts,
        classes=classes, bands="hls-l30", ignore=IGNORED_CODE, notes=notes,
    )  # fmt: skip


# -- others ------------------------------------------------------------------------------------------------------------

TOUCHING_PATCHES = ((1, 2, 3), (27, 28), (40, 41))


def landslides(data: Path, work: Path) -> MadeSet:
    """A class per pixel: landslides."""
    root = data / "landslide4sense"
    classes = {"0": "other", "1": "landslide"}
    groups = {number: f"patches_{chain[0]}" for chain in TOUCHING_PATCHES for number in chain}
    table, counts = [], Counter[str]()
    for row in read_rows(root / "index.csv"):
        number = int(Path(row["image"]).stem.removeprefix("image_"))
        table.append(
            {
                "image": str(root / row["image"]),
                "mask": str(root / row["mask"]),
                "group": groups.get(number, f"patches_{number}"),
            }
        )
        counts += counted_codes(read_codes(root / row["mask"]), classes)
    notes = ("no georeference: patches of one mountain range may be in two groups, and the GSD of 10 m is not stated",)
    return made(work, "landslides", "mask", table, counts, classes=classes, bands="s2-l1c", notes=notes)


def oscd(data: Path, work: Path) -> MadeSet:
    """Change: urban change between two dates; a city is a group. The set's folder is opened as it is."""
    root = data / "oscd"
    counts = Counter[str]()
    cities = [row["city"] for row in read_rows(root / "cities.csv")]
    for city in cities:
        counts += counted_codes(read_codes(root / city / "cm" / f"{city}-cm.tif"), {"1": "no change", "2": "change"})
    notes = ("change maps are CC BY-NC-SA", "five of the ten cities are cropped to where most change is")
    return MadeSet("oscd", "change", str(root), len(cities), len(cities), dict(counts), notes=notes)


BLOCK = 200
DIGITAL_NUMBERS = """level = "L1"
scale = 0.002
offset = 0.0
zero_padded = false
bands_of = "landsat5-l1"
order = ["B1", "B2", "B3", "B4", "B5", "B7"]
"""
"""A sensor for numbers that state no calibration: 0.002 per count is about right for all reflective bands of TM."""


def nanjing(data: Path, work: Path) -> MadeSet:
    """Change: raw digital numbers of one scene, in blocks of 200 x 200 pixels, each a group."""
    root, folder = data / "landsat_change_jiangsu" / "nanjing", work / "nanjing"
    dates = ("2000-05-03", "2002-07-12")
    classes = {"1": "no change", "2": "change"}
    codes = read_codes(root / "nanjing_label.tif")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tm-counts.toml").write_text(DIGITAL_NUMBERS)
    table, counts, left_out = [], Counter[str](), 0
    for window in patches(codes.shape, BLOCK):
        own = codes[clipped(window, codes.shape)]
        block = f"r{window.row_off}_c{window.col_off}"
        if not own.any():
            left_out += 1
            continue
        before, after = (folder / "images" / f"{block}_{date}.tif" for date in dates)
        for date, target in zip(dates, (before, after), strict=True):
            cut(root / f"nanjing_{date}.tif", target, window, names=first_word)
        write_codes(folder / "masks" / f"{block}.tif", own, before)
        table.append(
            {
                "image": f"images/{before.name}",
                "after": f"images/{after.name}",
                "mask": f"masks/{block}.tif",
                "group": block,
                "date": dates[0],
            }
        )
        counts += counted_codes(own, classes)
    notes = (
        "no claim: one scene, neighbouring blocks in different parts, sparse labels, raw digital numbers",
        *([f"{left_out} blocks without a label are left out"] if left_out else []),
    )
    return made(
        work, "nanjing", "change", table, counts,
        classes=classes, bands=str(folder / "tm-counts.toml"), ignore=0, trust_input=True, notes=notes,
    )  # fmt: skip


# -- tables ------------------------------------------------------------------------------------------------------------


def read_rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def made(
    work: Path,
    name: str,
    target: str,
    table: Sequence[Mapping[str, str]],
    counts: Mapping[str, int],
    classes: Mapping[str, str] | None = None,
    **described: object,
) -> MadeSet:
    """Write the table of a set and its classes; returns its description."""
    path = work / name / "table.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(table[0]))
        writer.writeheader()
        writer.writerows(table)
    names = path.with_name("classes.toml")
    if classes:
        names.write_text("".join(["[classes]\n", *(f'{code} = "{name}"\n' for code, name in classes.items())]))
        described["classes"] = str(names)
    groups = len({row["group"] for row in table})
    return MadeSet(name, target, str(path), len(table), groups, dict(counts), **described)  # type: ignore[arg-type]


SETS: Mapping[str, Callable[[Path, Path], MadeSet]] = {
    made_by.__name__: made_by
    for made_by in (eurosat, eurosat_more, forest_classes, land_cover, water, forest, landslides, oscd, damage, nanjing)
}


DRAWN = {
    "eurosat_more": "eurosat_more",
    "forest_classes": "bark_beetle", "forest": "bark_beetle", "damage": "bark_beetle",
    "land_cover": "hls_water", "water": "hls_water",
}  # fmt: skip
"""The images of a set, by the name under which parts.py draws them."""


def restricted(made_set: MadeSet, part: str, parts: Path) -> MadeSet:
    """The set with only the groups of a part; its table is written anew. parts: the file that parts.py wrote. A set
    of which nothing is drawn stays as it is."""
    images = DRAWN.get(made_set.name)
    if images is None:
        return made_set
    groups = {row["group"] for row in read_rows(parts) if (row["set"], row["part"]) == (images, part)}
    table = [row for row in read_rows(Path(made_set.source)) if row["group"] in groups]
    with Path(made_set.source).open("w", newline="") as file:
        writer = csv.DictWriter(file, list(table[0]))
        writer.writeheader()
        writer.writerows(table)
    notes = (*made_set.notes, f"only the places of the part {part!r}")
    return replace(made_set, samples=len(table), groups=len({row["group"] for row in table}), counts={}, notes=notes)


def labelled_sets(data: Path, work: Path, names: Sequence[str] = tuple(SETS)) -> list[MadeSet]:
    """Make the sets of these names; existing files of theirs are replaced."""
    data, work = data.resolve(), work.resolve()
    if work == data or data in work.parents:
        raise ValueError(f"{work}: lies in the data folder, which is left as it is")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        return [SETS[name](data, work) for name in names]


def main(data: str, work: str) -> None:
    for each in labelled_sets(Path(data), Path(work)):
        print(json.dumps(asdict(each)))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(re.sub(r"\n\n.*", "", __doc__, flags=re.DOTALL) + "\n\npython benchmarks/labelled_sets.py DATA WORK")
    main(*sys.argv[1:])
