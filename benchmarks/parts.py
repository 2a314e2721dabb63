"""Which real images the packaged weights are trained on, and which are held back, by place.

python benchmarks/parts.py DATA WORK
    DATA: a folder of real images, as for real_pretraining.py. Writes tables of the images to train on into WORK/train,
    and of those to choose by into WORK/choose, for `spectralgpt shard WORK/train/*.csv`; and WORK/parts.csv: every
    labelled image with its part.

Half of what is held back serves to choose among ways to train, the other half is reported on, once. EuroSAT's 120
images are only reported on. A place is held back whole (EuroSAT: all within 10 km), and nothing within 1 km of it is
trained on.
"""

import argparse
import csv
import hashlib
import sys
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cut_images import ONE_PLACE, Ground, metres_apart
from labelled_sets import bark_beetle_sites, eurosat_places, read_rows
from real_images import Row, rows_of_all, write_tables

Part = Literal["train", "choose", "report"]

SALT = "packaged weights"
"""Places are drawn by a hash of their name and this, so that no one chose them."""


@dataclass(frozen=True)
class Labelled:
    """A labelled image: its set, the group that is held back whole, and what is opened of it."""

    set: str
    group: str
    paths: tuple[Path, ...]


def drawn(groups: Mapping[str, int], share: float, salt: str, reported: Collection[str] = ()) -> dict[str, Part]:
    """A part for each group. groups: with their numbers of images; share: of the images to be held back, evenly to
    choose by and to report on. reported: groups that are reported on in any case, and count.

    A group with more images than are still to be held back is trained on.
    """
    each_part = share * sum(groups.values()) / 2
    room = {"choose": each_part, "report": each_part - sum(groups[name] for name in reported)}
    parts: dict[str, Part] = dict.fromkeys(reported, "report")
    order = sorted(groups, key=lambda name: hashlib.sha256(f"{SALT}, {salt}: {name}".encode()).digest())
    for name in order:
        if name in parts:
            continue
        part: Part = "choose" if room["choose"] >= room["report"] else "report"
        if groups[name] > room[part]:
            parts[name] = "train"
            continue
        parts[name] = part
        room[part] -= groups[name]
    return parts


def labelled(data: Path) -> dict[Labelled, Part]:
    """The labelled images of the sets that are held back in part, each with its part."""
    every = eurosat(data)
    more = [each for each in every if each.set == "eurosat_more"]
    # EuroSAT's 120 images are reported on, with all that lies near them
    near = {each.group for each in every if each.set == "eurosat"} & {each.group for each in more}
    parts: dict[Labelled, Part] = dict.fromkeys((each for each in every if each.set == "eurosat"), "report")
    shares = ((more, 1 / 2, near), (bark_beetle(data), 1 / 2, ()), (oscd(data), 2 / 10, ()), (hls(data), 1 / 3, ()))
    for images, share, reported in shares:
        of_groups = drawn(Counter(each.group for each in images), share, images[0].set, reported)
        parts |= {each: of_groups[each.group] for each in images}
    return parts


def eurosat(data: Path) -> list[Labelled]:
    return [Labelled(path.relative_to(data).parts[0].removesuffix("_ms"), place, (path,))
            for path, place in eurosat_places(data).items()]  # fmt: skip


def bark_beetle(data: Path) -> list[Labelled]:
    root = data / "bark_beetle_s2"
    return [
        Labelled("bark_beetle", group, tuple(sorted(root.glob(f"images_20*/geojson_{site}.tif"))))
        for site, group in bark_beetle_sites(root).items()
    ]


def oscd(data: Path) -> list[Labelled]:
    root = data / "oscd"
    return [
        Labelled("oscd", row["city"], (root / row["city"] / "imgs_1", root / row["city"] / "imgs_2"))
        for row in read_rows(root / "cities.csv")
    ]


def hls(data: Path) -> list[Labelled]:
    root = data / "hls_water_chips"
    return [
        Labelled("hls_water", row["cluster"], (root / "images" / f"{row['id']}.tif",))
        for row in read_rows(root / "index.csv")
    ]


def to_train_on(rows: Sequence[Row], parts: Mapping[Labelled, Part]) -> list[Row]:
    """The rows that are not held back, nor near what is; those near are listed on standard error."""
    held = {path for each, part in parts.items() if part != "train" for path in each.paths}
    grounds: list[Ground] = [row.ground for row in rows if row.source in held and row.ground is not None]
    # a place of several images, or one stated to be the same, goes whole
    places = {row.place for row in rows if row.source in held}
    kept = []
    for row in rows:
        if row.source in held:
            continue
        near = row.place in places or (
            row.ground is not None and any(metres_apart(row.ground, other) < ONE_PLACE for other in grounds)
        )
        if near:
            print(f"left out, near what is held back: {row.source}", file=sys.stderr)
        else:
            kept.append(row)
    return kept


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("work", type=Path)
    given = parser.parse_args()
    data = given.data.resolve()
    parts = labelled(data)
    rows = rows_of_all(data, given.work / "train")
    write_tables(to_train_on(rows, parts), data, given.work / "train")
    chosen = {path for each, part in parts.items() if part == "choose" for path in each.paths}
    write_tables([row for row in rows if row.source in chosen], data, given.work / "choose")
    with (given.work / "parts.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["set", "group", "part", "path"])
        writer.writerows(
            [each.set, each.group, part, path.relative_to(data)] for each, part in parts.items() for path in each.paths
        )
    for (name, part), count in sorted(Counter((each.set, part) for each, part in parts.items()).items()):
        print(f"{name}, {part}: {count}")


if __name__ == "__main__":
    main()
