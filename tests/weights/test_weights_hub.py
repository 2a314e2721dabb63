"""The hub, faked where the network begins: what is uploaded, what is downloaded, what goes wrong."""

import json
import shutil
from pathlib import Path

import httpx2
import pytest
import torch
from huggingface_hub import HfApi, ModelCard
from huggingface_hub.errors import LocalEntryNotFoundError, RepositoryNotFoundError

from made_weights import small_weights
from spectralgpt.errors import TargetError, WeightsError
from spectralgpt.nn import ChangeConfig, DenseConfig, PooledConfig
from spectralgpt.weights import ChangeDetector, Classifier, Segmenter, SpectralGPT, open_weights, pretrained

DENSE = {"widths": (32, 32, 64, 64), "levels": (16, 16, 16), "channels": 16}


def models() -> list:
    base = small_weights()
    return [
        base,
        Classifier.from_encoder(base, PooledConfig(classes=4, hidden=8, several=True)),
        Segmenter.from_encoder(base, DenseConfig(classes=3, **DENSE)),
        ChangeDetector.from_encoder(base, ChangeConfig(combine="concatenation", **DENSE)),
    ]


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A folder that answers for the hub; what huggingface_hub does in between is its own."""
    folder = tmp_path / "hub"

    class Created:
        def __init__(self, repo_id):
            self.repo_id = repo_id

    def create_repo(self, repo_id, **options):
        if repo_id == "others/model":
            raise refused(403)
        return Created(repo_id)

    def upload_folder(self, *, repo_id, folder_path, **options):
        shutil.copytree(folder_path, folder / repo_id)
        return f"https://hub/{repo_id}"

    def snapshot_download(name, *, allow_patterns, **options):
        if not (folder / name).exists():
            raise LocalEntryNotFoundError("no network, and not in the cache") if options else refused(404)
        return str(folder / name)

    monkeypatch.setattr(HfApi, "create_repo", create_repo)
    monkeypatch.setattr(HfApi, "upload_folder", upload_folder)
    monkeypatch.setattr(pretrained, "snapshot_download", snapshot_download)
    return folder


def refused(code: int) -> Exception:
    request = httpx2.Request("GET", "https://hub")
    return RepositoryNotFoundError(f"{code} from the hub", response=httpx2.Response(code, request=request))


@pytest.mark.parametrize("number", range(4))
def test_there_and_back(hub, number):
    model = models()[number]
    assert model.push_to_hub("somebody/model", private=True) == "https://hub/somebody/model"
    assert sorted(path.name for path in (hub / "somebody/model").iterdir()) == [
        "README.md",
        "config.json",
        "model.safetensors",
    ]
    back = type(model).from_pretrained("somebody/model", revision="main")
    assert type(open_weights("somebody/model")) is type(model)
    assert back.fingerprint() == model.fingerprint()
    assert back.head_config == model.head_config
    assert not back.training


def test_saved_and_pushed_in_one(hub, tmp_path):
    model = small_weights()
    assert model.save_pretrained(tmp_path / "here", push_to_hub=True, repo_id="somebody/model")
    assert (hub / "somebody/model/config.json").read_text() == (tmp_path / "here/config.json").read_text()


def test_weights_of_another_kind(hub):
    models()[1].push_to_hub("somebody/model")
    with pytest.raises(WeightsError, match=r"found weights of the kind classification; expected pretraining"):
        SpectralGPT.from_pretrained("somebody/model")


def test_what_the_hub_does_not_have(hub):
    with pytest.raises(WeightsError, match=r"nobody/nothing: found no such folder, and the Hugging Face hub gave no"):
        SpectralGPT.from_pretrained("nobody/nothing")
    with pytest.raises(WeightsError, match="no network, and not in the cache"):
        SpectralGPT.from_pretrained("nobody/nothing", local_files_only=True)


def test_a_damaged_download(hub):
    small_weights().push_to_hub("somebody/model")
    (hub / "somebody/model/config.json").write_text("<html>")
    with pytest.raises(WeightsError, match="found no readable JSON"):
        SpectralGPT.from_pretrained("somebody/model")


def test_what_one_may_not_write(hub):
    with pytest.raises(TargetError, match=r"others/model: found that the Hugging Face hub does not take it.*token"):
        small_weights().push_to_hub("others/model")


def test_what_is_local_needs_no_network(tmp_path, monkeypatch):
    def never(*arguments, **options):
        raise AssertionError("the network was asked")

    monkeypatch.setattr(pretrained, "snapshot_download", never)
    small_weights().save_pretrained(tmp_path / "here")
    SpectralGPT.from_pretrained(tmp_path / "here")
    with pytest.raises(WeightsError, match="found no such folder"):
        SpectralGPT.from_pretrained(tmp_path / "nowhere")


@pytest.mark.parametrize("number", range(4))
def test_the_card(tmp_path, number):
    model = models()[number]
    model.provenance |= {"data": "made | up", "license": "apache-2.0"}
    model.save_pretrained(tmp_path / "one")
    card = ModelCard.load(tmp_path / "one" / "README.md")
    assert card.data.license == "apache-2.0"
    assert card.data.library_name == "spectralgpt"
    assert {"remote-sensing", "sentinel-2"} <= set(card.data.tags)
    for part in (model.fingerprint(), model.kind, "made \\| up", "B8A", "standard"):
        assert part in card.text
    type(model).from_pretrained(tmp_path / "one").save_pretrained(tmp_path / "two")
    assert (tmp_path / "two/README.md").read_text() == (tmp_path / "one/README.md").read_text()


def test_a_card_of_a_person_is_kept(tmp_path):
    small_weights().save_pretrained(tmp_path / "one")
    (tmp_path / "one/README.md").write_text("my own words")
    small_weights(seed=3).save_pretrained(tmp_path / "one")
    assert (tmp_path / "one/README.md").read_text() == "my own words"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("head", {"classes": "many"}),
        ("head", {"classs": 3}),
        ("head", None),
        ("kind", "foo"),
        ("unknown", 1),
        ("image", "a"),
        ("image", 0),
        ("patch", 0),
    ],
)
def test_a_head_that_makes_no_model(tmp_path, key, value):
    models()[1].save_pretrained(tmp_path / "one")
    path = Path(tmp_path / "one/config.json")
    config = json.loads(path.read_text())
    config["model"][key] = value
    path.write_text(json.dumps(config))
    with pytest.raises(WeightsError, match="makes no model"):
        open_weights(tmp_path / "one")


def test_levels_of_a_dense_head_that_are_too_few(tmp_path):
    models()[2].save_pretrained(tmp_path / "one")
    path = tmp_path / "one/config.json"
    config = json.loads(path.read_text())
    config["model"]["head"]["widths"] = [32, 32]
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
    model = models()[2].eval()
    model.save_pretrained(tmp_path / "one")
    back = open_weights(tmp_path / "one")
    assert all(torch.equal(back.state_dict()[name], tensor) for name, tensor in model.state_dict().items())
