"""Probes with fewer bands, other pixel sizes and fewer labels: images, draws, right answers, table and picture."""

import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))

import matplotlib.image  # noqa: E402
from fewer import BANDS, METHODS, VARIANTS, coarser, finer, of_bands, of_folds, of_parts, right, with_shots  # noqa: E402
from fewer_shown import KINDS, MODEL, draw, table  # noqa: E402
from place_intervals import compared  # noqa: E402

import spectralgpt  # noqa: E402
from spectralgpt.evaluation import Targets  # noqa: E402


def image(side: int = 8):
    values = np.random.default_rng(side).integers(1, 4000, (13, side, side)).astype(np.uint16)
    return spectralgpt.as_pixels(values, bands="eurosat", gsd=10, trust_input=True)


@pytest.mark.parametrize(("name", "count"), [("12", 12), ("10", 10), ("6", 6), ("RGB-NIR", 4), ("RGB", 3)])
def test_bands_keep_their_own_values(name, count):
    whole = image()
    found = of_bands(whole, BANDS[name])
    assert found.shape[1] == count == len(found.bands) == len(found.scale)
    names = [band.name for band in whole.bands]
    for at, band in enumerate(found.bands):
        assert np.array_equal(found.values[0, at], whole.values[0, names.index(band.name)])


def test_twice_the_pixel_size_is_the_mean_and_half_of_it_keeps_the_mean():
    whole = of_bands(image(), BANDS["12"])
    twice, half = coarser(whole), finer(whole)
    assert twice.shape[2:] == (4, 4)
    assert np.allclose(twice.values[0, 2, 1, 3], whole.values[0, 2, 2:4, 6:8].mean())
    assert half.shape[2:] == (16, 16)
    assert np.allclose(half.values[0, 0, 0, 0], whole.values[0, 0, 0, 0]), "no pixel beyond the edge"
    assert (twice.gsd, whole.gsd, half.gsd) == (20.0, 10.0, 5.0)
    assert [each.grid.shape for each in (twice, half)] == [(4, 4), (16, 16)]
    assert abs(twice.grid.transform.a) == 4 * abs(half.grid.transform.a)


def test_every_variant_of_bands_is_at_the_size_of_the_file_and_of_sizes_has_all_bands():
    for name, changed in VARIANTS.items():
        found = changed(image())
        assert (found.gsd == 10) == (name in BANDS)
        assert found.shape[1] == len(BANDS.get(name, BANDS["12"]))


def targets_of(classes: int, each: int) -> Targets:
    return Targets.of_indices(np.repeat(np.arange(classes), each), classes)


def test_folds_judge_every_image_once_per_repeat_and_never_a_place_that_is_fitted():
    targets = targets_of(3, 10)
    ids = np.arange(30) // 2
    draws = list(of_folds(ids, targets.truth, 5, 3))
    for repeat in range(3):
        judged = np.concatenate([each.test for each in draws if each.repeat == repeat])
        assert sorted(judged.tolist()) == list(range(30))
    assert all(not set(ids[each.train]) & set(ids[each.test]) for each in draws)
    assert any((one.test != other.test).any() for one, other in zip(draws[:5], draws[5:10], strict=True))


def test_few_labels_are_as_many_of_each_class_and_lie_in_more():
    targets = targets_of(4, 20)
    judged = np.arange(80) % 4 == 0
    few = list(with_shots(of_parts(judged, 3), targets.truth, 5))
    more = list(with_shots(of_parts(judged, 3), targets.truth, 10))
    for each, other in zip(few, more, strict=True):
        assert targets.truth[each.train].sum(axis=0).tolist() == [5] * 4
        assert set(each.train) < set(other.train)
        assert not judged[other.train].any()
        assert judged[other.test].all()
    assert set(few[0].train) != set(few[1].train)


@pytest.mark.parametrize("kind", [MODEL, "handmade_trees"])
def test_the_share_of_right_answers_of_what_can_be_told_and_of_noise(kind):
    targets = targets_of(3, 12)
    ids = np.arange(36)
    random = np.random.default_rng(0)
    answered = (targets.truth + random.normal(0, 0.05, (36, 3))).astype(np.float32)
    noise = random.normal(size=(36, 3)).astype(np.float32)
    draws = list(of_folds(ids, targets.truth, 3, 1))
    assert right(answered, targets, ids, draws, METHODS[kind]).mean() > 0.95
    assert right(noise, targets, ids, draws, METHODS[kind]).mean() < 0.7


def test_what_is_never_judged_has_no_share():
    targets = targets_of(2, 8)
    judged = np.arange(16) % 2 == 0
    draws = list(of_parts(judged, 2))
    found = right(targets.truth.astype(np.float32), targets, np.arange(16), draws, METHODS[MODEL])
    assert np.isnan(found).tolist() == (~judged).tolist()


def result() -> dict:
    random = np.random.default_rng(2)
    places = [f"place {number // 2}" for number in range(40)]

    def point() -> dict:
        return compared({kind: random.random(40).tolist() for kind in KINDS}, places, MODEL, by_place=False)

    curves = {
        sweep: {varied: point() for varied in members}
        for sweep, members in (("bands", ("12", "RGB")), ("pixel size", ("20 m", "10 m", "5 m")), ("labels", ("5",)))
    }
    return {
        "command": "python benchmarks/fewer.py",
        "weights": {"text": "some."},
        "settings": {"repeats": 2},
        "sets": {"eurosat": {"images": 40, "places": 20, "curves": curves}},
    }


def test_the_table_has_a_row_per_point_with_the_best_in_bold(tmp_path):
    found = result()
    rows = [line for line in table(found).splitlines() if line.startswith(("| bands", "| pixel", "| labels"))]
    assert len(rows) == 6
    assert all(row.count("**") == 2 for row in rows)
    draw(tmp_path / "fewer.png", found)
    picture = matplotlib.image.imread(tmp_path / "fewer.png")
    assert picture[..., :3].std() > 0.05
