"""Weights of version 1 are read and keep their fingerprints; what cannot be read back is not saved."""

import json
import shutil
import stat
from dataclasses import replace
from functools import partial

import golden_numbers as golden
import pytest
import torch
from safetensors.torch import load_file

from made_weights import DENSE, of_all_kinds, small_weights
from spectralgpt import tasks
from spectralgpt.errors import OptionError, WeightsError
from spectralgpt.nn import DenseConfig, PooledConfig, ReadOut, ReadOutConfig
from spectralgpt.products import as_pixels
from spectralgpt.tasks import ChangeConfig, Class
from spectralgpt.weights import (
    ChangeDetector,
    Classifier,
    PretrainedModel,
    Segmenter,
    SpectralGPT,
    class_of,
    on_encoder,
    open_weights,
)

made_pixels = partial(as_pixels, trust_input=True)
"""Values that are made up: they are not checked."""

FINGERPRINTS = {
    "pretraining": "c79a5f4d45f5003adb3c3fe15f96a2be442ad31f6bb6f5448034d98428ba7810",
    "classification": "d1eae44ce3b310d143fbbf0e2eb010a2128b98afee78aed4c840f255564b7cb7",
    "segmentation": "547ae59bccc4c4a11f35cd94752c8aaa2915cefa5de4a423c1d16c6ade7fe98a",
    "change": "264cab46eae55a16bb6a005a5ba36cd3f9bd7a11d12f86be0861823a134f8a82",
    "converted": "40660ff394435e5db149112ea7a421547fb60215e03d6c5d339244c4140ac492",
}
"""Fingerprints of the models below, printed by spectralgpt 0.1, which wrote version 1 (commit de17141)."""


def by_rule(model: PretrainedModel) -> PretrainedModel:
    """The model with every tensor filled by the rule of the golden numbers."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(torch.from_numpy(golden.rule_weight(name, tuple(parameter.shape))))
    return model.eval()


def of_version_1() -> dict[str, PretrainedModel]:
    base = by_rule(small_weights())
    return {
        "pretraining": base,
        "classification": by_rule(Classifier.from_encoder(base, PooledConfig(classes=4, hidden=8, several=True))),
        "segmentation": by_rule(Segmenter.from_encoder(base, DenseConfig(classes=3, **DENSE))),
        "change": by_rule(ChangeDetector.from_encoder(base, ChangeConfig(combine="concatenation", **DENSE))),
    }


def as_version_1(folder) -> None:
    """The folder as spectralgpt 0.1 wrote it: without format, and with task and head inside `model`."""
    config = json.loads((folder / "config.json").read_text())
    old = {part: config[part] for part in ("model", "bands", "normalization", "read_out", "provenance")}
    if config["head"] is not None:
        head = {name: value for name, value in config["head"].items() if name != "type"}
        old["model"] |= {"kind": config["task"], "head": head}
    (folder / "config.json").write_text(json.dumps(old))


@pytest.mark.parametrize("task", ["pretraining", "classification", "segmentation", "change"])
def test_version_1_is_read_and_keeps_its_fingerprint(tmp_path, task):
    model = of_version_1()[task]
    assert model.fingerprint() == FINGERPRINTS[task]
    model.save_pretrained(tmp_path / "new")
    assert json.loads((tmp_path / "new/config.json").read_text())["version"] == 2
    shutil.copytree(tmp_path / "new", tmp_path / "old")
    as_version_1(tmp_path / "old")
    for folder in ("new", "old"):
        back = open_weights(tmp_path / folder)
        assert type(back) is type(model)
        assert back.head_config == model.head_config
        assert back.fingerprint() == FINGERPRINTS[task]
    back.save_pretrained(tmp_path / "old")
    assert json.loads((tmp_path / "old/config.json").read_text())["format"] == "spectralgpt weights"


def test_a_converted_checkpoint_keeps_its_fingerprint(tmp_path):
    tensors = golden.load_tensors("mae_main.safetensors")
    state = {
        name.removeprefix("weight/"): torch.from_numpy(each) for name, each in tensors.items() if "weight/" in name
    }
    torch.save({"model": state}, tmp_path / "mae.pth")
    model = SpectralGPT.from_released(tmp_path / "mae.pth", heads=4, decoder_heads=4)
    assert model.fingerprint() == FINGERPRINTS["converted"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"version": 3}, "version 3; expected 'spectralgpt weights', up to version 2"),
        ({"format": "other"}, "found 'other'"),
    ],
)
def test_weights_of_another_format_are_refused(tmp_path, changes, message):
    small_weights().save_pretrained(tmp_path / "one")
    path = tmp_path / "one/config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    with pytest.raises(WeightsError, match=message):
        open_weights(tmp_path / "one")


def test_tensors_that_are_not_those_that_were_written(tmp_path):
    small_weights().save_pretrained(tmp_path / "one")
    path = tmp_path / "one/model.safetensors"
    damaged = bytearray(path.read_bytes())
    damaged[-7] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(WeightsError, match="its checksum differs"):
        open_weights(tmp_path / "one")


@pytest.mark.parametrize(
    "damage",
    [
        lambda config: {name: value for name, value in config.items() if name not in ("format", "version")},
        lambda config: {name: value for name, value in config.items() if name != "checksum"},
        lambda config: {name: value for name, value in config.items() if name != "task"},
        lambda config: config | {"task": None},
        lambda config: config | {"version": True},
    ],
)
def test_a_damaged_configuration_is_said_to_be_one(tmp_path, damage):
    small_weights().save_pretrained(tmp_path / "one")
    path = tmp_path / "one/config.json"
    path.write_text(json.dumps(damage(json.loads(path.read_text()))))
    with pytest.raises(WeightsError, match=r"the configuration is damaged|version True; expected"):
        open_weights(tmp_path / "one")


def test_a_folder_is_read_as_one_whatever_its_name(tmp_path):
    small_weights().save_pretrained(tmp_path / "one.pth")
    assert open_weights(tmp_path / "one.pth").fingerprint() == small_weights().fingerprint()


@pytest.mark.parametrize("name", ["", " ", "two\nlines"])
def test_a_name_of_a_class_is_a_line_of_text(name):
    with pytest.raises(OptionError, match="found the class name"):
        Class(name)


def test_others_may_read_the_files(tmp_path):
    small_weights().save_pretrained(tmp_path / "one")
    assert stat.S_IMODE((tmp_path / "one/model.safetensors").stat().st_mode) == 0o644


def test_classes_come_back_and_their_colours_count_for_nothing(tmp_path):
    base, named = small_weights(), (Class("forest", "#00ff00"), Class("water", "#0000ff"), Class("other"))
    torch.manual_seed(0)
    model = Segmenter.from_encoder(base, DenseConfig(classes=3, **DENSE), named)
    model.save_pretrained(tmp_path / "one")
    back = open_weights(tmp_path / "one")
    assert back.classes == named
    without = model.fingerprint()
    model.classes = tuple(Class(each.name) for each in named)
    assert model.fingerprint() == without == back.fingerprint()
    model.classes = (Class("wood"), *model.classes[1:])
    assert model.fingerprint() != without
    assert "forest, water, other" in (tmp_path / "one/README.md").read_text()


def test_a_head_of_another_task_is_refused_before_anything_is_trained():
    """A ChangeConfig is a subclass of DenseConfig: it was saved as one and could not be loaded again."""
    base = small_weights()
    for kind, head in (
        (Segmenter, ChangeConfig(2, **DENSE)),
        (ChangeDetector, DenseConfig(2, **DENSE)),
        (Classifier, DenseConfig(2, **DENSE)),
    ):
        with pytest.raises(OptionError, match=f"found the head {type(head).__name__} for {kind.task.name}; expected"):
            kind.from_encoder(base, head)


def test_what_cannot_be_read_back_is_not_saved(tmp_path):
    extra = small_weights()
    extra.more = torch.nn.Linear(2, 2)
    said, numbers = small_weights(), small_weights()
    said.provenance, numbers.provenance = {"when": object()}, {"loss": float("nan")}
    headed = of_all_kinds()["segmentation"]
    headed.head_config = replace(headed.head_config, channels=32)
    other = of_all_kinds()["segmentation"]
    other.head_config = ChangeConfig(3, **DENSE)
    for model, message in (
        (extra, "unexpected more.weight"),
        (said, "not JSON serializable"),
        (numbers, "not JSON compliant"),
        (headed, "has shape"),
        (other, "found the head ChangeConfig for segmentation"),
    ):
        with pytest.raises(WeightsError, match="could not be read back") as error:
            model.save_pretrained(tmp_path / "one")
        assert message in str(error.value)
    assert not list(tmp_path.iterdir())


# -- the read-out ------------------------------------------------------------------------------------------------------


def measured(seed: int = 0) -> SpectralGPT:
    """Weights with a read-out of 5 values, from blocks 0 and 2 for places, 1 and 2 for images."""
    model = small_weights(seed)
    read_out = ReadOut(ReadOutConfig((0, 2), (1, 2), 5), dim=32)
    generator = torch.Generator().manual_seed(seed)
    for name, buffer in read_out.named_buffers():
        drawn = torch.rand(buffer.shape, generator=generator)
        buffer.copy_(drawn + 0.5 if name in ("scale", "place_deviation", "image_deviation") else drawn - 0.5)
    model.read_out = read_out
    return model.eval()


def test_a_read_out_is_part_of_the_weights(tmp_path):
    model = measured()
    model.save_pretrained(tmp_path / "one")
    back = SpectralGPT.from_pretrained(tmp_path / "one")
    assert back.read_out.config == model.read_out.config
    assert back.fingerprint() == model.fingerprint() != small_weights().fingerprint()
    for name, buffer in model.read_out.named_buffers():
        assert torch.equal(back.read_out.get_buffer(name), buffer), name
    assert back.embedding_values == 5
    assert torch.equal(back.embedding_scale, model.read_out.scale)
    with torch.no_grad():
        model.read_out.projection[0, 0] += 1
    assert back.fingerprint() != model.fingerprint()


def test_rounded_weights_take_half_of_the_space(tmp_path):
    model = measured()
    rounded = model.rounded()
    for name, each in (("whole", model), ("half", rounded)):
        each.save_pretrained(tmp_path / name)
    stored = load_file(tmp_path / "half/model.safetensors")
    kinds = {name: tensor.dtype for name, tensor in stored.items()}
    assert {kinds[name] for name in kinds if name.startswith("read_out.")} == {torch.float32}
    assert {kinds[name] for name in kinds if not name.startswith("read_out.")} == {torch.float16}
    assert {tensor.dtype for tensor in load_file(tmp_path / "whole/model.safetensors").values()} == {torch.float32}
    back = SpectralGPT.from_pretrained(tmp_path / "half")
    assert all(tensor.dtype == torch.float32 for tensor in back.state_dict().values())
    assert back.fingerprint() == rounded.fingerprint() != model.fingerprint()
    for name, tensor in model.state_dict().items():
        if name.startswith("read_out."):
            assert torch.equal(back.state_dict()[name], tensor)
        else:
            torch.testing.assert_close(back.state_dict()[name], tensor, atol=1e-4, rtol=1e-3)
    assert back.classes == model.classes
    assert back.provenance == model.provenance
    with torch.no_grad():
        model.encoder.norm.bias[0] = 7e4
    with pytest.raises(WeightsError, match=r"half precision.*encoder\.norm\.bias \(1 of 32\)"):
        model.rounded()


def test_a_read_out_of_blocks_that_are_not_there(tmp_path):
    measured().save_pretrained(tmp_path / "one")
    path = tmp_path / "one/config.json"
    config = json.loads(path.read_text())
    for wrong in ({"place": [0, 3]}, {"image": [2, 1]}, {"values": 0}, {"more": 1}, {"type": "guessed"}):
        path.write_text(json.dumps(config | {"read_out": config["read_out"] | wrong}))
        with pytest.raises(WeightsError, match="makes no model"):
            open_weights(tmp_path / "one")


def test_the_released_format_cannot_hold_a_read_out(tmp_path):
    with pytest.raises(WeightsError, match="a measured read-out"):
        measured().save_released(tmp_path / "one.pth")


def test_without_a_read_out_the_scale_is_of_the_norm():
    model = small_weights()
    norm = model.encoder.norm
    expected = (4 * norm.weight.abs() + norm.bias.abs()) / 127
    assert torch.equal(model.embedding_scale, expected.detach())
    assert model.embedding_values == 32


# -- tasks -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", tasks.names())
def test_every_task_has_a_class_that_saves_and_loads(tmp_path, name):
    """Also one without a public class, such as embedding."""
    kind = class_of(name)
    assert kind.task.name == name
    # for a new task, its first head with default settings
    head = next((head() for head in tasks.find(name).heads.values()), None) if name not in of_all_kinds() else None
    made = of_all_kinds().get(name) or on_encoder(small_weights(), name, head)
    made.save_pretrained(tmp_path / "one")
    back = open_weights(tmp_path / "one")
    assert type(back) is kind
    assert back.fingerprint() == made.fingerprint()


def test_an_encoder_alone_embeds_as_its_model_does(tmp_path):
    model = measured()
    encoder = class_of("embedding").from_encoder(model)
    assert not hasattr(encoder, "decoder")
    encoder.save_pretrained(tmp_path / "one")
    from spectralgpt.bands import sensor

    values = torch.arange(12 * 16 * 24).reshape(12, 16, 24).numpy().astype("u2")
    pixels = made_pixels(values, bands=sensor("spectralgpt-12").bands, gsd=10)
    back = open_weights(tmp_path / "one")
    for per in ("image", "place", "group"):
        assert torch.equal(back.embed(back.cube(pixels), per), model.embed(model.cube(pixels), per))
