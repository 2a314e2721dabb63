"""Which images train the packaged weights: whole places, drawn by their names, and nothing near what is held back."""

import csv
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))

from cut_images import ONE_PLACE, ground_of, metres_apart  # noqa: E402
from labelled_sets import MadeSet, restricted  # noqa: E402
from parts import Labelled, drawn, labelled, to_train_on  # noqa: E402
from real_images import FAMILIES, Row  # noqa: E402


def sizes(parts: dict[str, str], groups: dict[str, int]) -> Counter[str]:
    return Counter({part: sum(groups[name] for name in parts if parts[name] == part) for part in set(parts.values())})


def test_about_the_share_is_held_back_half_of_it_for_each_purpose():
    groups = {f"place {i}": 1 + i % 3 for i in range(60)}
    parts = drawn(groups, 0.5, "set")
    assert parts.keys() == groups.keys()
    assert sizes(parts, groups)["choose"] == pytest.approx(30, abs=2)
    assert sizes(parts, groups)["report"] == pytest.approx(30, abs=2)
    assert parts == drawn(dict(reversed(groups.items())), 0.5, "set"), "in any order"
    assert parts != drawn(groups, 0.5, "another set")


def test_a_large_place_is_trained_on_where_it_would_be_too_much():
    groups = {"large": 40} | {f"place {i}": 1 for i in range(60)}
    parts = drawn(groups, 0.2, "set")
    assert parts["large"] == "train"
    assert sizes(parts, groups)["choose"] == sizes(parts, groups)["report"] == 10


def test_what_is_reported_in_any_case_counts():
    groups = {f"place {i}": 1 for i in range(40)}
    near = {"place 1", "place 7", "place 8"}
    parts = drawn(groups, 0.5, "set", near)
    assert all(parts[name] == "report" for name in near)
    assert sizes(parts, groups) == Counter(train=20, choose=10, report=10)


def row(path: Path, place: str, ground: tuple[float, float, float, float] | None) -> Row:
    return Row(FAMILIES[0], path, path, place, place, "", "", ground)


def test_nothing_near_what_is_held_back_is_trained_on(capsys):
    held, train = Path("held.tif"), Path("train.tif")
    degree = 1 / 111.32  # a kilometre
    rows = [
        row(held, "a", (10.0, 50.0, 10.1, 50.1)),
        row(train, "b", (20.0, 50.0, 20.1, 50.1)),
        row(Path("near.tif"), "c", (10.0, 50.1 + 0.9 * degree, 10.1, 50.3)),
        row(Path("far.tif"), "d", (10.0, 50.1 + 1.1 * degree, 10.1, 50.3)),
        row(Path("of its place.tif"), "a", None),
        row(Path("nowhere.tif"), "e", None),
    ]
    parts = {Labelled("s", "a", (held,)): "report", Labelled("s", "b", (train,)): "train"}
    assert [each.source.name for each in to_train_on(rows, parts)] == ["train.tif", "far.tif", "nowhere.tif"]
    assert "near.tif" in capsys.readouterr().err


def test_the_real_sets(shared):
    parts = labelled(shared / "data")
    counts = Counter((each.set, part) for each, part in parts.items())
    assert {part for each, part in parts.items() if each.set == "eurosat"} == {"report"}
    for name, share in (("eurosat_more", 1 / 2), ("bark_beetle", 1 / 2), ("hls_water", 1 / 3), ("oscd", 1 / 5)):
        total = sum(counts[name, part] for part in ("train", "choose", "report"))
        for part in ("choose", "report"):
            assert counts[name, part] == pytest.approx(share * total / 2, rel=0.25), (name, part)
    for name in ("eurosat_more", "bark_beetle"):
        grounds = {
            part: [ground_of(each.paths[0]) for each, found in parts.items() if each.set == name and found == part]
            for part in ("train", "choose", "report")
        }
        for one, other in (("train", "choose"), ("train", "report"), ("choose", "report")):
            assert min(metres_apart(a, b) for a in grounds[one] for b in grounds[other]) >= ONE_PLACE


def test_a_set_is_restricted_to_a_part(tmp_path):
    table, parts = tmp_path / "table.csv", tmp_path / "parts.csv"
    for path, rows in (
        (table, [["image", "label", "group"], ["a.tif", "x", "1"], ["b.tif", "y", "2"], ["c.tif", "x", "1"]]),
        (
            parts,
            [
                ["set", "group", "part", "path"],
                ["eurosat_more", "1", "choose", "a"],
                ["eurosat_more", "2", "train", "b"],
            ],
        ),
    ):
        with path.open("w", newline="") as file:
            csv.writer(file).writerows(rows)
    made = MadeSet("eurosat_more", "class", str(table), 3, 2, {"x": 2, "y": 1})
    found = restricted(made, "choose", parts)
    assert (found.samples, found.groups) == (2, 1)
    assert [each["image"] for each in csv.DictReader(table.read_text().splitlines())] == ["a.tif", "c.tif"]
    other = MadeSet("landslides", "mask", str(table), 3, 2, {})
    assert restricted(other, "choose", parts) == other
