"""The hub through its own client, over HTTP, from a server on this machine."""

import logging

import pytest
from huggingface_hub import constants
from huggingface_hub.utils import disable_progress_bars, enable_progress_bars

from fake_hub import TOKEN, serving
from made_weights import of_all_kinds, small_weights
from spectralgpt.errors import TargetError, WeightsError
from spectralgpt.weights import Classifier, SpectralGPT, open_weights


@pytest.fixture
def hub(tmp_path, monkeypatch):
    # constants that huggingface_hub read from the environment when it was imported
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no token"))
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.delenv("HUGGING_FACE_HUB_TOKEN", raising=False)
    monkeypatch.setattr(logging.getLogger("huggingface_hub"), "disabled", True)
    disable_progress_bars()
    with serving() as served:
        monkeypatch.setattr(constants, "ENDPOINT", served.endpoint)
        template = served.endpoint + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        yield served
    enable_progress_bars()


@pytest.mark.parametrize("kind", of_all_kinds())
def test_there_and_back(hub, kind, tmp_path):
    model = of_all_kinds()[kind]
    address = model.push_to_hub("me/model", token=TOKEN, private=True)
    assert address.startswith(f"{hub.endpoint}/me/model/commit/")
    model.save_pretrained(tmp_path / "local")
    assert hub.files("me/model") == {path.name: path.read_bytes() for path in (tmp_path / "local").iterdir()}
    back = type(model).from_pretrained("me/model", revision="main")
    assert back.fingerprint() == model.fingerprint()
    assert back.head_config == model.head_config
    assert not back.training
    assert type(open_weights("me/model")) is type(model)
    other = Classifier if kind != "classification" else SpectralGPT
    with pytest.raises(
        WeightsError, match=f"found weights for {model.task.name}; expected weights for {other.task.name}"
    ):
        other.from_pretrained("me/model")


def test_a_revision_is_that_and_no_other(hub):
    first, second = small_weights(), small_weights(seed=1)
    commit = first.push_to_hub("me/model", token=TOKEN).rpartition("/")[2]
    second.push_to_hub("me/model", token=TOKEN)
    assert SpectralGPT.from_pretrained("me/model").fingerprint() == second.fingerprint()
    assert SpectralGPT.from_pretrained("me/model", revision=commit).fingerprint() == first.fingerprint()
    with pytest.raises(WeightsError, match=r"me/model: is no folder here.*hub did not provide it"):
        SpectralGPT.from_pretrained("me/model", revision="no-such-branch")


def test_saved_and_pushed_in_one(hub, tmp_path):
    assert small_weights().save_pretrained(tmp_path / "here", push_to_hub=True, repo_id="me/model", token=TOKEN)
    assert hub.files("me/model")["config.json"] == (tmp_path / "here/config.json").read_bytes()
    assert hub.files("me/model").keys() == {"README.md", "config.json", "model.safetensors"}


def test_what_was_downloaded_needs_no_network(hub, tmp_path, monkeypatch):
    model = small_weights()
    model.push_to_hub("me/model", token=TOKEN)
    SpectralGPT.from_pretrained("me/model")
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    hub.asked.clear()
    assert SpectralGPT.from_pretrained("me/model").fingerprint() == model.fingerprint()
    assert SpectralGPT.from_pretrained("me/model", local_files_only=True).fingerprint() == model.fingerprint()
    for options in ({}, {"local_files_only": True}):
        with pytest.raises(WeightsError, match=r"me/other: is no folder here.*hub did not provide it"):
            SpectralGPT.from_pretrained("me/other", **options)
    with pytest.raises(TargetError, match=r"me/model: the Hugging Face hub refuses it"):
        model.push_to_hub("me/model", token=TOKEN)
    assert hub.asked == []


def test_a_folder_is_never_asked_for(hub, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    small_weights().save_pretrained("me/model")  # a folder that could be a name
    assert SpectralGPT.from_pretrained("me/model").fingerprint() == small_weights().fingerprint()
    with pytest.raises(WeightsError, match="does not exist"):
        SpectralGPT.from_pretrained(tmp_path / "nowhere")
    assert hub.asked == []


def test_what_is_not_there(hub):
    with pytest.raises(WeightsError, match=r"nobody/nothing: is no folder here.*\(.*404"):
        SpectralGPT.from_pretrained("nobody/nothing")
    hub.commits["me/empty"], hub.branches["me/empty"] = {}, {}
    hub.commit("me/empty", "main", {"notes.txt": b"nothing"})
    with pytest.raises(WeightsError, match=r"found no config\.json"):
        SpectralGPT.from_pretrained("me/empty")


@pytest.mark.parametrize(
    ("content", "found"), [(b"<html>", "is not valid JSON"), (b"{}", "found no model"), (b"", "is not valid JSON")]
)
def test_a_damaged_configuration(hub, content, found):
    small_weights().push_to_hub("me/model", token=TOKEN)
    hub.commit("me/model", "main", {"config.json": content})
    with pytest.raises(WeightsError, match=found):
        SpectralGPT.from_pretrained("me/model")


@pytest.mark.parametrize(
    ("name", "token", "said"),
    [
        ("me/model", "hf_wrong", "401"),
        ("me/model", None, "401"),
        ("others/model", TOKEN, "403"),
        ("a/b/c", TOKEN, "id"),
    ],
)
def test_what_one_may_not_write(hub, name, token, said):
    with pytest.raises(TargetError, match=rf"{name}: the .* hub refuses it \(.*{said}.*token.*login"):
        small_weights().push_to_hub(name, token=token)
    assert hub.commits == {}
