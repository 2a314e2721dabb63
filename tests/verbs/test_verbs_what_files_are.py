"""What is given in the wrong place is named as what it is."""

import pytest
import torch
from made_rasters import NAMES, land, write

from spectralgpt import embed, inspect, probe
from spectralgpt.errors import InputError, OptionError, TargetError
from spectralgpt.version import RULES

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 394000000\n"


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SPECTRALGPT_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def folder(tmp_path):
    below = tmp_path / "scenes"
    below.mkdir()
    for index in range(3):
        write(below / f"scene_2020-05-0{index + 1}.tif", land(32, 32, index), names=NAMES)
    return below


@pytest.mark.parametrize("name", ["a.tif", "a.jp2", "a.pth", "a.safetensors", "w/model.safetensors", "w/config.json"])
def test_a_pointer_of_git_lfs(tmp_path, scene, name):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(POINTER)
    if name == "w/model.safetensors":
        (path.parent / "config.json").write_text(
            '{"model": {}, "bands": {}, "normalization": {}, "read_out": {}, "provenance": {}}'
        )
    given = path.parent if name.startswith("w/") else path
    is_source = name.endswith((".tif", ".jp2", ".pth"))
    with pytest.raises(InputError, match="is a pointer of Git LFS"):
        inspect(path) if is_source else embed(scene, tmp_path / "out.tif", weights=given)


@pytest.mark.parametrize("name", ["scene", "notes.txt", "weights.pt"])
def test_a_file_that_is_no_weights(tmp_path, scene, name):
    given = scene if name == "scene" else tmp_path / name
    if name != "scene":
        torch.save({}, given)
    with pytest.raises(InputError, match=r"is a file, but no weights by the ending of its name.*Give a weights folder"):
        embed(scene, tmp_path / "out.tif", weights=given)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_one_file_of_a_weights_folder(tmp_path, scene, weights, name):
    with pytest.raises(InputError, match="expected the folder that holds it") as caught:
        embed(scene, tmp_path / "out.tif", weights=weights / name)
    assert str(weights) in caught.value.do


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_a_table_of_other_sources(tmp_path, folder, ending):
    target = tmp_path / f"out{ending}"
    embed([folder / "scene_2020-05-01.tif"], target, weights="untrained")
    before = target.read_bytes()
    with pytest.raises(TargetError, match="exists, and is a result of other sources"):
        embed([folder / "scene_2020-05-02.tif"], target, weights="untrained")
    assert target.read_bytes() == before
    embed([folder / "scene_2020-05-02.tif"], target, weights="untrained", overwrite=True)
    assert target.read_bytes() != before


@pytest.mark.parametrize("text", ["a,b\n1,2\n", "path,date\nx.tif,2020\n", "path,geometry,date\n"])
def test_a_table_that_is_no_result(tmp_path, folder, text):
    target = tmp_path / "out.csv"
    target.write_text(text)
    with pytest.raises(TargetError, match="is no result of spectralgpt"):
        embed(folder, target, weights="untrained")
    with pytest.raises(InputError, match="found a table"):
        inspect(target)


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_inspect_describes_a_table_of_embeddings(tmp_path, folder, ending):
    made = embed(folder, tmp_path / f"out{ending}", weights="untrained")
    found = inspect(made.target)
    assert (found.images, found.values, found.weights) == (3, made.values, made.fingerprint)
    assert (found.rules, found.dates, found.valid) == (str(RULES), ("2020-05-01", "2020-05-03"), 1.0)
    assert f"embeddings of 3 images, {made.values} values each" in str(found)
    with pytest.raises(OptionError, match="is a table"):
        inspect(made.target, picture=tmp_path / "a.png")


@pytest.mark.parametrize("name", ["x.jpg", "x.tif", "x", "x.png.bak"])
def test_a_picture_is_a_png(tmp_path, scene, name):
    with pytest.raises(TargetError, match=r"expected one that ends in \.png"):
        inspect(scene, picture=tmp_path / name)
    assert not (tmp_path / name).exists()
    inspect(scene, picture=tmp_path / "x.PNG")
    assert (tmp_path / "x.PNG").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("name", ["a.tif", "a.zip", "a.txt"])
def test_labels_are_no_single_file(tmp_path, scene, name):
    file = scene.rename(tmp_path / name)
    with pytest.raises(InputError, match="expected labelled images: a folder with one folder per class"):
        probe(file, weights="untrained")
