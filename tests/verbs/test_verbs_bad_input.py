"""What a user gets wrong: exit 2, one clear message, nothing left behind."""

import os
import pickle
import shutil

import numpy as np
import pytest
import torch
from made_rasters import NAMES, land, listing, write

from spectralgpt.raster import SENSOR_TAG


def not_a_raster(folder):
    (folder / "in.tif").write_text("no pixels here")
    return folder / "in.tif"


def cut_in_the_header(folder):
    path = write(folder / "in.tif", land(64, 64), names=NAMES)
    path.write_bytes(path.read_bytes()[:90])
    return path


def cut_in_the_pixels(folder):
    path = write(folder / "in.tif", land(256, 256), names=NAMES, compress="deflate")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


def empty(folder):
    (folder / "in.tif").touch()
    return folder / "in.tif"


def folder_without_images(folder):
    (folder / "in").mkdir()
    (folder / "in" / "notes.txt").write_text("nothing")
    return folder / "in"


def not_there(folder):
    return folder / "nowhere.tif"


def unknown_names(folder):
    return write(folder / "in.tif", land(64, 64, bands=2), names=("B02", "B77"))


def repeated_names(folder):
    return write(folder / "in.tif", land(64, 64, bands=2), names=("B2", "B02"))


def no_names(folder):
    return write(folder / "in.tif", land(64, 64, bands=2))


def no_band_the_model_knows(folder):
    # as dark as cirrus is; in brighter values it would be the units that are refused
    return write(folder / "in.tif", land(64, 64, bands=1) // 150, names=("B10",), tags={SENSOR_TAG: "s2-l1c"})


def full_of_nan(folder):
    return write(folder / "in.tif", np.full((13, 64, 64), np.nan, "float32"), names=NAMES)


def absurd_sizes(folder):
    path = write(folder / "in.tif", land(64, 64, bands=2), names=("B02", "B03"), tiled=False)
    content = bytearray(path.read_bytes())
    start = int.from_bytes(content[4:8], "little")
    for entry in range(int.from_bytes(content[start : start + 2], "little")):
        at = start + 2 + 12 * entry
        if int.from_bytes(content[at : at + 2], "little") in (256, 257):  # width, height
            content[at + 2 : at + 4] = (4).to_bytes(2, "little")
            content[at + 8 : at + 12] = (2_000_000_000).to_bytes(4, "little")
    path.write_bytes(content)
    return path


IMAGES = [
    not_a_raster,
    cut_in_the_header,
    cut_in_the_pixels,
    empty,
    folder_without_images,
    not_there,
    unknown_names,
    repeated_names,
    no_names,
    no_band_the_model_knows,
    full_of_nan,
    absurd_sizes,
]


REFUSED = [
    # verbs open an image in the same way: of reconstruct, one kind that is refused on opening and one while it is read
    pytest.param(
        make,
        verb,
        marks=[pytest.mark.long] if verb == "reconstruct" and make not in (not_a_raster, full_of_nan) else [],
        id=f"{verb}-{make.__name__}",
    )
    for verb in ("embed", "reconstruct")
    for make in IMAGES
]


@pytest.mark.parametrize(("make", "verb"), REFUSED)
def test_images(make, verb, weights, tmp_path, spectralgpt):
    source = make(tmp_path)
    refused(spectralgpt, tmp_path, str(source), verb, source, tmp_path / "out.tif", "--weights", weights)


@pytest.mark.parametrize("bands", ["B02,B03,B04", "B2,B3", "s2-l9z", "B02,B99", "s2-l2a:B2,B99"])
def test_bands_that_do_not_fit(bands, weights, tmp_path, spectralgpt):
    source = write(tmp_path / "in.tif", land(64, 64, bands=2))
    refused(spectralgpt, tmp_path, "", "embed", source, tmp_path / "out.tif", "--weights", weights, "--bands", bands)


@pytest.mark.parametrize("target", ["nowhere/out.tif", "out", "taken.tif", "in.tif/out.tif"])
def test_targets(target, scene, weights, tmp_path, spectralgpt):
    write(tmp_path / "in.tif", land(64, 64), names=NAMES)
    (tmp_path / "taken.tif").mkdir()
    refused(spectralgpt, tmp_path, target, "embed", tmp_path / "in.tif", tmp_path / target, "--weights", weights)


def test_a_target_in_a_folder_that_cannot_be_written(scene, weights, tmp_path, spectralgpt):
    target = "/proc/out.tif"  # a folder that refuses root as well
    if not os.path.isdir("/proc"):
        pytest.skip("no folder here refuses everybody")
    refused(spectralgpt, tmp_path, target, "embed", scene, target, "--weights", weights)


def weights_not_there(folder, weights):
    return ("--weights", folder / "nowhere")


def weights_cut_in_half(folder, weights):
    shutil.copytree(weights, folder / "cut")
    path = folder / "cut" / "model.safetensors"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return ("--weights", folder / "cut")


def released_cut_in_half(folder, weights):
    torch.save({"model": {"a": torch.zeros(1000)}}, folder / "cut.pth")
    path = folder / "cut.pth"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return ("--weights", path)


class Runs:
    def __reduce__(self):
        return os.mkdir, (os.environ["SPECTRALGPT_TEST_RAN"],)


def pickle_that_runs_code(folder, weights):
    torch.save({"model": {"a": torch.zeros(3)}, "args": Runs()}, folder / "runs.pth")
    return ("--weights", folder / "runs.pth")


def plain_pickle_that_runs_code(folder, weights):
    (folder / "plain.pth").write_bytes(pickle.dumps(Runs()))
    return ("--weights", folder / "plain.pth")


WEIGHTS = [
    weights_not_there,
    weights_cut_in_half,
    released_cut_in_half,
    pickle_that_runs_code,
    plain_pickle_that_runs_code,
]


@pytest.mark.parametrize("make", WEIGHTS, ids=lambda make: make.__name__)
def test_weights(make, scene, weights, tmp_path, spectralgpt, monkeypatch):
    monkeypatch.setenv("SPECTRALGPT_TEST_RAN", str(tmp_path / "ran"))
    options = make(tmp_path, weights)
    named = str(options[1])
    refused(spectralgpt, tmp_path, named, "embed", scene, tmp_path / "out.tif", *options)
    assert not (tmp_path / "ran").exists()
    refused(spectralgpt, tmp_path, named, "convert", options[1], tmp_path / "converted")


@pytest.mark.parametrize("options", [("--overlap", "1"), ("--batch", "0"), ("--device", "abacus"), ("--per", "moon")])
def test_options(options, scene, weights, tmp_path, spectralgpt):
    refused(spectralgpt, tmp_path, options[0], "embed", scene, tmp_path / "out.tif", "--weights", weights, *options)


def test_a_source_is_never_overwritten(weights, tmp_path, spectralgpt):
    image = write(tmp_path / "in.tif", land(64, 64), names=NAMES)
    (tmp_path / "folder").mkdir()
    band = write(tmp_path / "folder" / "a_B02.tif", land(64, 64, bands=1))
    png = write(tmp_path / "pic.png", land(64, 64, bands=3), driver="PNG")
    for source, target, options in (
        (image, image, ()),
        (tmp_path / "folder", band, ("--bands", "s2-l2a")),
        (png, tmp_path / "pic.tif", ("--bands", "B04,B03,B02")),
    ):
        content = {path: path.read_bytes() for path in (image, band, png)}
        refused(spectralgpt, tmp_path, "one of the sources", "embed", source, target, "--weights", weights, *options)
        assert content == {path: path.read_bytes() for path in content}


@pytest.mark.parametrize("target", [".", "/", ""])
def test_a_target_without_a_name(target, scene, weights, tmp_path, spectralgpt):
    refused(spectralgpt, tmp_path, "folder", "reconstruct", scene, target, "--weights", weights)


def test_choices_of_the_python_face(scene, weights, tmp_path):
    from spectralgpt import InputError, embed

    for option, value in (("per", "moon"), ("dtype", "float64"), ("precision", "fp8"), ("bands_as", "mine")):
        with pytest.raises(InputError, match=value):
            embed(scene, tmp_path / "o.tif", weights=weights, **{option: value})


def test_too_many_dates(weights, tmp_path, spectralgpt):
    values = land(32, 32)
    days = [f"2020-{1 + i // 28:02}-{1 + i % 28:02}" for i in range(65)]
    paths = [write(tmp_path / f"{day}.tif", values, names=NAMES) for day in days]
    refused(spectralgpt, tmp_path, "fewer dates", "embed", *paths, tmp_path / "out.tif", "--weights", weights)


def test_demo_of_a_scene_that_is_too_small(scene, tmp_path, spectralgpt):
    refused(spectralgpt, tmp_path, str(scene), "demo", tmp_path / "demo", "--scene", scene)


def refused(spectralgpt, folder, named, *arguments):
    """Exit 2, a message that names what is wrong, no traceback, and nothing that was not there before."""
    before = listing(folder)
    ended = spectralgpt(*arguments)
    assert ended.code == 2, ended.out + ended.err
    assert named in ended.err
    assert "Traceback" not in ended.err
    assert ended.out == ""
    assert 0 < len(ended.err.strip().splitlines()) <= 8, ended.err
    assert listing(folder) == before
