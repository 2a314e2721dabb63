"""Advice in messages, followed to the letter, works; notes that name a choice of bands too."""

import ast
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from made_rasters import PLACE, land, write

from spectralgpt.bands import sensor
from spectralgpt.checks import check
from spectralgpt.checks.typical import typical
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


def stored(names: list[str], scale: float, offset: float = 0.0, seed: int = 0, level: str = "L2A") -> np.ndarray:
    """Usual reflectance of a level as it is stored with a scale and an offset; some pixels are dark."""
    table = typical(level)
    places = [int(np.argmin(np.abs(table.wavelength - sensor("s2-l1c").band(name).wavelength))) for name in names]
    rng = np.random.default_rng(seed)
    light = rng.multivariate_normal(table.mean, table.covariance / 2 + 0.002 * np.eye(len(table.mean)), (64, 64))
    light[:6] -= 2.0 if level == "L2A" else 0.0  # water
    values = np.maximum(np.exp(light[..., places]) - table.darkest, 1e-4)
    return (np.moveaxis(values, -1, 0) + offset) / scale


TWELVE = list(sensor("s2-l2a").names)
FOUR = ["B2", "B3", "B4", "B8"]

FLAGGED = [
    ("scale", TWELVE, "uint16", 1e-4 / 4, 0.0, {}),
    ("units", TWELVE, "float32", 0.01, 0.0, {}),
    ("units", FOUR, "float32", 1 / 255, 0.0, {}),
    ("units", TWELVE, "uint16", 1e-4 / 12, 0.0, {"file": "S2A_MSIL2A_20200301T101021_N0214_R022_T32UQD_x.tif"}),
    ("scale", TWELVE, "float32", 10.0, 0.0, {}),
    ("offset", TWELVE, "uint16", 1e-4, 0.1, {}),
    ("offset", FOUR, "uint16", 1e-4, 0.1, {}),
    ("offset", TWELVE, "int16", 1e-4, -0.1, {"tags": {"BOA_ADD_OFFSET": "0"}}),
    ("offset", TWELVE, "int16", 1e-4, 0.0, {"tags": {"BOA_ADD_OFFSET": "-1000"}}),
    ("offset", TWELVE, "float32", 1.0, 0.1, {}),
    ("offset", TWELVE, "uint16", 1e-4, 0.0, {"scales": [1e-4] * 12, "offsets": [-0.1] * 12}),
    ("order", TWELVE, "uint16", 1e-4, 0.0, {"written": [*TWELVE[:3], "B8", *TWELVE[4:7], "B4", *TWELVE[8:]]}),
    ("order", TWELVE, "float32", 1.0, 0.0, {"written": TWELVE[::-1]}),
    ("level", TWELVE, "uint16", 1e-4, 0.0, {"level": "L1C"}),
    ("level", TWELVE, "float32", 1.0, 0.0, {"level": "L1C"}),
]


@pytest.mark.parametrize(("kind", "names", "dtype", "scale", "offset", "how"), FLAGGED)
def test_advice_of_flags_and_notes_followed_to_the_letter_works(tmp_path, kind, names, dtype, scale, offset, how):
    level, file = how.get("level", "L2A"), how.get("file", "scene.tif")
    values = stored(names, scale, offset, level=level)
    values = values.astype(dtype) if dtype == "float32" else np.clip(values, np.iinfo(dtype).min, 60000).astype(dtype)
    more = {key: how[key] for key in ("tags", "scales", "offsets") if key in how}
    path = write(tmp_path / file, values, names=how.get("written", names), **more)
    choice = "s2-l2a" if kind != "level" else None
    with open_raster(path, bands=choice) as raster:
        texts = {flag.kind: flag.text for flag in check(raster, trust=True).flags}
    assert kind in texts, texts
    followed = as_written(texts[kind], path, tmp_path)
    with open_raster(path, **({"bands": choice} | followed if choice else followed)) as raster:
        left = {flag.kind for flag in check(raster, trust=True).flags}
        assert not raster.conflicts
    assert kind not in left


def as_written(text: str, path: Path, folder: Path) -> dict[str, str]:
    """Do what a flag or note says: write these lines, run this command, and return the argument that it gives."""
    edit = re.search(r"`gdal_edit.py -scale (\S+) -offset (\S+) FILE`", text)
    if edit:  # not installed with rasterio, which writes the same tags
        with rasterio.open(path, "r+") as dataset:
            dataset.scales = [float(edit[1])] * dataset.count
            dataset.offsets = [float(edit[2])] * dataset.count
        return {}
    lines = re.findall(r"`(\w+ = [^`]+)`", text)
    (value,) = re.findall(r"bands=('[^']*')", text)
    given = str(ast.literal_eval(value))
    assert (given == "mine.toml") == bool(lines), "a sensor file comes with its lines"
    if lines:
        (folder / given).write_text("\n".join(lines))
        given = str(folder / given)
    return {"bands": given}
