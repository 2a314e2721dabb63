"""Advice in messages, followed to the letter, works; notes that name a choice of bands too."""

import ast
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from affine import Affine
from made_rasters import PLACE, land, write

from spectralgpt.bands import sensor
from spectralgpt.errors import InputError
from spectralgpt.products import open_raster
from spectralgpt.verbs.inspect import inspect

COARSE = Affine(30.0, 0.0, 435730.0, 0.0, -30.0, 4179460.0)
FINE = Affine(3.0, 0.0, 435730.0, 0.0, -3.0, 4179460.0)

MINE = """scale = {scale}
offset = 0.0
bands = [
{rows}
]
"""
"""A sensor file as the message describes it: name, wavelength, fwhm and gsd of each band, scale and offset."""


def sensor_file(folder: Path, names: list[str], scale: float) -> str:
    """One with these names, each band somewhere between 450 and 2400 nm."""
    rows = [
        f'{{ name = "{name}", wavelength = {450 + 150 * index}, fwhm = 20, gsd = 10 }},'
        for index, name in enumerate(names)
    ]
    path = folder / "mine.toml"
    path.write_text(MINE.format(scale=scale, rows="\n".join(rows)))
    return str(path)


def image(folder: Path, names: list[str | None], name: str = "scene.tif", **how: Any) -> Path:
    values = land(40, 44, bands=len(names)).astype(how.pop("dtype", "uint16"))
    return write(folder / name, values, names=names, **how)


@dataclass(frozen=True)
class Bad:
    """A file whose message gives advice. says: part of it. names: of its bands. never: what advice must not say.
    not_first: what it must not begin with, as pixels of another size may have been resampled."""

    says: str
    names: tuple[str | None, ...]
    choice: str | None = None
    transform: Affine = PLACE
    dtype: str = "uint16"
    never: tuple[str, ...] = ()
    not_first: tuple[str, ...] = ()
    file: str = "scene.tif"


def counting(prefix: str, number: int) -> tuple[str, ...]:
    return tuple(f"{prefix}{each}" for each in range(1, number + 1))


BAD = [
    Bad("12 bands without names", (None,) * 12),
    Bad("13 bands without names", (None,) * 13),
    Bad("4 bands without names", (None,) * 4, transform=FINE, never=("cbers4-awfi",)),
    Bad("only count them", counting("Band ", 12)),
    Bad("only count them", counting("b", 13)),
    Bad("only count them", counting("Layer_", 8), transform=FINE),
    Bad("only count them", counting("B", 13)),
    Bad("B10", counting("B", 12), "s2-l2a"),
    Bad("could be those of", ("B2", "B3", "B4", "B5"), transform=COARSE, never=("s2-l2a", "s2-l1c")),
    Bad(
        "could be those of",
        ("B2", "B3", "B4", "B5", "B6", "B7"),
        transform=COARSE,
        dtype="int16",
        not_first=("s2-l2a",),
    ),
    Bad("could be those of", ("B05", "B06"), transform=COARSE),
    Bad("could be those of", ("blue", "green", "red", "nir"), transform=FINE, never=("s2-l2a", "naip")),
    Bad("could be those of", ("red", "green", "blue"), dtype="uint8"),
    Bad("could be those of", ("B2", "B3", "B4"), dtype="float32"),
    Bad("which no sensor has", ("B02", "B03", "VV")),
    Bad("which no sensor has", ("B2", "B3", "VV"), transform=COARSE, never=("s2-l2a",)),
    Bad("which no sensor has", ("B2", "B5", "B11", "VV"), transform=COARSE),
    Bad("which no sensor has", ("blau", "gruen")),
    Bad("without a name", ("B2", None, "B3")),
    Bad("without a name", ("B02", None, "B10")),
    Bad("does not have", ("B2", "B3", "B10"), "landsat5-c2l2", transform=COARSE),
    Bad("does not have", ("B2", "B3", "B10", "B8A"), "landsat8-c2l2", never=("B10",)),
    Bad("without names", (None,) * 3, "s2-l2a"),
    Bad("without names", (None,) * 7, "s2-l2a", transform=COARSE),
    Bad("digital numbers", tuple(sensor("landsat8-l1").names), "landsat8-l1"),
    Bad("digital numbers", ("coastal_blue", "blue", "green_i"), file="a_3B_AnalyticMS_8b.tif", transform=FINE),
]


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: f"{bad.says}-{bad.names[0]}-{len(bad.names)}-{bad.dtype}")
def test_advice_of_a_refused_file_opens_it(bad, tmp_path):
    path = image(tmp_path, list(bad.names), bad.file, transform=bad.transform, dtype=bad.dtype)
    refused = refusal(lambda: open_raster(path, bands=bad.choice))
    assert bad.says in str(refused)
    assert "..." not in str(refused)
    assert refused.advice or "List the names" in refused.do
    assert not (refused.advice and refused.advice[0][1] in bad.not_first)
    for name, value in refused.advice:
        assert not any(word in str(value) for word in bad.never), value
        follow(lambda **more: open_raster(path, **more), name, value, tmp_path, list(bad.names), bad.dtype == "uint8")


def test_advice_of_dates_with_other_bands_opens_them(tmp_path):
    images = [
        image(tmp_path, ["B02", "B03", "B04"], "a_2020-05-01.tif"),
        image(tmp_path, ["B02", "B04", "B8A"], "b_2020-06-01.tif"),
        image(tmp_path, ["B01", "B02", "B04"], "c_2020-07-01.tif"),
    ]
    refused = refusal(lambda: open_raster(images))
    ((name, value),) = refused.advice
    with open_raster(images, **{name: value}) as raster:
        assert [band.name for band in raster.bands] == ["B2", "B4"]


def test_dates_without_a_common_band_get_no_advice(tmp_path):
    images = [image(tmp_path, ["B02"], "a_2020-05-01.tif"), image(tmp_path, ["B8A"], "b_2020-06-01.tif")]
    assert refusal(lambda: open_raster(images)).advice == ()


def test_a_folder_with_names_that_only_count(tmp_path):
    for index in range(1, 8):
        image(tmp_path, [None], f"band{index}.tif", transform=COARSE)
    refused = refusal(lambda: open_raster(tmp_path))
    assert "'band1' to 'band7' only count them" in str(refused)
    for name, value in refused.advice:
        follow(lambda **more: open_raster(tmp_path, **more), name, value, tmp_path, ["x"])


@pytest.mark.parametrize(
    ("names", "choice", "transform", "says"),
    [
        (counting("B", 12), None, PLACE, "could also only count"),
        (counting("B0", 9), None, PLACE, "could also only count"),
        (("B02", "B03"), None, PLACE, "do not show the level"),
        (("B2_median", "B8A_median"), None, PLACE, "without their suffix _median"),
        (("B02", "B8A", "NDVI", "SCL"), None, PLACE, "left out NDVI, SCL"),
        (("B2", "B3", "B4", "B5"), "s2-l2a", COARSE, "found pixels of 30 m, which s2-l2a does not have"),
    ],
)
def test_choices_in_notes_work(names, choice, transform, says, tmp_path):
    path = image(tmp_path, list(names), transform=transform)
    with open_raster(path, bands=choice) as raster:
        notes = raster.warnings
    assert any(says in note for note in notes), notes
    for note in notes:
        for value in re.findall(r"bands=('[^']*')", note):
            with open_raster(path, bands=ast.literal_eval(value)) as raster:
                raster.read()


def test_the_advice_of_inspect_is_that_of_opening(tmp_path):
    path = image(tmp_path, ["B2", "B3", "B4", "B5"], transform=COARSE)
    refused = refusal(lambda: inspect(path))
    for name, value in refused.advice:
        assert inspect(path, **{name: value}).sensor == value


def refusal(call: Callable[[], Any]) -> InputError:
    with pytest.raises(InputError) as caught:
        call()
    return caught.value


def follow(
    call: Callable[..., Any], name: str, value: object, folder: Path, names: list[str | None], bytes_only: bool = False
) -> None:
    """Call again with advice. A sensor file is written as the message describes it, with the file's names."""
    if str(value).endswith(".toml"):
        assert value == "mine.toml"
        scale = 0.004 if bytes_only else 1e-4
        value = sensor_file(folder, [each or f"x{index}" for index, each in enumerate(names)], scale)
    with call(**{name: value}) as raster:
        assert np.isfinite(raster.read().reflectance()).all()
