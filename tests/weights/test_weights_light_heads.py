"""Weights with a light head are saved, loaded, and told from those with the dense one."""

import json

import pytest
import torch

from made_weights import DENSE, small_weights
from spectralgpt.errors import OptionError, WeightsError
from spectralgpt.nn import DenseConfig, LightConfig
from spectralgpt.products import as_pixels
from spectralgpt.tasks import ChangeConfig, LightChange
from spectralgpt.weights import ChangeDetector, Segmenter, describe, open_weights

LIGHT = {"channels": 16, "fine": 8}
MODELS = {
    "segmentation": (Segmenter, LightConfig(3, **LIGHT)),
    "one block": (Segmenter, LightConfig(3, at=(1,), dropout=0.3, **LIGHT)),
    "difference": (ChangeDetector, LightChange(**LIGHT)),
    "distance": (ChangeDetector, LightChange(combine="distance", **LIGHT)),
    "concatenation": (ChangeDetector, LightChange(4, combine="concatenation", **LIGHT)),
}


@pytest.mark.parametrize("name", MODELS)
def test_a_light_head_comes_back_with_its_configuration(tmp_path, name):
    kind, head = MODELS[name]
    torch.manual_seed(0)
    model = kind.from_encoder(small_weights(), head).eval()
    model.save_pretrained(tmp_path / "one")
    stored = json.loads((tmp_path / "one/config.json").read_text())["head"]
    assert stored["type"] == "light"
    assert stored["at"] == list(head.at)
    back = open_weights(tmp_path / "one")
    assert type(back) is kind
    assert back.head_config == head
    assert back.fingerprint() == model.fingerprint()
    values = torch.randint(100, 4000, (2, 12, 24, 16), generator=torch.Generator().manual_seed(1)).numpy().astype("u2")
    pixels = as_pixels(values, bands="spectralgpt-12", dates=["2020-05-01", "2021-05-01"], trust_input=True)
    with torch.no_grad():
        assert torch.equal(back(back.cube(pixels)), model(model.cube(pixels)))
    assert "1x1 convolutions on blocks 1" in str(describe(back))


def test_a_light_head_of_another_task_is_refused():
    base = small_weights()
    for kind, head in ((Segmenter, LightChange(**LIGHT)), (ChangeDetector, LightConfig(2, **LIGHT))):
        with pytest.raises(OptionError, match=f"found the head {type(head).__name__} for {kind.task.name}; expected"):
            kind.from_encoder(base, head)


def test_without_a_type_the_head_is_the_dense_one(tmp_path):
    """As in weights of version 1, which know no other."""
    for kind, head in ((Segmenter, DenseConfig(3, **DENSE)), (ChangeDetector, ChangeConfig(**DENSE))):
        folder = tmp_path / kind.__name__
        kind.from_encoder(small_weights(), head).save_pretrained(folder)
        path = folder / "config.json"
        config = json.loads(path.read_text())
        assert config["head"].pop("type") == "dense"
        path.write_text(json.dumps(config))
        assert open_weights(folder).head_config == head


def test_the_released_format_has_no_light_head(tmp_path):
    model = Segmenter.from_encoder(small_weights(), LightConfig(3, **LIGHT))
    with pytest.raises(WeightsError, match="a head that no released model has"):
        model.save_released(tmp_path / "one.pth")
