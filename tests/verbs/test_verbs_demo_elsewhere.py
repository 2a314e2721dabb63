"""The demo on scenes of one's own, on bad ones, and beside what is there already."""

import numpy as np
import pytest
import torch
from made_rasters import NAMES, land, listing, write

import spectralgpt as sg
from spectralgpt.errors import InputError, RasterError, TargetError, WeightsError
from spectralgpt.nn import PooledConfig
from spectralgpt.tasks import Class
from spectralgpt.verbs.demo import MAP_FILES, RESULTS
from spectralgpt.weights import Classifier, SpectralGPT

OF_EARLIER_DEMOS = ("training.png", "training.jsonl", "weights/config.json", "weights/model.safetensors")


def elsewhere(path, height: int = 259, width: int = 270, **how):
    """A scene in Alaska, no multiple of a patch."""
    return write(path, land(height, width, 3), names=NAMES, **({"crs": "EPSG:32606"} | how))


def test_a_scene_elsewhere(tmp_path, spectralgpt, weights):
    """Without labelled points, beside what the demo of another version left."""
    scene = elsewhere(tmp_path / "scene.tif")
    for name in OF_EARLIER_DEMOS:
        (tmp_path / "out" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "out" / name).write_text("of an earlier version")
    ended = spectralgpt("demo", tmp_path / "out", "--scene", scene, "--weights", weights)
    assert ended.code == 0, ended.err
    assert "class map: none, as the demo has no labelled points on this scene" in ended.out
    assert all(f"{tmp_path / 'out' / name}:" in ended.out for name in RESULTS if name not in MAP_FILES)
    assert "classes" not in ended.out
    made = set(RESULTS) - set(MAP_FILES)
    assert set(listing(tmp_path / "out")) == {*made, "embeddings.valid.tif", *OF_EARLIER_DEMOS, "weights"}
    assert (tmp_path / "out" / "training.jsonl").read_text() == "of an earlier version"
    again = spectralgpt("demo", tmp_path / "out", "--scene", scene, "--weights", weights, "--quiet")
    assert (again.code, again.err) == (0, "")


def test_the_map_of_another_scene_does_not_stay(tmp_path, weights):
    """Where the new scene is without a CRS, and so without a map."""
    scene, out = elsewhere(tmp_path / "scene.tif", 256, 256, crs=None), tmp_path / "out"
    out.mkdir()
    for name in MAP_FILES:
        (out / name).write_text("of another scene")
    with pytest.raises(TargetError, match=r"classes\.tif: exists"):
        sg.demo(out, scene=scene, weights=weights)
    assert set(listing(out)) == set(MAP_FILES)
    said = []
    result = sg.demo(out, scene=scene, weights=weights, overwrite=True, announce=said.append)
    assert result.classes is None
    assert not any((out / name).exists() for name in MAP_FILES)
    assert len(said) == 2
    assert np.isfinite(list(result.swir.error.values())).all()


def refused(tmp_path, kind: type[InputError], **how) -> str:
    before = sorted(tmp_path.iterdir())
    with pytest.raises(kind) as caught:
        sg.demo(tmp_path / "out", **how)
    assert sorted(tmp_path.iterdir()) == before
    return str(caught.value)


def test_weights_of_another_task_are_refused_before_anything_is_written(tmp_path, weights):
    scene = elsewhere(tmp_path / "scene.tif")
    torch.manual_seed(0)
    base = SpectralGPT.from_pretrained(weights)
    head = Classifier.from_encoder(base, PooledConfig(classes=2), (Class("forest"), Class("water")))
    head.save_pretrained(tmp_path / "head")
    for given in (tmp_path / "head", str(tmp_path / "head")):
        assert "found weights for classification" in refused(tmp_path, WeightsError, scene=scene, weights=given)
    refused(tmp_path, WeightsError, scene=scene, weights=tmp_path / "nowhere")
    refused(tmp_path, WeightsError, scene=scene, weights="tiny-99")


@pytest.mark.parametrize(
    ("left_out", "named"), [(("B11",), "found no B11;"), (("B11", "B12"), "found no B11 and no B12;")]
)
def test_a_scene_without_the_bands_that_are_hidden(tmp_path, weights, left_out, named):
    kept = [index for index, name in enumerate(NAMES) if name not in left_out]
    scene = write(tmp_path / "scene.tif", land(256, 256)[kept], names=[NAMES[index] for index in kept])
    said = refused(tmp_path, RasterError, scene=scene, weights=weights)
    assert named in said
    assert "a Sentinel-2 scene with B11 and B12" in said


@pytest.mark.parametrize(("height", "width"), [(255, 300), (300, 128)])
def test_a_scene_that_is_too_small(tmp_path, weights, height, width):
    scene = elsewhere(tmp_path / "scene.tif", height, width)
    assert f"found {height} x {width} pixels" in refused(tmp_path, RasterError, scene=scene, weights=weights)
