"""Every argument of inspect, embed, reconstruct and sensors, wrong in several ways, gets a sentence that names it."""

import inspect
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_rasters import land, write

import spectralgpt
from spectralgpt.errors import InputError

WRONG: tuple[Any, ...] = ({}, object(), [None], np.zeros((2, 2)), b"x", {"a"}, [{}])
"""Of a type that no argument takes."""

NO_NUMBER = ("ten", [10], True, None)

MAY_BE_NONE = ("gsd", "overlap", "batch", "max_hours")

NUMBERS = {"overlap": (-1, 1, float("nan")), "batch": (0, -1, 1.5), "min_valid": (-0.5, 5, float("nan")),
           "seed": (1.5,), "max_hours": (0, -1, float("nan")), "gsd": (0, -10, float("inf"))}  # fmt: skip

CASES = [
    (verb, name)
    for verb in ("inspect", "embed", "reconstruct")
    for name in inspect.signature(getattr(spectralgpt, verb)).parameters
    if name not in ("progress", "announce")
]


@pytest.fixture
def image(tmp_path) -> Path:
    return write(tmp_path / "a.tif", land(40, 44, bands=3).astype("u2"), names=["B2", "B3", "B4"])


def refusal(verb: str, image: Path, **given: Any) -> InputError:
    usual = {"sources": image, "bands": "s2-l2a"}
    if verb != "inspect":
        usual |= {"target": image.parent / "out.tif", "weights": "untrained"}
    with pytest.raises(InputError) as caught:
        getattr(spectralgpt, verb)(**(usual | given))
    assert [each.name for each in image.parent.iterdir()] == ["a.tif"], "something was written"
    return caught.value


@pytest.mark.parametrize(("verb", "name"), CASES)
def test_a_value_of_another_type(verb, name, image):
    for value in WRONG:
        refused = refusal(verb, image, **{name: value})
        assert str(refused).startswith(name), (value, str(refused))
        assert "; expected " in str(refused), (value, str(refused))


@pytest.mark.parametrize(("verb", "name"), [case for case in CASES if case[1] in NUMBERS])
def test_a_number_that_is_none(verb, name, image):
    for value in (*NUMBERS[name], *(each for each in NO_NUMBER if each is not None or name not in MAY_BE_NONE)):
        assert re.match(rf"{name}\b", str(refusal(verb, image, **{name: value}))), value


@pytest.mark.parametrize(
    ("verb", "name"), [case for case in CASES if case[1] in ("sources", "target", "picture", "aoi", "bands", "nodata")]
)
@pytest.mark.parametrize("empty", ["", " "])
def test_an_empty_text(verb, name, image, empty):
    assert re.match(rf"{name}\b", str(refusal(verb, image, **{name: empty})))


@pytest.mark.parametrize("name", [5, {}, ["s2-l2a"], None.__class__, b"s2-l2a", True])
def test_sensors_takes_a_name(name):
    with pytest.raises(InputError, match=r"^name.*; expected a text"):
        spectralgpt.sensors(name)


def arrays() -> dict[str, Any]:
    import torch

    values = land(40, 44, bands=3).astype("u2")
    found = {"array": values, "tensor": torch.from_numpy(values.astype("i4")), "plane": values[0], "list": [values]}
    try:
        import xarray
    except ImportError:
        return found
    labelled = xarray.DataArray(values, dims=("band", "y", "x"), coords={"band": ["B2", "B3", "B4"]})
    return found | {"xarray": labelled, "dataset": labelled.to_dataset("band")}


@pytest.mark.parametrize("verb", ["inspect", "embed", "reconstruct"])
@pytest.mark.parametrize("kind", arrays())
def test_arrays_in_place_of_paths_name_as_pixels(verb, kind, image):
    refused = refusal(verb, image, sources=arrays()[kind])
    assert str(refused).startswith("sources"), str(refused)
    assert "spectralgpt.as_pixels(" in str(refused)


@pytest.mark.parametrize("verb", ["inspect", "embed", "reconstruct"])
def test_lists_of_images_in_python_are_explained(verb, image):
    pixels = spectralgpt.as_pixels(land(40, 44, bands=3).astype("u2"), bands="s2-l2a:B2,B3,B4", trust_input=True)
    with spectralgpt.open_raster(image, bands="s2-l2a") as raster:
        for several in ([pixels], [pixels, pixels], [raster], [str(image), pixels]):
            refused = refusal(verb, image, sources=several)
            assert "one at a time" in str(refused)
            assert "as_pixels" in str(refused)


def test_an_iterator_of_paths_is_a_list_of_paths(image):
    found = spectralgpt.inspect(image.parent.glob("*.tif"), bands="s2-l2a")
    assert found.source == (image,)
