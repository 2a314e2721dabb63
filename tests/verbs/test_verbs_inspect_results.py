"""What `inspect` says of our own results: reconstructions, valid shares, and the image that they were made from."""

import json

import numpy as np
import pytest
import rasterio
from made_rasters import NAMES, land, write

from spectralgpt import inspect, open_raster
from spectralgpt.errors import RasterError
from spectralgpt.raster.tags import INPUT_TAG
from spectralgpt.verbs import _inspected_map
from spectralgpt.verbs.inspect import InspectedImage
from spectralgpt.version import RULES

OPEN = ("B02", "B03", "B04", "B08", "B11", "B12")


def run(spectralgpt, *arguments):
    ended = spectralgpt(*arguments)
    assert ended.code == 0, ended.err
    return ended


def rebuilt(spectralgpt, weights, source, target, *options):
    return run(spectralgpt, "reconstruct", source, target, "--weights", weights, "--json", *options)


# reconstructions say that they are ones


@pytest.mark.parametrize("hide", ["0.5", "B11,B12", "2020-05-01"])
def test_a_reconstruction_says_that_it_is_one(scene, weights, tmp_path, spectralgpt, hide):
    second = write(tmp_path / "again_2020-06-01.tif", land(200, 136, 3), names=NAMES, nodata=0.0)
    target = tmp_path / "rebuilt.tif"
    made = run(
        spectralgpt, "reconstruct", scene, second, target, "--weights", weights, "--hide", hide, "--seed", 5, "--json"
    )
    found = run(spectralgpt, "inspect", target, "--json").json["rebuilt"]
    assert (found["weights"], found["rules"]) == (made.json["fingerprint"], RULES)
    assert found["hidden"] == f"{hide}, seed 5"
    text = run(spectralgpt, "inspect", target).out
    assert f"result     a reconstruction: what was hidden ({hide}, seed 5) is predicted" in text
    assert f"weights    {made.json['fingerprint']}\n" in text
    assert text.count("a reconstruction") == 1
    with open_raster(target) as raster:
        assert f"what was hidden ({hide}, seed 5) is predicted by the weights" in raster.warnings[0]
    # a result of a reconstruction says so, too
    again = run(spectralgpt, "embed", target, tmp_path / "e.tif", "--weights", weights)
    assert "warning: " in again.err
    assert any("is a reconstruction" in each for each in inspect(tmp_path / "e.tif").input)


def test_other_images_are_no_reconstructions(scene, tmp_path):
    found = inspect(scene)
    assert isinstance(found, InspectedImage)
    assert found.rebuilt is None
    assert "reconstruction" not in str(found)


@pytest.mark.parametrize(
    ("names", "options", "other"),
    [
        (OPEN, (), "s2-l1c"),
        (("B2", "B3", "B4", "B5", "B6", "B7", "B8A", "B11"), (), "s2-l1c"),
        (OPEN, ("--bands", "s2-l1c"), ""),
        (NAMES, (), ""),
    ],
)
def test_an_open_level_stays_open(weights, tmp_path, spectralgpt, names, options, other):
    source = write(tmp_path / "a.tif", land(40, 40, 2, len(names)), names=names)
    target, again = tmp_path / "r.tif", tmp_path / "rr.tif"
    rebuilt(spectralgpt, weights, source, target, *options)
    for path in (target, again):
        found = inspect(path)
        assert found.open_level == other
        assert any("level was open" in note for note in found.notes) == bool(other)
        rebuilt(spectralgpt, weights, target, again)
    assert inspect(target, bands="s2-l1c" if other else None).open_level == ""
    run(spectralgpt, "embed", source, tmp_path / "e.tif", "--weights", weights, *options)
    found = inspect(tmp_path / "e.tif")
    assert found.open_level == other
    assert (f"({other} is possible" in str(found)) == bool(other)


@pytest.mark.parametrize("how", ["convention", "scale", "floats"])
def test_a_convention_does_not_become_a_declaration(weights, tmp_path, spectralgpt, how):
    values = land(40, 40)
    declared = {"scales": [1e-4] * 13, "offsets": [0.0] * 13} if how == "scale" else {}
    source = write(tmp_path / "a.tif", values / np.float32(1e4) if how == "floats" else values, names=NAMES, **declared)
    rebuilt(spectralgpt, weights, source, tmp_path / "r.tif")
    with open_raster(source) as before, open_raster(tmp_path / "r.tif") as after:
        (one,), (other,) = before.facts, after.facts
        assert ("by the convention of" in other) == ("by the convention of" in one) == (how == "convention")


@pytest.mark.parametrize("fault", ["percent", "tenfold", "offset"])
def test_what_was_suspected_of_the_input_is_said(weights, tmp_path, spectralgpt, fault):
    values = land(64, 64)
    values = {"percent": values / np.float32(100), "tenfold": values * 10.0, "offset": values + 1000}[fault]
    kept = values.astype(np.uint16) if fault == "offset" else values.astype(np.float32)
    source = write(tmp_path / "a.tif", kept, names=NAMES)
    before = [flag.text for flag in inspect(source).flags]
    if fault != "offset":
        assert before
    rebuilt(spectralgpt, weights, source, tmp_path / "r.tif", "--trust-input")
    found = inspect(tmp_path / "r.tif")
    assert [f"{source}: {text}" for text in before] == list(
        found.rebuilt.input[len(found.rebuilt.input) - len(before) :]
    )


# one statement per line


@pytest.mark.parametrize("separator", ["\n", "; "])
@pytest.mark.parametrize("verb", ["embed", "reconstruct"])
def test_one_statement_about_the_input_per_line(tmp_path, verb, separator):
    facts = ("scale 0.0001 and offset 0 by the convention of s2-l1c", "a.tif: found fill", "a.tif: found one more")
    tags = {
        "SPECTRALGPT_WEIGHTS": "ab" * 32,
        "SPECTRALGPT_PARAMETERS": json.dumps({"verb": verb}),
        INPUT_TAG: separator.join(("valid pixels found", *facts)),
    }
    path = write(tmp_path / "a.tif", land(20, 20), names=NAMES, tags=tags)
    found = inspect(path)
    assert (found.input if verb == "embed" else found.rebuilt.input) == facts
    assert [line for line in str(found).splitlines() if line.startswith("input ")] == [
        f"input      {each}" for each in facts
    ]


def test_of_many_statements_the_first_are_shown(tmp_path):
    tags = {
        "SPECTRALGPT_WEIGHTS": "ab" * 32,
        "SPECTRALGPT_PARAMETERS": json.dumps({"verb": "embed"}),
        INPUT_TAG: "\n".join(f"fact {number}" for number in range(30)),
    }
    found = inspect(write(tmp_path / "a.tif", land(20, 20), names=NAMES, tags=tags))
    assert len(found.input) == 30
    lines = [line for line in str(found).splitlines() if line.startswith("input ")]
    assert lines[-1] == "input      and 18 more like these"


@pytest.mark.parametrize("factor", [100, 1000, 6.5535])
def test_other_units_are_not_called_means(tmp_path, factor):
    """Fractions of percent come from the unit, and not from means of several images."""
    source = write(tmp_path / "a.tif", (land(64, 64) * 1e-4 * factor).astype(np.float32), names=NAMES)
    found = inspect(source)
    if any(flag.kind == "units" for flag in found.flags):
        assert not any("means or medians" in note for note in found.notes)
    else:
        assert factor == 1000
    means = write(tmp_path / "m.tif", (land(64, 64) + 0.37).astype(np.float32), names=NAMES)
    assert any("means or medians" in note for note in inspect(means).notes)


@pytest.mark.parametrize(
    ("names", "line"),
    [
        ([f"{band}_{n}" for n in (1, 2, 3) for band in OPEN], "dates      3, days unknown"),
        ([f"{band}_{n}" for band in OPEN for n in (0, 1)], "dates      2, days unknown"),
        ([f"{band}_2020050{n}" for band in OPEN for n in (1, 4)], "dates      2, 2020-05-01 to 2020-05-04"),
        ([f"{band}_20200501" for band in OPEN], "date       2020-05-01"),
        (OPEN, "date       unknown"),
    ],
)
def test_dates_in_words(weights, tmp_path, spectralgpt, names, line):
    source = write(tmp_path / "a.tif", land(40, 40, 2, len(names)), names=names)
    options = ("--bands", "s2-l2a", "--weights", weights)
    run(spectralgpt, "embed", source, tmp_path / "e.tif", *options)
    run(spectralgpt, "reconstruct", source, tmp_path / "r.tif", *options)
    found = [inspect(source, bands="s2-l2a"), inspect(tmp_path / "e.tif"), inspect(tmp_path / "r.tif")]
    for each in found:
        assert line in str(each).splitlines()
    assert len({each.dates for each in found[::2]}) == 1


# valid shares


@pytest.mark.parametrize(
    ("hole", "says"),
    [
        (np.s_[:, :8, :], "20.0% of the places: no pixel valid"),
        (np.s_[:, :4, :], "20.0% of the places: some pixels valid"),
        (None, "100.0% of the places: all pixels valid"),
    ],
)
def test_valid_shares_say_what_they_are(weights, tmp_path, spectralgpt, hole, says):
    values = land(40, 40)
    if hole is not None:
        values[hole] = 0
    source = write(tmp_path / "a.tif", values, names=NAMES, nodata=0)
    run(spectralgpt, "embed", source, tmp_path / "e.tif", "--weights", weights)
    path = tmp_path / "e.valid.tif"
    found = inspect(path)
    assert isinstance(found, _inspected_map.InspectedMap)
    assert found.kind == "valid shares"
    assert sum(found.shares.values()) == pytest.approx(1)
    with rasterio.open(path) as file:
        shares = file.read(1)
    assert list(found.shares.values()) == pytest.approx(
        [(shares == 100).mean(), ((shares > 0) & (shares < 100)).mean(), (shares == 0).mean()]
    )
    text = run(spectralgpt, "inspect", path).out
    assert says in text
    assert "map        valid share of each place of e.tif, in percent" in text
    assert "leaving out places of few valid pixels" in text
    assert "embeddings, 1" not in text
    path.rename(tmp_path / "other.tif")
    assert "of a map of embeddings, in percent" in str(inspect(tmp_path / "other.tif"))
    with pytest.raises(RasterError, match="found a map of valid shares"):
        open_raster(tmp_path / "other.tif")
