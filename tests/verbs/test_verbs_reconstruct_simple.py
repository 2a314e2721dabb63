"""What `reconstruct` says of the simple way: on this image, per band, or why not."""

import math

import numpy as np
import pytest
from made_rasters import NAMES, land, write

from spectralgpt import reconstruct


@pytest.fixture
def series(tmp_path):
    """Three dates of one place, each band linear in time."""
    first, last = land(72, 64).astype(float), land(72, 64, 1)[::-1] + 400.0
    days = {"2020-05-01": 0.0, "2020-05-11": 0.25, "2020-06-10": 1.0}
    return [
        write(tmp_path / f"s_{day}.tif", np.rint(first + share * (last - first)).astype(np.uint16), names=NAMES)
        for day, share in days.items()
    ]


@pytest.mark.parametrize(
    ("hide", "way", "part"),
    [
        ("B11", "linear regression from the visible bands, fitted elsewhere in this image", False),
        ("0.5", "harmonic interpolation in space", True),
    ],
)
def test_the_table_has_a_column(scene, weights, tmp_path, hide, way, part):
    result = reconstruct(scene, tmp_path / "out.tif", hide=hide, weights=weights)
    assert result.simple_way == way
    assert list(result.simple) == list(result.there) == list(result.error)
    assert result.simple == result.simple_ways[way]
    lines = str(result).splitlines()
    head = next(line for line in lines if line.startswith("   band"))
    assert head.split()[:-3] == ["band", "error", *(["there"] if part else []), "simple", "spread"]
    name = next(iter(result.error))
    row = next(line for line in lines if line.split()[0] == name)
    assert f"{result.simple[name]:.4f}" == row.split()[-2]
    said = next(line for line in lines if line.startswith("simple: "))
    assert said.startswith(f"simple: {way}")
    assert ("of the hidden pixels" in said) is part
    if not part:
        assert result.simple_share == 1.0
        assert result.there == pytest.approx(result.error, rel=1e-9)


def test_a_date_between_two(series, weights, tmp_path):
    """Both ways are reported, and the better one, which is exact here but for rounding, is named."""
    result = reconstruct(series, tmp_path / "out.tif", hide="2020-05-11", weights=weights)
    assert result.simple_way == "linear in time"
    assert list(result.simple_ways) == ["linear in time", "nearest visible date"]
    assert max(result.simple.values()) < 1e-4
    assert min(result.simple_ways["nearest visible date"].values()) > 1e-3
    assert "simple: linear in time (nearest visible date: 0." in str(result)


@pytest.mark.parametrize(
    ("hide", "why"),
    [
        ("B1,B4,B7,B9", "too few pixels with another band visible"),
        ("2020-05-01", "no other date visible"),
        ("0.0000001", "nothing hidden"),
    ],
)
def test_why_there_is_none(scene, weights, tmp_path, spectralgpt, hide, why):
    result = reconstruct(scene, tmp_path / "out.tif", hide=hide, weights=weights)
    assert result.simple_way == f"not measured ({why})"
    assert all(map(math.isnan, result.simple.values()))
    assert f"simple: not measured ({why})" in str(result)
    ended = spectralgpt("reconstruct", scene, tmp_path / "out.tif", "--hide", hide, "--weights", weights, "--json")
    assert set(ended.json["simple"].values()) <= {None}
    assert ended.json["simple_way"] == result.simple_way
    assert ended.json["simple_ways"] == {}
