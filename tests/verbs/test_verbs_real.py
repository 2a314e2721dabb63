"""Each verb on a real image; the demo from end to end on the packaged scene."""

import re
import shlex
import sys

import numpy as np
import pytest
import rasterio
from made_rasters import listing
from rio_cogeo.cogeo import cog_validate

from spectralgpt import embed, inspect, pretrain, reconstruct, shard
from spectralgpt.cli.docstring import parse
from spectralgpt.verbs.demo import RESULTS
from spectralgpt.weights import SpectralGPT


def test_two_dates_of_a_city(shared, weights, tmp_path, spectralgpt):
    """Rio, 384 x 353 pixels in EPSG:4326: places are where the image is, and the two dates are kept apart."""
    dates = sorted((shared / "data" / "s2_l1c_scenes").glob("oscd_rio_*.tif"))
    assert len(dates) == 2
    embedded = spectralgpt("embed", *dates, tmp_path / "vectors.tif", "--weights", weights, "--per", "date", "--json")
    assert embedded.code == 0, embedded.err
    assert (embedded.json["rows"], embedded.json["columns"], embedded.json["values"]) == (45, 48, 96)
    with rasterio.open(dates[0]) as before, rasterio.open(tmp_path / "vectors.tif") as after:
        np.testing.assert_allclose(after.bounds[0], before.bounds[0])
        np.testing.assert_allclose(after.bounds[3], before.bounds[3])
        assert after.crs == before.crs
        vectors = after.read()
    assert np.isfinite(vectors).all()
    assert np.abs(vectors[:48] - vectors[48:]).mean() > 1e-3
    rebuilt = spectralgpt(
        "reconstruct", *dates, tmp_path / "rebuilt.tif", "--weights", weights, "--hide", "2017-10-11", "--json"
    )
    assert rebuilt.code == 0, rebuilt.err
    assert len(rebuilt.json["error"]) == 12
    with rasterio.open(tmp_path / "rebuilt.tif") as after, rasterio.open(dates[0]) as before:
        first = after.read(list(range(1, 13)))
        np.testing.assert_array_equal(first, before.read([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 13]))
    for path in tmp_path.glob("*.tif"):
        assert cog_validate(path, strict=True)[0], path


@pytest.mark.parametrize(
    ("scene", "places", "west", "north"),
    [
        ("demo_scene", (65, 65), 440400, 4176540),
        # its bands share neither origin nor extent
        pytest.param("large_scene", (244, 242), 435730, 4179460, marks=pytest.mark.long),
    ],
)
def test_a_folder_on_three_grids(request, scene, places, west, north, weights, tmp_path, spectralgpt):
    """The demo's scene: bands of 10, 20 and 60 m."""
    folder = request.getfixturevalue(scene)
    ended = spectralgpt("embed", folder, tmp_path / "out.tif", "--weights", weights, "--overlap", "0", "--json")
    assert ended.code == 0, ended.err
    assert (ended.json["rows"], ended.json["columns"]) == places
    with rasterio.open(tmp_path / "out.tif") as dataset:
        assert dataset.transform[:6] == (80.0, 0.0, west, 0.0, -80.0, north)
        assert np.isfinite(dataset.read()).all()


def test_demo_and_the_examples_of_help_and_readme(tmp_path, spectralgpt, monkeypatch, root, demo_scene):
    """With the packaged weights, and a smaller part, to be done sooner."""
    monkeypatch.setattr(sys.modules["spectralgpt.verbs.demo"], "PART_SIDE", 256)
    ended = spectralgpt("demo", tmp_path / "demo-output", "--scene", demo_scene, "--json")
    assert ended.code == 0, ended.err
    report = ended.json
    assert report["scene"] == str(demo_scene)
    assert report["fingerprint"] == SpectralGPT.from_pretrained("tiny").fingerprint()
    assert report["warnings"] == []
    assert report["files"] == [str(tmp_path / "demo-output" / name) for name in RESULTS]
    assert set(listing(tmp_path / "demo-output")) == {*RESULTS, "embeddings.valid.tif", "classes.tif.aux.xml"}
    assert report["classes"]["points"] == 31
    assert report["classes"]["right"] > 31 / 2
    for path in (tmp_path / "demo-output").glob("*.tif"):
        assert cog_validate(path, strict=True)[0], path
    with rasterio.open(tmp_path / "demo-output" / "classes.tif") as dataset:
        assert (dataset.shape, dataset.transform[:6]) == ((65, 65), (80.0, 0.0, 440400, 0.0, -80.0, 4176540))
        assert set(np.unique(dataset.read())) <= {0, 1, 2, 3, 4, 5}  # no sand here
    monkeypatch.chdir(tmp_path)
    readme = (root / "README.md").read_text()
    lines = [
        line
        for line in readme.splitlines()
        if line.startswith(tuple(f"spectralgpt {verb} " for verb in ("embed", "reconstruct", "inspect", "shard")))
    ]
    assert len(lines) == 6
    helps = [line for verb in (embed, reconstruct, shard, inspect) for line in parse(verb.__doc__).example.splitlines()]
    assert len(helps) == 6
    *_, trained = parse(pretrain.__doc__).example.splitlines()
    quick = "--set stages.*.steps=2 --set stages.*.batch=2 --set model.size=tiny"
    for example in (*sorted(lines, key=lambda line: "inspect shards" in line), *helps, f"{trained} {quick}"):
        ended = spectralgpt(*shlex.split(example)[1:])
        assert ended.code == 0, ended.err
    python = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    exec("\n".join(python), found := {})
    images, values = found["vectors"].shape
    assert images == 1
    assert values % 192 == 0  # of one or more blocks, as the weights' read-out has it
    assert found["prediction"].classes.shape == (1, 128, 128)
