"""What weights are, through the command line."""

import pytest

from spectralgpt.weights import SpectralGPT


def test_a_folder(weights, spectralgpt):
    model = SpectralGPT.from_pretrained(weights)
    ended = spectralgpt("inspect", weights, "--json")
    assert ended.code == 0, ended.err
    told = ended.json
    assert told["fingerprint"] == model.fingerprint()
    assert told["kind"] == "pretraining"
    assert told["classes"] is None
    assert told["image"] == model.config.image
    assert told["bands"] == list(model.config.bands.names)
    assert told["parameters"] == sum(each.numel() for each in model.parameters())
    shown = spectralgpt("inspect", weights)
    for part in (told["fingerprint"], "standard", "B8A", f"{told['parameters']:,}"):
        assert part in shown.out


@pytest.mark.parametrize("content", [None, b"no weights", b""])
@pytest.mark.parametrize("name", ["a.pth", "scene.tif"])
def test_what_is_no_weights(tmp_path, spectralgpt, name, content):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    ended = spectralgpt("inspect", tmp_path / name)
    assert ended.code == 2
    assert "found" in ended.err
    assert "expected" in ended.err
    assert "Traceback" not in ended.err


def test_a_folder_of_other_things(tmp_path, spectralgpt):
    (tmp_path / "notes.txt").write_text("nothing")
    ended = spectralgpt("inspect", tmp_path)
    assert ended.code == 2
    assert "found no config.json" in ended.err


def test_an_unknown_kind(weights, spectralgpt):
    ended = spectralgpt("inspect", weights, "--kind", "everything")
    assert ended.code == 2
