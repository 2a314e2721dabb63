"""Maps of classes and of change that follow an interrupted run of another command: refused by what differs."""

import os

import numpy as np
import pytest
from made_rasters import NAMES, land, write

from made_dates import two_dates
from made_drawn_probes import drawn_probe
from made_headed_weights import LAND, headed_weights
from made_interrupted import finished, interrupted


@pytest.fixture(scope="module")
def answering(weights, tmp_path_factory):
    """Probes of changes and of masks, and others like them; weights with heads."""
    folder = headed_weights(weights, tmp_path_factory.mktemp("answering"))
    for target, values in (("change", 120), ("mask", 60)):
        drawn_probe(weights, folder / f"{target} probe", target, LAND[:2], values)
        drawn_probe(weights, folder / f"other {target} probe", target, LAND[:2], values, lambda probe: 0.4)
    return folder


@pytest.fixture
def begun(spectralgpt, tmp_path):
    """Interrupt a command at its second block row. Returns what says whether another is refused, naming a difference:
    words that the message begins with."""
    target = tmp_path / "out.tif"

    def begin(*command):
        with interrupted():
            ended = spectralgpt(*command, "--restart")
        assert ended.code == 130, ended.err
        assert finished(target) == 1

        def refused(named, *other):
            ended = spectralgpt(*other)
            assert ended.code == 2
            assert f"was begun otherwise: {named}" in ended.err
            assert ended.err.strip().endswith("use --restart")
            assert finished(target) == 1

        return refused

    return begin


def test_change(weights, answering, tmp_path, spectralgpt, begun):
    pair, target = two_dates(tmp_path), tmp_path / "out.tif"

    def command(by, *more, sources=pair):
        return ("change", *sources, target, "--weights", by, "--trust-input", *more)

    refused = begun(*command(answering / "change probe"))
    refused("probe ", *command(answering / "other change probe"))
    ended = spectralgpt(*command(answering / "change probe"), "--json")
    assert (ended.code, ended.json["blocks_resumed"]) == (0, 1)
    begun(*command(answering / "change probe"))
    ended = spectralgpt(*command(answering / "other change probe"), "--restart", "--json")
    assert (ended.code, ended.json["blocks_resumed"]) == (0, 0)

    refused = begun(*command(weights, "--precision", "fp32"))
    refused("precision fp32, now bf16", *command(weights, "--precision", "bf16"))
    refused = begun(*command(weights))
    refused("threshold None, now 0.5", *command(weights, "--threshold", "0.5"))
    refused("dates", *command(weights, sources=pair[::-1]))
    os.utime(pair[1], (1, 1))
    refused(f"{pair[1]} (changed)", *command(weights))


def test_dates_and_bands_of_one_file(weights, tmp_path, begun):
    """Which of its bands are read counts like another file."""
    names = [f"{name}_{day}" for day in ("20200501", "20210501", "20220501") for name in NAMES]
    series = write(tmp_path / "series.tif", np.concatenate([land(200, 136, seed) for seed in range(3)]), names=names)

    def command(later):
        dates = f"2020-05-01,{later}"
        return ("change", series, series, tmp_path / "out.tif", "--weights", weights, "--trust-input", "--dates", dates)

    refused = begun(*command("2021-05-01"))
    refused("dates; layers", *command("2022-05-01"))

    def embedding(bands):
        return ("embed", tmp_path / "one.tif", tmp_path / "out.tif", "--weights", weights, "--bands", bands)

    write(tmp_path / "one.tif", land(200, 136))
    listed = ",".join(NAMES)
    refused = begun(*embedding(listed))
    other = ",".join([NAMES[1], NAMES[0], *NAMES[2:]])
    refused("layers", *embedding(other))


def test_predict(scene, answering, tmp_path, spectralgpt, begun):
    def command(by, *more):
        return ("predict", scene, tmp_path / "out.tif", "--weights", answering / by, "--trust-input", *more)

    for by in ("mask", "mask probe"):
        refused = begun(*command(by))
        refused("entropy None, now True", *command(by, "--entropy"))
        refused("probabilities None, now True", *command(by, "--probabilities"))
        refused("min_area None, now 0", *command(by, "--polygons"))
    refused("probe ", *command("other mask probe"))
    refused = begun(*command("mask probe", "--polygons", "--min-area", "200"))
    refused("min_area 200.0, now 300.0", *command("mask probe", "--polygons", "--min-area", "300"))
    refused = begun(*command("classes", "--side", "32"))
    refused("side 32, now 48", *command("classes", "--side", "48"))
    ended = spectralgpt(*command("classes", "--side", "32"), "--json")
    assert (ended.code, ended.json["blocks_resumed"]) == (0, 1)
