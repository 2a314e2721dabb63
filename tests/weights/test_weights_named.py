"""Weights by name: those in the package, and the authors' checkpoints from the cache or a mirror."""

import hashlib
import shutil
import warnings
from pathlib import Path

import pytest
import torch

from made_weights import small_weights
from spectralgpt import SpectralGPT
from spectralgpt.bands import BandSet
from spectralgpt.errors import WeightsError
from spectralgpt.nn import Size
from spectralgpt.weights import Released, Segmenter, load_model, open_weights, packaged, to_released
from spectralgpt.weights.named import PUBLISHED, ZENODO_RECORD, is_named, name_note, versioned_name
from spectralgpt.weights.released import released_normalization

SEEDS = {"tiny-1": 1, "tiny-2": 2, "tiny-10": 3, "small-1": 4}
FILES = {each.name: each.file for each in PUBLISHED}


@pytest.fixture(scope="module")
def made_package(tmp_path_factory) -> Path:
    """A folder like that of the package's weights, with things beside them that are none."""
    folder = tmp_path_factory.mktemp("package") / "packaged_weights"
    for name, seed in SEEDS.items():
        small_weights(seed).save_pretrained(folder / name)
    (folder / "__pycache__").mkdir()
    (folder / "tiny-99").mkdir()
    (folder / "README.md").write_text("weights")
    return folder


@pytest.fixture
def package(made_package, monkeypatch, tmp_path) -> Path:
    """These weights are the package's; the working directory is empty."""
    monkeypatch.setattr("spectralgpt.weights.named.PACKAGED_FOLDER", made_package)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return made_package


def fingerprint(name: str) -> str:
    return small_weights(SEEDS[name]).fingerprint()


def released_state(depth: int = 1) -> dict[str, torch.Tensor]:
    """A checkpoint of the released format: the width of the base size, fewer blocks."""
    bands = BandSet.native(small_weights().config.bands.bands)
    size = Size(768, depth, 12, 512, 1, 16)
    nodes = tuple(group.wavelength for group in bands.groups)
    model = small_weights(size=size, bands=bands, place_nodes=(12, 12), image=96, spectrum_nodes=nodes)
    model.normalization = released_normalization()
    with torch.no_grad():
        for name, table in model.named_parameters():
            if name.endswith(("season", "elapsed", "scale")):
                table.zero_()
    return to_released(model.state_dict(), Released(model.task, model.config))


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    return released_state()


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    """The folder for checkpoints in an empty cache."""
    monkeypatch.setenv("SPECTRALGPT_CACHE", str(tmp_path / "cache"))
    (tmp_path / "cache" / "weights").mkdir(parents=True)
    return tmp_path / "cache" / "weights"


@pytest.mark.parametrize(
    ("asked", "found"), [("tiny", "tiny-10"), ("tiny-1", "tiny-1"), ("tiny-2", "tiny-2"), ("small", "small-1")]
)
def test_a_name_is_the_newest_and_a_version_that_one(package, asked, found):
    assert open_weights(asked).fingerprint() == fingerprint(found)
    assert SpectralGPT.from_pretrained(asked).fingerprint() == fingerprint(found)
    assert load_model(asked, "cpu").fingerprint() == fingerprint(found)
    assert versioned_name(asked) == found


def test_what_is_in_the_package(package, monkeypatch, tmp_path):
    assert [str(each) for each in packaged()] == ["small-1", "tiny-10", "tiny-2", "tiny-1"]
    assert packaged()[0].bytes == sum(each.stat().st_size for each in (package / "small-1").iterdir())
    monkeypatch.setattr("spectralgpt.weights.named.PACKAGED_FOLDER", tmp_path / "none")
    assert packaged() == ()


@pytest.mark.parametrize("asked", ["tiny-3", "tiny-0", "tiny-99"])
def test_an_unknown_version_names_those_that_come(package, asked):
    with pytest.raises(WeightsError, match=rf"{asked}: .*; expected one of: tiny-10, tiny-2, tiny-1\."):
        open_weights(asked)


@pytest.mark.parametrize(
    ("asked", "near"), [("tny", "tiny"), ("Tiny", "tiny"), ("spectralgpt-bas", "spectralgpt-base"), ("x-1", "")]
)
def test_an_unknown_name_says_what_comes(package, asked, near):
    with pytest.raises(WeightsError, match=rf"^{asked}: does not exist\.") as caught:
        open_weights(asked)
    assert "in the package are small-1, tiny-10, tiny-2, tiny-1" in str(caught.value)
    assert (f"Did you mean {near}?" in str(caught.value)) is bool(near)


@pytest.mark.parametrize("asked", ["tiny", "tiny-1", "small"])
def test_without_packaged_weights_a_name_is_unknown(monkeypatch, tmp_path, asked):
    monkeypatch.setattr("spectralgpt.weights.named.PACKAGED_FOLDER", tmp_path)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(WeightsError, match=rf"^{asked}: does not exist\..*no weights come with this version"):
        open_weights(asked)
    assert not is_named(asked)


def test_none_given_is_the_newest_tiny_wherever_one_is(package):
    small_weights(7).save_pretrained(Path("tiny"))  # not asked for
    assert load_model(None, "cpu").fingerprint() == fingerprint("tiny-10")
    assert versioned_name(None) == "tiny-10"


def test_none_given_and_none_packaged_is_an_error(monkeypatch, tmp_path, package):
    shutil.copytree(package / "small-1", tmp_path / "other" / "small-1")
    for folder in (tmp_path / "none", tmp_path / "other"):
        monkeypatch.setattr("spectralgpt.weights.named.PACKAGED_FOLDER", folder)
        with pytest.raises(WeightsError) as caught:
            load_model(None, "cpu")
        assert str(caught.value) == (
            "no weights are given, and none come with this version; expected a weights folder, a released checkpoint "
            "(.pth) or a model on the Hugging Face hub. Install a version that comes with weights, "
            "or give some, like weights='weights/'"
        )


@pytest.mark.parametrize(
    ("name", "instead"), [("tiny", "tiny-10 is their name, too"), ("tiny-2", "rename"), ("spectralgpt-base", "rename")]
)
def test_a_path_counts_before_a_name_and_that_is_said(package, name, instead):
    assert name_note(name) == ""
    small_weights(7).save_pretrained(Path(name))
    with pytest.warns(UserWarning, match=f"{name}: {Path(name).resolve()} was taken.*{instead}"):
        assert SpectralGPT.from_pretrained(name).fingerprint() == small_weights(7).fingerprint()
    assert open_weights(name).fingerprint() == small_weights(7).fingerprint()
    assert versioned_name(name) == name
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        SpectralGPT.from_pretrained(f"./{name}")  # says itself that it is a path
        SpectralGPT.from_pretrained(Path(name).resolve())


@pytest.mark.parametrize("kind", ["folder", "file", "images"])
def test_a_path_that_is_no_weights_says_so_and_names_the_others(package, kind):
    if kind == "file":
        Path("tiny").write_text("notes")
    else:
        Path("tiny").mkdir()
    if kind == "images":
        (Path("tiny") / "a.tif").write_text("image")
    with pytest.raises(WeightsError, match=r"^tiny: .*tiny-10 is their name, too"):
        open_weights("tiny")
    assert open_weights("tiny-10").fingerprint() == fingerprint("tiny-10")


def test_a_damaged_packaged_folder_is_named(package, monkeypatch, tmp_path):
    shutil.copytree(package / "tiny-1", tmp_path / "package" / "tiny-1")
    (tmp_path / "package" / "tiny-1" / "model.safetensors").write_bytes(b"cut")
    monkeypatch.setattr("spectralgpt.weights.named.PACKAGED_FOLDER", tmp_path / "package")
    with pytest.raises(WeightsError, match=r"tiny-1.*model\.safetensors: is damaged"):
        open_weights("tiny")


@pytest.mark.parametrize(("name", "file"), FILES.items())
def test_a_published_checkpoint_is_taken_from_the_cache(cache, state, name, file):
    torch.save({"model": state}, cache / file)
    model = SpectralGPT.from_pretrained(name)
    assert model.config.size.heads == 12
    assert model.provenance == {"converted_from": file}
    assert model.fingerprint() == SpectralGPT.from_pretrained(cache / file).fingerprint()
    assert open_weights(name).task.name == "pretraining"
    assert [each.name for each in cache.iterdir()] == [file]
    with pytest.raises(WeightsError, match="found a checkpoint for pretraining; expected one for segmentation"):
        Segmenter.from_pretrained(name)


@pytest.mark.parametrize(("name", "file"), FILES.items())
def test_a_published_checkpoint_that_is_missing_says_where_it_is(cache, name, file):
    for given in (name, Path(name)):
        with pytest.raises(WeightsError) as caught:
            open_weights(given)
        said = str(caught.value)
        assert f"found no {file} in {cache}" in said
        assert f"{ZENODO_RECORD}/files/{file}?download=1" in said
        assert f"{name}@OWNER/NAME" in said


def test_a_published_checkpoint_without_a_cache(monkeypatch):
    monkeypatch.setattr("spectralgpt.weights.named.user_cache", lambda: None)
    with pytest.raises(WeightsError, match="in the folder that SPECTRALGPT_CACHE names"):
        open_weights("spectralgpt-base")


@pytest.mark.parametrize("fault", ["missing", "shape", "cut off", "nan"])
def test_a_file_that_is_not_that_checkpoint_is_refused(cache, state, fault):
    broken = dict(state)
    if fault == "missing":
        del broken["blocks.0.attn.k.weight"]
    if fault == "shape":
        broken["norm.weight"] = torch.zeros(5)
    if fault == "nan":
        broken["norm.bias"] = broken["norm.bias"] * float("nan")
    path = cache / FILES["spectralgpt-base"]
    torch.save(broken, path)
    if fault == "cut off":
        path.write_bytes(path.read_bytes()[:3000])
    before = hashlib.sha256(path.read_bytes()).digest()
    words = {
        "missing": r"blocks\.0\.attn\.k\.weight",
        "shape": r"norm\.weight",
        "nan": r"norm",
        "cut off": "checkpoint",
    }
    with pytest.raises(WeightsError, match=words[fault]):
        open_weights("spectralgpt-base")
    assert hashlib.sha256(path.read_bytes()).digest() == before


def test_a_mirror_is_asked_for_the_published_file(cache, state, monkeypatch, tmp_path):
    asked = []

    def download(name: str, file: str, **hub: object) -> str:
        asked.append((name, file, hub))
        if name == "me/none":
            raise OSError("no such file\nand more")
        return str(tmp_path / file)

    monkeypatch.setattr("spectralgpt.weights.hub.hf_hub_download", download)
    for name, file in FILES.items():
        torch.save({"model": state}, tmp_path / file)
        assert SpectralGPT.from_pretrained(f"{name}@me/mirror", revision="x").provenance == {"converted_from": file}
    assert asked == [("me/mirror", file, {"revision": "x"}) for file in FILES.values()]
    with pytest.raises(WeightsError, match=r"did not provide SpectralGPT\.pth \(no such file\)"):
        open_weights("spectralgpt-base@me/none")


@pytest.mark.parametrize("mirror", ["me", "me/a/b", "/x"])
def test_a_mirror_that_is_no_name_on_the_hub(mirror):
    with pytest.raises(WeightsError, match=r"no name on the Hugging Face hub; expected spectralgpt-base@OWNER/NAME"):
        open_weights(f"spectralgpt-base@{mirror}")


def test_a_name_is_no_path():
    assert is_named("spectralgpt-base")
    assert is_named("spectralgpt-plus-base@me/mirror")
    for other in ("spectralgpt", "me/spectralgpt-base", "scene.tif", "", "TINY-1", "tiny-" + "9" * 5000):
        assert not is_named(other)
