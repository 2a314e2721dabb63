"""The model card: true, short, and its Python runs."""

import re
from dataclasses import replace

import pytest
import torch
from huggingface_hub import ModelCard
from made_rasters import NAMES, land, write

from made_weights import BANDS, of_all_kinds, small_weights
from spectralgpt.bands import BandSet
from spectralgpt.weights import PretrainedModel, describe, open_weights
from spectralgpt.weights.card import MARK, model_card


def card_of(model: PretrainedModel) -> ModelCard:
    return ModelCard(model_card(describe(model)))


@pytest.mark.parametrize("kind", of_all_kinds())
def test_its_python_runs_beside_the_weights(kind, tmp_path, monkeypatch):
    of_all_kinds()[kind].save_pretrained(tmp_path / "weights")
    for name in ("scene.tif", "before.tif", "after.tif"):
        write(tmp_path / "weights" / name, land(160, 136), names=NAMES)
    code = re.search(r"```python\n(.*?)```", (tmp_path / "weights/README.md").read_text(), re.DOTALL)[1]
    assert len(code.splitlines()) == 5
    monkeypatch.chdir(tmp_path / "weights")
    made = {}
    exec(code, made)
    answer = made["embedding" if kind == "pretraining" else "classes"]
    shapes = {"pretraining": (1, 16, 16, 32), "classification": (1,), "segmentation": (1, 128, 128)}
    assert answer.shape == shapes.get(kind, (1, 128, 128))


def test_the_front_matter_stands_first_and_the_mark_behind_it():
    text = model_card(describe(small_weights()))
    assert text.startswith("---\nlibrary_name: spectralgpt\n")
    head, behind = text[4:].split("\n---\n", 1)
    assert behind.startswith(MARK)
    assert MARK not in head


@pytest.mark.parametrize("kind", of_all_kinds())
def test_what_the_hub_reads(kind):
    data = card_of(of_all_kinds()[kind]).data
    assert data.license == "unknown"
    assert {"remote-sensing", "multispectral", "sentinel-2"} <= set(data.tags)
    assert ("change-detection" in data.tags) == (kind == "change")
    expected = {"pretraining": "image-feature-extraction", "classification": "image-classification"}
    assert data.pipeline_tag == expected.get(kind, "image-segmentation")


def test_another_sensor_is_not_called_sentinel_2():
    bands = [replace(band, sensor="airborne") for band in BANDS]
    model = small_weights(bands=BandSet.native(bands))
    assert "sentinel-2" not in card_of(model).data.tags


@pytest.mark.parametrize(
    ("provenance", "license", "name", "said"),
    [
        ({}, "unknown", None, "These weights declare no licence."),
        ({"license": "Apache-2.0"}, "apache-2.0", None, "Licence: Apache-2.0."),
        ({"license": "My own: ask | me <first>"}, "other", "my-own-ask-me-first", "ask \\| me &lt;first>"),
        ({"license": "???"}, "other", None, "Licence: ???."),
        ({"converted_from": "SpectralGPT.pth"}, "unknown", None, "`SpectralGPT.pth`; its authors' terms apply"),
    ],
)
def test_licence(provenance, license, name, said):
    model = small_weights()
    model.provenance = provenance
    card = card_of(model)
    assert (card.data.license, card.data.to_dict().get("license_name")) == (license, name)
    assert said in card.text


def test_what_provenance_says_stays_in_its_cell():
    model = small_weights()
    model.provenance = {"data": "a\n\n# b | c", "resized": ["one", "two"], "steps": 3, "made by": {"x": 1}}
    text = card_of(model).text
    for row in ("| data | a # b \\| c |", "| resized | one; two |", "| steps | 3 |", "| made by | x 1 |"):
        assert row in text.splitlines()


def test_it_is_of_the_weights_and_of_nothing_else(tmp_path):
    model = of_all_kinds()["classification"]
    first = model_card(describe(model))
    model.save_pretrained(tmp_path / "one")
    assert model_card(describe(open_weights(tmp_path / "one"))) == first
    assert (tmp_path / "one/README.md").read_text() == first
    with torch.no_grad():
        model.head.out.bias += 1
    assert model_card(describe(model)) != first


def test_the_description_counts_and_names():
    said = describe(of_all_kinds()["classification"].resized(64))
    model = of_all_kinds()["classification"]
    assert said.parameters == sum(each.numel() for each in model.resized(64).parameters())
    assert said.parameters - said.encoder_parameters == 32 * 4 + 4
    assert said.positions[0] == "place 8 x 8"
    assert (said.size, said.classes, said.image) == ("32 x 2", 4, 64)
    assert "linear" in said.head
    assert "resized: encoder.positions.place from 16 x 16 to 8 x 8 places" in said.provenance


def test_statistics_of_sensors_that_the_bands_are_not_of_are_folded_up():
    said = describe(small_weights())
    other = replace(said.statistics[0], band=replace(said.statistics[0].band, sensor="planet-sd8"))
    card = model_card(replace(said, statistics=(*said.statistics, other)))
    shown, _, folded = card.partition("<details>")
    assert "<summary>1 band of 1 other sensor</summary>" in folded
    assert ("planet-sd8" in shown, "planet-sd8" in folded) == (False, True)
    assert all(f"| {each.band.name} | {each.band.sensor} | {each.mean:.6g} |" in shown for each in said.statistics)
    assert "<details>" not in model_card(said)


@pytest.mark.parametrize("content", [b"my own words", "Gewichte für uns".encode("latin-1"), b"a\r\nb\r\n"])
def test_a_persons_card_is_kept_to_the_byte(tmp_path, content):
    small_weights().save_pretrained(tmp_path / "one")
    (tmp_path / "one/README.md").write_bytes(content)
    small_weights(seed=3).save_pretrained(tmp_path / "one")
    assert (tmp_path / "one/README.md").read_bytes() == content


@pytest.mark.parametrize("kind", of_all_kinds())
def test_it_says_what_the_weights_are(tmp_path, kind):
    model = of_all_kinds()[kind]
    model.provenance |= {"data": "made | up", "license": "apache-2.0"}
    model.save_pretrained(tmp_path / "one")
    card = ModelCard.load(tmp_path / "one" / "README.md")
    assert card.data.license == "apache-2.0"
    assert card.data.library_name == "spectralgpt"
    assert {"remote-sensing", "sentinel-2"} <= set(card.data.tags)
    for part in (model.fingerprint(), model.task.name, "made \\| up", "B8A", "standard"):
        assert part in card.text
    type(model).from_pretrained(tmp_path / "one").save_pretrained(tmp_path / "two")
    assert (tmp_path / "two/README.md").read_text() == (tmp_path / "one/README.md").read_text()
