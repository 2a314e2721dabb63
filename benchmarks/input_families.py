"""What opening and the input check say of every raster below a folder, per family, before and after a change.

DATA is a folder as benchmarks/real_images.py describes it. Run once with an earlier version and once with this one:

    PYTHONPATH=EARLIER/src python benchmarks/input_families.py DATA --json before.json
    python benchmarks/input_families.py DATA --json after.json --before before.json > docs/results/input_families.md
"""

import argparse
import json
import re
import tempfile
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from rasterio.errors import NotGeoreferencedWarning
from real_images import FAMILIES, images_of, left_out

from spectralgpt.checks import check
from spectralgpt.errors import InputError
from spectralgpt.products import open_raster

OUTCOMES = ("refused", "flagged", "noted", "opened")
"""From worst to best; flagged ones may have notes, too."""

NO_IMAGE = re.compile(
    r"mask|label|_gt|/gt/|-cm\.|LULC|SCL_|QA_PIXEL|/water/|/worldcover/|/fmask/|(?-i:/WORLDCEREAL_)|tree_cover|Reference_Map|"
    r"terrain",
    re.IGNORECASE,
)
"""Names of masks, labels and other maps that are no image."""

SUFFIXES = (".tif", ".tiff", ".jp2", ".img", ".dat")

Outcome = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--json", type=Path, help="write the outcome of each file")
    parser.add_argument("--before", type=Path, help="outcomes of an earlier version, to compare with")
    given = parser.parse_args()
    warnings.simplefilter("ignore", NotGeoreferencedWarning)
    with tempfile.TemporaryDirectory() as folder:
        after = outcomes(given.data.resolve(), Path(folder))
    if given.json:
        given.json.write_text(json.dumps(after, indent=1) + "\n")
    if given.before:
        print(report(json.loads(given.before.read_text()), after))


def outcomes(data: Path, folder: Path) -> dict[str, Outcome]:
    """The outcome of each image of the families, read as they say, and of every other raster, read as it is."""
    found: dict[str, Outcome] = {}
    seen: set[Path] = set()
    for family in FAMILIES:
        seen |= {path for pattern in family.files for path in data.glob(pattern)}
        for original, path, bands in images_of(family, data, folder):
            found[f"{family.name}: {original.relative_to(data).as_posix()}"] = {"family": family.name} | outcome(
                path, bands
            )
    seen -= left_out(data)
    for path, family_name in others(data, seen):
        found[path.relative_to(data).as_posix()] = {"family": family_name} | outcome(path, None)
    return found


def others(data: Path, seen: set[Path]) -> Iterator[tuple[Path, str]]:
    """Every other raster and its family: its folder, or the words of its name."""
    for path in sorted(data.rglob("*")):
        if path.suffix.lower() not in SUFFIXES or path in seen or seen & set(path.parents):
            continue
        relative = path.relative_to(data)
        if NO_IMAGE.search(relative.as_posix()):
            yield path, f"masks and labels: {relative.parts[0]}"
        else:
            deep = len(relative.parts) > 2
            yield path, "/".join(relative.parts[:2]) if deep else f"{relative.parts[0]}/{first_words(path.stem)}"


def first_words(stem: str) -> str:
    """The parts of a name up to the first with a digit."""
    words = re.split(r"[_-]", stem)
    return "_".join(words[: next((at for at, word in enumerate(words) if re.search(r"\d{2}", word)), len(words))])


def outcome(path: Path, bands: str | None) -> Outcome:
    """outcome: one of OUTCOMES. kinds: of flags. said: the message, flags and notes. valid: share of pixels, or None
    where the image is refused."""
    try:
        with open_raster(path, bands=bands) as raster:
            verdict = check(raster)
    except InputError as error:
        return {"outcome": "refused", "kinds": [], "said": [str(error)], "valid": None}
    kinds = [flag.kind for flag in verdict.flags]
    state = "flagged" if kinds else "noted" if verdict.warnings else "opened"
    return {"outcome": state, "kinds": kinds, "said": list(verdict.warnings), "valid": verdict.valid}


def report(before: dict[str, Outcome], after: dict[str, Outcome]) -> str:
    """The table of families, and what got worse."""
    families: dict[str, list[str]] = defaultdict(list)
    for name, each in after.items():
        families[each["family"]].append(name)
    lines = [
        "# What is refused, flagged, noted and opened, per family",
        "",
        "Counts before > after, where they differ. valid: mean share of valid pixels of images that are not refused.",
        "",
        "| family | files | refused | flagged | noted | opened | valid |",
        "|---|---|---|---|---|---|---|",
    ]
    for family, names in families.items():
        lines.append(f"| {family} | {len(names)} | {' | '.join(columns(before, after, names))} |")
    lines += ["", "Refused or flagged, and not or for another reason before:", "", *worse(before, after)]
    lines += ["", "Noted, and not before (the first image of each family):", "", *noted(before, after, families)]
    return "\n".join(lines)


def columns(before: dict[str, Outcome], after: dict[str, Outcome], names: list[str]) -> list[str]:
    counts = [Counter(each[name]["outcome"] for name in names) for each in (before, after)]
    cells = [changed(str(counts[0][state]), str(counts[1][state])) for state in OUTCOMES]
    both = [name for name in names if before[name]["valid"] is not None and after[name]["valid"] is not None]
    valid = [f"{np.mean([each[name]['valid'] for name in both]):.4f}" if both else "" for each in (before, after)]
    return [*cells, changed(*valid)]


def changed(before: str, after: str) -> str:
    return after if before == after else f"{before} > {after}"


def noted(before: dict[str, Outcome], after: dict[str, Outcome], families: dict[str, list[str]]) -> list[str]:
    lines = []
    for family, names in families.items():
        new = [name for name in names if after[name]["outcome"] == "noted" != before[name]["outcome"]]
        if new:
            lines.append(
                f"- {family}, {len(new)} images: `{new[0].split(': ')[-1]}`: {short(after[new[0]]['said'][-1])}"
            )
    return lines


def short(said: str) -> str:
    """A message without the path that it begins with."""
    return said.replace("\n", " ").split(": ", 1)[-1][:250]


def worse(before: dict[str, Outcome], after: dict[str, Outcome]) -> list[str]:
    """A line per file that is refused or flagged and was not, or is flagged of another kind."""
    lines = []
    for name, now in after.items():
        was = before[name]
        if now["outcome"] == "refused" != was["outcome"] or set(now["kinds"]) - set(was["kinds"]):
            what = ", ".join(now["kinds"]) or "refused"
            lines.append(f"- `{name}`, {was['outcome']} before: {what}: {short(now['said'][-1])}")
    return lines


if __name__ == "__main__":
    main()
