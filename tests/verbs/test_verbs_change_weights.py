"""A map of change by weights that answer what changed, and by a probe."""

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
import torch
from made_rasters import listing
from rio_cogeo.cogeo import cog_validate

from made_dates import band, two_dates
from made_drawn_probes import drawn_probe
from spectralgpt import ChangeDetector, SpectralGPT, change
from spectralgpt.features import Probe
from spectralgpt.nn import LightConfig
from spectralgpt.products import open_pair
from spectralgpt.tasks import Class
from spectralgpt.tasks.change import LightChange
from spectralgpt.weights import Segmenter


@pytest.fixture(scope="module")
def dated(tmp_path_factory) -> tuple[Path, Path]:
    return two_dates(tmp_path_factory.mktemp("pair"))


LOST = (Class("kept"), Class("lost", "#102030"))


@pytest.fixture(scope="module")
def detector(weights, tmp_path_factory) -> Path:
    """Weights for change detection that have been drawn."""
    torch.manual_seed(1)
    model = ChangeDetector.from_encoder(SpectralGPT.from_pretrained(weights), LightChange(classes=2), LOST).eval()
    with torch.no_grad():
        for each in model.head.parameters():
            each.normal_()
    folder = tmp_path_factory.mktemp("detector") / "weights"
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def probed(dated, weights, tmp_path_factory) -> Path:
    """A probe of changes, of 48 values and 12 bands, twice; half of the made pair is changed."""

    def median(probe: Probe) -> float:
        with open_pair(*dated) as raster:
            return float(np.median(probe.probabilities(raster)[..., 1]))

    return drawn_probe(weights, tmp_path_factory.mktemp("probed") / "probe", "change", LOST, 120, median)


def test_weights_for_change_give_their_classes(dated, detector, tmp_path):
    found = change(*dated, tmp_path / "map.tif", weights=detector, precision="fp32")
    assert found.kind == "classes"
    assert found.changed_map == found.target
    assert np.isnan(found.threshold)
    assert (found.rows, found.columns) == (200, 136)
    classes = band(found.target)
    assert len(np.unique(classes)) == 2
    assert found.changed_share == pytest.approx((classes == 1).mean())
    assert found.classes == {
        "kept": pytest.approx(100 * (classes == 0).sum(), rel=0.01),
        "lost": pytest.approx(100 * (classes == 1).sum(), rel=0.01),
    }
    with rasterio.open(found.target) as dataset:
        assert dataset.colormap(1)[1] == (0x10, 0x20, 0x30, 255)
    assert listing(tmp_path) == ["map.png", "map.tif", "map.tif.aux.xml"]


@pytest.mark.parametrize("rows", [120, 200])
def test_a_probe_of_changes_gives_its_classes(rows, dated, probed, tmp_path, spectralgpt):
    """Of a scene that is one window, to the pixel; of several, but for what their edges change of probabilities that
    are nearly those of the threshold."""
    pair = two_dates(tmp_path, rows=rows, columns=128) if rows == 120 else dated
    ended = spectralgpt("change", *pair, tmp_path / "map.tif", "--weights", probed, "--json")
    assert ended.code == 0, ended.err
    with open_pair(*pair) as raster:
        wanted = Probe.load(probed).predict(raster)
    same = (band(tmp_path / "map.tif") == np.where(wanted < 0, 255, wanted)).mean()
    assert same == 1 if rows == 120 else same > 0.99
    assert len(np.unique(wanted)) == 2
    assert ended.json["threshold"] == pytest.approx(Probe.load(probed).description.thresholds[0])
    assert ended.json["kind"] == "classes"
    assert cog_validate(tmp_path / "map.tif", strict=True)[0]


@pytest.mark.parametrize("which", ["probe", "detector"])
def test_a_threshold_of_distances_is_none_of_classes(which, dated, probed, detector, tmp_path, spectralgpt):
    weights = {"probe": probed, "detector": detector}[which]
    ended = spectralgpt("change", *dated, tmp_path / "m.tif", "--weights", weights, "--threshold", "0.5")
    assert ended.code == 2
    assert "say themselves what changed" in ended.err
    assert listing(tmp_path) == []


def test_weights_that_answer_something_else_get_one_message(dated, weights, probed, tmp_path, spectralgpt):
    model = Segmenter.from_encoder(SpectralGPT.from_pretrained(weights), LightConfig(classes=3))
    model.save_pretrained(tmp_path / "segmenter")
    masks = tmp_path / "masks"
    masks.mkdir()
    described = json.loads((probed / "probe.json").read_text()) | {"target": "mask"}
    (masks / "probe.json").write_text(json.dumps(described))
    (masks / "probe.safetensors").write_bytes((probed / "probe.safetensors").read_bytes())
    for wrong, words in (("segmenter", "weights for segmentation"), ("masks", "a probe of mask labels")):
        ended = spectralgpt("change", *dated, tmp_path / "m.tif", "--weights", tmp_path / wrong)
        assert ended.code == 2
        assert words in ended.err
        assert "predict" in ended.err
        assert len(ended.err.strip().splitlines()) == 1
    assert not list(tmp_path.glob("m.*"))
