"""The tables of real images hold all that may be trained on; the baselines are fair and strong; both commands run."""

import argparse
import csv
import itertools
import json
import sys
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from made_rasters import NAMES, land, write

from spectralgpt.bands import BandSet, sensor
from spectralgpt.data.shards import open_shards
from spectralgpt.nn import BandStatistics, ModelConfig, Normalization, Size
from spectralgpt.verbs.shard import shard
from spectralgpt.weights import SpectralGPT

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))

from interpolation import FITTED, GRID, Corrected, Scene, Weighted, estimated, fitted, spread  # noqa: E402
from real_images import FAMILIES, LEFT_OUT, Family, Row, apart, with_true_places  # noqa: E402
from real_pretraining import METHODS, Errors, drawn, evaluate, masked_batches, rebuilt  # noqa: E402

LENGTHS = (490.0, 560.0, 665.0, 842.0)
WAYS = [Weighted(power=3.0, reach=0.1, spatial=1.0, temporal=1.0), Corrected(power=3.0, bands=0.5, dates=0.5)]


def made_scene(values: torch.Tensor, hidden: torch.Tensor | None = None, patch: int = 1) -> Scene:
    """Half is hidden, unless it is given what to hide."""
    if hidden is None:
        hidden = torch.rand(values.shape, generator=torch.Generator().manual_seed(1)) < 0.5
    return Scene(values, ~hidden, hidden, LENGTHS[: values.shape[2]], patch)


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def error(scene: Scene, way: Weighted | Corrected) -> float:
    found = way.of(estimated(scene, way.power, scene.hidden))
    return float((found - scene.values[scene.hidden]).square().mean())


# -- interpolation -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
def test_interpolation_never_looks_at_what_is_hidden(way):
    scene = made_scene(noise(2, 2, 4, 16, 24))
    junked = replace(scene, values=torch.where(scene.hidden, 1e9, scene.values))
    found, again = (way.of(estimated(each, 3.0, scene.hidden)) for each in (scene, junked))
    assert torch.equal(found, again)
    assert found.isfinite().all()


def test_each_estimate_is_exact_where_it_must_be():
    shape = (1, 2, 4, 16, 16)
    a_band, a_date = (torch.zeros(shape, dtype=torch.bool) for _ in range(2))
    a_band[:, :, 1], a_date[:, 1] = True, True
    linear = torch.tensor(LENGTHS).log()[:, None, None].expand(shape)
    assert error(made_scene(3 * linear - 7, a_band), Weighted(3.0, 0.1, 0.0, 0.0)) < 1e-9
    assert error(made_scene(3 * linear - 7, a_band), Corrected(3.0, 0.0, 0.0)) < 1e-9
    of_dates = noise(1, 1, 4, 16, 16).expand(shape)
    assert error(made_scene(of_dates, a_date), WAYS[0]) < 1e-9
    flat = noise(1, 2, 4, 1, 1).expand(shape)
    assert error(made_scene(flat), Weighted(3.0, 1e9, 1.0, 0.0)) < 1e-9
    assert error(made_scene(flat), Corrected(3.0, 0.8, 0.8)) < 1e-9


@pytest.mark.parametrize("patch", [1, 3])
def test_spatial_weights_are_of_distance(patch):
    """Against the sums written out, at each pixel; with and without its own patch."""
    scene = made_scene(noise(1, 1, 1, 9, 6))
    seen, values = scene.seen[0, 0, 0], scene.values[0, 0, 0]
    spatial, density, as_hidden = (
        each[0, 0, 0] for each in spread(torch.where(scene.seen, scene.values, 0.0), scene.seen, 3.0, patch)
    )
    rows, columns = torch.nonzero(seen).T
    for row, column in itertools.product(range(9), range(6)):
        weights = (1 + (rows - row) ** 2 + (columns - column) ** 2) ** -1.5
        assert density[row, column] == pytest.approx(float(weights.sum()), rel=1e-5)
        assert spatial[row, column] == pytest.approx(float((weights * values[seen]).sum() / weights.sum()), abs=1e-5)
        weights = weights * ((rows // patch != row // patch) | (columns // patch != column // patch))
        assert as_hidden[row, column] == pytest.approx(float((weights * values[seen]).sum() / weights.sum()), abs=1e-5)


@pytest.mark.parametrize("way", WAYS)
def test_nothing_seen_is_the_mean_of_all(way):
    nothing = made_scene(noise(1, 1, 4, 8, 8), torch.ones(1, 1, 4, 8, 8, dtype=torch.bool))
    assert not way.of(estimated(nothing, 3.0, nothing.hidden)).any()


def test_constants_are_fitted_to_what_tells():
    """Where dates are alike and bands are not, dates tell most; bands where these share their detail."""
    of_dates = made_scene(noise(1, 1, 4, 8, 8).expand(1, 2, 4, 8, 8))
    assert of_dates.hidden.sum() < FITTED, "all values are fitted to"
    found = fitted([of_dates], seed=0)
    assert found["interpolation"][0].temporal == max(GRID["temporal"])
    assert found["corrected"][0].dates > found["corrected"][0].bands
    for way, least in found.values():
        assert error(of_dates, way) == pytest.approx(least)
    of_bands = made_scene(noise(1, 1, 1, 32, 32) + torch.arange(4.0)[:, None, None])
    assert fitted([of_bands], seed=0)["corrected"][0].bands > 0.5


# -- errors ------------------------------------------------------------------------------------------------------------


def test_ratios_and_their_intervals():
    count = 200
    squares = np.random.default_rng(0).gamma(2, size=count)
    ones = np.full(count, 1)
    others = dict.fromkeys(("sample_mean", "interpolation", "corrected"), squares)
    errors = Errors({"model": squares / 2, "mean": squares, **others}, ones, np.arange(count) // 4, np.full(count, "s"))
    summary = errors.summary(0)
    assert summary["places"] == 50
    assert summary["errors"]["mean"] == pytest.approx(squares.mean())
    low, high = summary["ratios"]["mean"]["interval"]
    assert low == pytest.approx(0.5) == high
    noisy = replace(errors, squares={**errors.squares, "model": np.random.default_rng(1).gamma(2, size=count) / 2})
    low, high = noisy.summary(0)["ratios"]["mean"]["interval"]
    assert low < noisy.summary(0)["ratios"]["mean"]["ratio"] < high
    assert 0.1 < high - low < 0.4
    assert errors.of(errors.places == 3).summary(0)["ratios"]["mean"]["interval"] is None


# -- evaluation --------------------------------------------------------------------------------------------------------


def small_model() -> SpectralGPT:
    bands = sensor("s2-l2a").bands
    torch.manual_seed(0)
    normalization = Normalization("standard", tuple(BandStatistics(band, 2.5, 0.5) for band in bands))
    return SpectralGPT(ModelConfig(Size(32, 2, 2, 48, 1, 3), BandSet.native(bands), image=16), normalization).eval()


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> argparse.Namespace:
    """Shards of 8 places (4 chips of each of 2 images, or of their stack), weights, and what is asked."""
    folder = tmp_path_factory.mktemp("made")
    bands = [name for name in NAMES if name != "B10"]
    with (folder / "table.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["path", "place", "date", "bands"])
        for number in range(16):
            path = write(folder / f"{number}.tif", land(40, 33, number, 12), names=bands, nodata=0)
            table.writerow([path, number // 2, f"2020-0{1 + number % 2}-01" if number >= 8 else "", "s2-l2a"])
    shard(folder / "table.csv", out=folder / "shards", chip=32, workers=1)
    small_model().save_pretrained(folder / "weights")
    asked = {"shards": folder / "shards", "weights": folder / "weights", "picture": folder / "picture.png"}
    return argparse.Namespace(**asked, held_back=0.5, image=16, dates=2, samples=12, seeds=2, ratio=[0.75])


def test_evaluation(made):
    result = evaluate(made)
    assert json.loads(json.dumps(result)) == result
    assert [case["seed"] for case in result["cases"]] == [0, 1]
    for case in result["cases"]:
        assert case["errors"].keys() == {"model", *METHODS}
        assert case["errors"]["interpolation"] < case["errors"]["mean"] / 2
        assert case["samples"] == 12
        assert case["sensors"].keys() == {"s2-l2a"}
    assert result["cases"][0]["errors"] != result["cases"][1]["errors"]
    assert made.picture.stat().st_size > 0


def test_only_held_back_places_and_the_error_of_the_loss(made):
    shards, model = open_shards(made.shards), small_model()
    places = [
        {place for layout, rows in drawn(shards, 0.5, held, 99, 0).items() for place in shards.places(layout)[rows]}
        for held in (True, False)
    ]
    assert all(places)
    assert not places[0] & places[1]
    for masked in masked_batches(shards, drawn(shards, 0.5, True, 4, 0), model, made, 0.75, 0):
        with torch.no_grad():
            loss = model.losses(masked.cube, masked.mask, model(masked.cube, masked.mask))["token"]
        found = (rebuilt(model, masked)[masked.scene.hidden] - masked.truth).square()
        assert len(found) == int(loss.count)
        assert float(found.mean()) == pytest.approx(float(loss.mean), rel=1e-5)
        assert not (masked.scene.seen & masked.scene.hidden).any()


# -- tables ------------------------------------------------------------------------------------------------------------


def made_row(place: str, ground=None, stack: bool = False, family: str = "f") -> Row:
    return Row(Family(family, (), "", stack=stack), Path(place), Path(place), place, place, "", "", ground)


def test_places_that_touch_are_one():
    grounds = {"d": (0, 0, 1, 1), "b": (1.005, 0, 2, 1), "a": (2, 1, 3, 2), "c": (3.02, 0, 4, 1), "e": None}
    rows = [made_row(name, ground) for name, ground in grounds.items()]
    found = {row.series: row.place for row in with_true_places(rows, [("e", "c", "not here")])}
    assert found == {"d": "a", "b": "a", "a": "a", "c": "c", "e": "c"}


def test_series_of_one_place_are_in_tables_of_their_own():
    rows = [replace(made_row(name, stack=True), place=place) for name, place in zip("aabbcc", "xxxxyy", strict=True)]
    tables = apart(rows)
    assert [[row.series for row in table] for table in tables] == [["a", "a", "c", "c"], ["b", "b"]]
    assert len(apart([replace(row, family=made_row("x").family) for row in rows])) == 1


def test_all_that_can_be_read_is_trained_on_or_left_out_for_a_reason(shared, root):
    """By the table of what every file of the real data is."""
    data = shared / "data"
    families = tomllib.loads((root / "tests" / "products" / "shared_images.toml").read_text())["family"]
    # what is read in the wrong way only, on purpose
    wrong = {"landsat_more/mendoza_oli8/mendoza_oli8_DN_2016-02-09.tif"}
    readable = {
        path
        for family in families
        if any("refused" not in read for read in family.get("read", ())) and not wrong & set(family["files"])
        for pattern in family["files"]
        for path in data.glob(pattern)
    }
    left_out = {path for pattern in LEFT_OUT for path in data.glob(pattern)}
    used = [{path for pattern in family.files for path in data.glob(pattern)} for family in FAMILIES]
    assert set().union(*used, left_out) == readable | set(data.glob("landcover/hls_cdl_chip_instageo/chip_178_022.tif"))
    assert not any(one & other for one, other in itertools.combinations(used, 2))
