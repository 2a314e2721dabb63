"""Weights are the same after writing and reading; anything else is refused."""

import json
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from made_weights import BANDS, DENSE, SIZE, of_all_kinds, small_weights
from spectralgpt.bands import BandSet, sensor
from spectralgpt.errors import TargetError, WeightsError
from spectralgpt.nn import Normalization, PooledConfig
from spectralgpt.products import as_pixels
from spectralgpt.tasks import ChangeConfig
from spectralgpt.weights import ChangeDetector, Classifier, SpectralGPT, fingerprint, open_weights
from spectralgpt.weights.released import released_normalization
from spectralgpt.weights.store import checksum

made_pixels = partial(as_pixels, trust_input=True)
"""Values that are made up: they are not checked."""

CONFIG, TENSORS = "config.json", "model.safetensors"


def files_of(folder) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def saved_tensors(tensors, folder) -> None:
    """Replace the tensors of a folder by others, with their checksum."""
    save_file(tensors, folder / TENSORS)
    edit_config(folder, checksum=checksum(folder / TENSORS))


def edit_config(folder, **changes) -> None:
    config = json.loads((folder / CONFIG).read_text())
    (folder / CONFIG).write_text(json.dumps(config | changes))


@pytest.fixture
def saved(tmp_path):
    small_weights().save_pretrained(tmp_path / "weights")
    return tmp_path / "weights"


def test_round_trip_is_bitwise(tmp_path):
    model = small_weights()
    model.save_pretrained(tmp_path / "one")
    back = SpectralGPT.from_pretrained(tmp_path / "one")
    assert back.config == model.config
    assert back.normalization == model.normalization
    assert back.provenance == model.provenance
    assert not back.training
    assert all(parameter.requires_grad for parameter in back.parameters())
    assert back.state_dict().keys() == model.state_dict().keys()
    for name, tensor in model.state_dict().items():
        assert torch.equal(back.state_dict()[name], tensor), name
    back.save_pretrained(str(tmp_path / "two"))
    assert files_of(tmp_path / "one") == files_of(tmp_path / "two")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "two"]
    assert sorted(path.name for path in (tmp_path / "one").iterdir()) == ["README.md", CONFIG, TENSORS]
    pixels = made_pixels(np.arange(12 * 16 * 24).reshape(12, 16, 24).astype("u2"), bands=BANDS, gsd=10)
    assert torch.equal(back.embed(back.cube(pixels)), model.embed(model.cube(pixels)))


def test_fingerprint_is_of_what_the_weights_do(tmp_path):
    model = small_weights()
    print_of = model.fingerprint()
    assert len(print_of) == 64
    assert set(print_of) <= set("0123456789abcdef")
    model.save_pretrained(tmp_path / "one")
    back = SpectralGPT.from_pretrained(tmp_path / "one")
    back.provenance = {"steps": 99, "data": "other"}
    back.save_pretrained(tmp_path / "one")
    assert SpectralGPT.from_pretrained(tmp_path / "one").fingerprint() == print_of == small_weights().fingerprint()
    config, tensors = model._contents().arrangement(), model.state_dict()
    assert fingerprint(config, dict(reversed(tensors.items()))) == print_of, "of tensors by name, not by order"
    stored = {name: tensor.double() for name, tensor in tensors.items()}
    assert fingerprint(config, stored) == print_of


def test_fingerprint_changes_with_everything_that_counts():
    prints = {small_weights().fingerprint(), small_weights(seed=1).fingerprint()}
    for name in ("encoder.norm.bias", "decoder.positions.scale", "encoder.blocks.1.mlp.fc1.weight"):
        model = small_weights()
        with torch.no_grad():
            values = model.get_parameter(name).view(-1)
            values[-1] = torch.nextafter(values[-1], torch.tensor(torch.inf))
        prints.add(model.fingerprint())
    statistics = small_weights().normalization.statistics
    for changed in (
        (replace(statistics[0], mean=1.5000001), *statistics[1:]),
        (*statistics[:-1], replace(statistics[-1], sd=0.07)),
        statistics[:-1],
    ):
        model = small_weights()
        model.normalization = Normalization("standard", changed)
        prints.add(model.fingerprint())
    model = small_weights()
    model.normalization = Normalization("min_max", statistics)
    prints.add(model.fingerprint())
    for bands in (
        (replace(BANDS[0], wavelength=443.0), *BANDS[1:]),
        (replace(BANDS[0], name="C1"), *BANDS[1:]),
        (*BANDS[:-1], replace(BANDS[-1], fwhm=1.0)),
    ):
        prints.add(small_weights(bands=BandSet.native(bands)).fingerprint())
    prints.add(small_weights(image=96).fingerprint())
    assert len(prints) == 2 + 3 + 3 + 1 + 3 + 1


def test_strict_loading_names_every_tensor_that_does_not_fit(saved):
    tensors = load_file(saved / TENSORS)
    del tensors["decoder.mask_token"], tensors["encoder.blocks.1.attn.qkv.weight"]
    tensors["encoder.extra"], tensors["head.bias"] = torch.zeros(2), torch.zeros(3)
    tensors["encoder.positions.place"] = torch.zeros(15, 16, 32)
    saved_tensors(tensors, saved)
    with pytest.raises(WeightsError) as error:
        SpectralGPT.from_pretrained(saved)
    for part in (
        str(saved),
        "missing decoder.mask_token (1, 1, 48)",
        "missing encoder.blocks.1.attn.qkv.weight (96, 32)",
        "unexpected encoder.extra (2,)",
        "unexpected head.bias (3,)",
        "encoder.positions.place has shape (15, 16, 32), expected (16, 16, 32)",
    ):
        assert part in str(error.value)


def test_half_precision_is_read_as_float32(saved):
    saved_tensors({name: tensor.half() for name, tensor in load_file(saved / TENSORS).items()}, saved)
    model = SpectralGPT.from_pretrained(saved)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    assert model.fingerprint() == SpectralGPT.from_pretrained(saved).fingerprint() != small_weights().fingerprint()


@pytest.mark.parametrize("share", [0, 0.001, 0.02, 0.5, 0.999])
def test_tensors_cut_off(saved, share):
    data = (saved / TENSORS).read_bytes()
    (saved / TENSORS).write_bytes(data[: int(len(data) * share)])
    with pytest.raises(WeightsError, match=r"model\.safetensors: is damaged"):
        SpectralGPT.from_pretrained(saved)


def test_no_tensors(saved):
    (saved / TENSORS).unlink()
    with pytest.raises(WeightsError, match=r"found no model\.safetensors; expected"):
        SpectralGPT.from_pretrained(saved)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "found no config.json; expected a folder of spectralgpt weights"),
        ("", "not valid JSON"),
        ("\udcff", "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
        ("[]", "found no model, bands, normalization, read_out, provenance"),
        ('{"model_type": "vit", "hidden_size": 768}', "found no model, bands"),
        ('{"model": {}, "bands": {}, "normalization": {}, "read_out": {}}', "found no provenance"),
        ('{"model": {}, "bands": {}, "normalization": {}, "read_out": {}, "provenance": {}}', "makes no model"),
    ],
)
def test_config_that_is_not_ours(saved, text, message):
    if text is None:
        (saved / CONFIG).unlink()
    else:
        (saved / CONFIG).write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(WeightsError, match=message):
        SpectralGPT.from_pretrained(saved)


def test_config_cut_off(saved):
    text = (saved / CONFIG).read_text()
    (saved / CONFIG).write_text(text[: len(text) // 2])
    with pytest.raises(WeightsError, match="not valid JSON"):
        SpectralGPT.from_pretrained(saved)


def test_config_of_another_model(saved):
    config = json.loads((saved / CONFIG).read_text())
    for size in ({"heads": 0}, {"heads": 5}, {"dim": -4}, {"dim": "a"}, {"width": 3}):
        edit_config(saved, model=config["model"] | {"size": config["model"]["size"] | size})
        with pytest.raises(WeightsError, match="makes no model"):
            SpectralGPT.from_pretrained(saved)
    deeper = json.loads(json.dumps(config["read_out"]).replace("[2]", "[3]"))
    edit_config(saved, model=config["model"] | {"size": config["model"]["size"] | {"depth": 3}}, read_out=deeper)
    with pytest.raises(WeightsError, match=r"depth 3 in config\.json and 2 in the tensors"):
        SpectralGPT.from_pretrained(saved)
    edit_config(saved, model=config["model"], read_out=config["read_out"], bands={"groups": []})
    with pytest.raises(WeightsError, match="makes no model"):
        SpectralGPT.from_pretrained(saved)
    edit_config(saved, bands=config["bands"], read_out={"place": "max"})
    with pytest.raises(WeightsError, match="read-out"):
        SpectralGPT.from_pretrained(saved)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda config: config["model"].pop("patch"), "found no patch"),
        (lambda config: config["model"]["size"].pop("depth"), r"size: found no depth"),
        (lambda config: config["model"].update(patch=0), "patch: found 0; expected a side in pixels"),
        (lambda config: config["bands"]["groups"][1].pop("native"), r"bands\.groups\.1: found no native"),
        (lambda config: config["normalization"].pop("eight_bit"), "found no eight_bit"),
        (
            lambda config: config["normalization"]["statistics"][2].update(gain=1),
            r"statistics\.2\.band\.gain: unknown name",
        ),
        (lambda config: config["normalization"]["statistics"][2].update(sd=0), "a standard deviation above 0"),
    ],
)
def test_a_value_that_is_missing_or_wrong_is_named(saved, damage, message):
    config = json.loads((saved / CONFIG).read_text())
    damage(config)
    edit_config(saved, **config)
    with pytest.raises(WeightsError, match=f"its configuration makes no model .*{message}"):
        SpectralGPT.from_pretrained(saved)


def test_no_folder(tmp_path):
    with pytest.raises(WeightsError, match=r"tinny: does not exist"):
        SpectralGPT.from_pretrained("tinny")
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(WeightsError, match="is a file, but no weights"):
        SpectralGPT.from_pretrained(tmp_path / "notes.txt")
    with pytest.raises(WeightsError, match=r"found no config\.json"):
        SpectralGPT.from_pretrained(tmp_path)


def fill(folder, *names: str) -> None:
    folder.mkdir()
    for name in names:
        (folder / name).write_text("{}")


@pytest.mark.parametrize("names", [("photo.jpg",), (CONFIG, "train.py"), (CONFIG,), (CONFIG, TENSORS)])
def test_what_is_not_ours_is_not_replaced(tmp_path, names):
    """Also not another model's folder with files of the same names."""
    fill(tmp_path / "target", *names)
    before = files_of(tmp_path)
    with pytest.raises(TargetError, match="target: found"):
        small_weights().save_pretrained(tmp_path / "target")
    assert files_of(tmp_path) == before
    assert [path.name for path in tmp_path.iterdir()] == ["target"]


def test_targets_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("kept")
    (tmp_path / CONFIG).write_text("kept")
    for target in ("file", CONFIG, "file/below", "x" * 300):
        with pytest.raises(TargetError, match=r"found .*; expected a new folder|cannot be written"):
            small_weights().save_pretrained(tmp_path / target)
    assert files_of(tmp_path) == {"file": b"kept", CONFIG: b"kept"}
    assert len(list(tmp_path.iterdir())) == 2


def test_an_empty_folder_and_older_weights_are_replaced(tmp_path, saved):
    (tmp_path / "empty").mkdir()
    for target in (tmp_path / "empty", saved):
        small_weights(seed=5).save_pretrained(target)
        assert SpectralGPT.from_pretrained(target).fingerprint() == small_weights(seed=5).fingerprint()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "weights"]


def test_a_full_disk_leaves_the_older_weights(saved, monkeypatch):
    before = files_of(saved)

    def full(*_args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("spectralgpt.weights.store.save_file", full)
    with pytest.raises(TargetError, match="No space left"):
        small_weights(seed=5).save_pretrained(saved)
    assert files_of(saved) == before
    assert [path.name for path in saved.parent.iterdir()] == ["weights"]


def test_a_failed_exchange_leaves_the_older_weights(saved, monkeypatch):
    import os

    before, moved, replaced = files_of(saved), os.rename, []

    def failing(source, target):
        replaced.append(target)
        if len(replaced) == 2:
            raise OSError(5, "Input/output error")
        moved(source, target)

    monkeypatch.setattr("spectralgpt.disk.os.rename", failing)
    with pytest.raises(TargetError, match="Input/output error"):
        small_weights(seed=5).save_pretrained(saved)
    assert files_of(saved) == before
    assert [path.name for path in saved.parent.iterdir()] == ["weights"]


def test_sizes_are_those_of_the_table():
    from spectralgpt.nn import SIZES, ModelConfig

    counts = {}
    for name, size in SIZES.items():
        with torch.device("meta"):
            model = SpectralGPT(ModelConfig(size, BandSet.native(BANDS)), small_weights().normalization)
        counts[name] = sum(parameter.numel() for parameter in model.parameters()) / 1e6
    assert counts == pytest.approx({"tiny": 7.3, "small": 25, "base": 98.5, "large": 316.1, "huge": 643.8}, rel=0.04)
    assert SIZE not in SIZES.values()


def test_extremes_of_what_is_hidden_never_reach_a_prediction():
    """model.cube and model.reconstruct, as users call them, on weights that scale an image by its own extremes."""
    model = small_weights()
    model.normalization = released_normalization()
    bands = sensor("s2-l1c").bands
    values = np.random.default_rng(0).integers(100, 3000, (13, 32, 40)).astype(np.uint16)
    hidden = [band.name in ("B9", "B11", "B12") for band in bands]
    other = values.copy()
    other[hidden] = 9 * other[hidden] + 7
    seen = [model.cube(made_pixels(each, bands="s2-l1c", gsd=10.0)) for each in (values, other)]
    assert seen[0].scaling.kind == "min_max"
    one, two = (model.reconstruct(cube, "B11") for cube in seen)
    assert one.cube.scaling.kind == "two_sigma"
    torch.testing.assert_close(one.predicted, two.predicted, atol=1e-5, rtol=0)
    torch.testing.assert_close(one.reflectance()[:, :, 9:], two.reflectance()[:, :, 9:], atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("head", {"type": "pooled", "classes": "many"}),
        ("head", {"type": "pooled", "classs": 3}),
        ("head", {"type": "dense", "classes": 4}),
        ("head", None),
        ("task", "foo"),
        ("task", "pretraining"),
        ("classes", [{"name": "forest"}]),
        ("classes", [{"name": "forest"}] * 4),
        ("classes", [{"name": "abcd"[i], "colour": "green"} for i in range(4)]),
        ("model.unknown", 1),
        ("model.image", "a"),
        ("model.image", 0),
        ("model.patch", 0),
    ],
)
def test_a_head_that_makes_no_model(tmp_path, key, value):
    of_all_kinds()["classification"].save_pretrained(tmp_path / "one")
    path = tmp_path / "one/config.json"
    config = json.loads(path.read_text())
    part, _, name = key.rpartition(".")
    (config[part] if part else config)[name] = value
    path.write_text(json.dumps(config))
    with pytest.raises(WeightsError, match="makes no model"):
        open_weights(tmp_path / "one")


def test_levels_of_a_dense_head_that_are_too_few(tmp_path):
    of_all_kinds()["segmentation"].save_pretrained(tmp_path / "one")
    path = tmp_path / "one/config.json"
    config = json.loads(path.read_text())
    config["head"]["widths"] = [32, 32]
    path.write_text(json.dumps(config))
    with pytest.raises(WeightsError, match="makes no model"):
        open_weights(tmp_path / "one")


@pytest.mark.parametrize("provenance", [[1], "x", 3])
def test_a_provenance_that_is_no_table(tmp_path, provenance):
    small_weights().save_pretrained(tmp_path / "one")
    path = tmp_path / "one/config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"provenance": provenance}))
    with pytest.raises(WeightsError, match="makes no model"):
        open_weights(tmp_path / "one")


def test_logits_are_the_same_after_saving(tmp_path):
    model = of_all_kinds()["segmentation"].eval()
    model.save_pretrained(tmp_path / "one")
    back = open_weights(tmp_path / "one")
    assert all(torch.equal(back.state_dict()[name], tensor) for name, tensor in model.state_dict().items())


@pytest.mark.parametrize(
    ("kind", "head"),
    [
        (Classifier, PooledConfig(classes=4, hidden=8, several=True)),
        (ChangeDetector, ChangeConfig(combine="concatenation", **DENSE)),
    ],
)
def test_a_head_comes_back_as_it_was(tmp_path, kind, head):
    model = kind.from_encoder(small_weights(), head)
    model.save_pretrained(tmp_path / "one")
    back = kind.from_pretrained(tmp_path / "one")
    assert back.head_config == head
    assert back.fingerprint() == model.fingerprint()


@pytest.mark.parametrize("where", ["weights", "seed-0/weights"])
def test_the_folder_of_a_run_is_not_its_weights(tmp_path, where):
    run = tmp_path / "run"
    small_weights().save_pretrained(run / where)
    with pytest.raises(WeightsError, match=rf"found weights only below it, in .*{where}; .* Give that folder"):
        SpectralGPT.from_pretrained(run)
