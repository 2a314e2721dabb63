"""What a shards folder holds, through the command line."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_rasters import NAMES, land, write
from PIL import Image

import spectralgpt.report
from spectralgpt import inspect, shard
from spectralgpt.data.shards import open_shards
from spectralgpt.raster import SENSOR_TAG
from spectralgpt.verbs._shards import chosen

HOLE = np.s_[:, 10:40, 20:50]


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """Sentinel-2 of two dates with a hole, and one without any georeference or date; a file that is none."""
    folder = tmp_path_factory.mktemp("shards")
    images = folder / "images"
    (images / "place").mkdir(parents=True)
    for seed, date in enumerate(("2020-05-01", "2021-06-10")):
        values = land(74, 64, seed)
        values[HOLE] = 0
        write(images / "place" / f"scene_{date}.tif", values, names=NAMES, nodata=0.0)
    (images / "lost").mkdir()
    few, tags = ("B2", "B3", "B4", "B10"), {SENSOR_TAG: "s2-l1c"}
    write(images / "lost" / "scene.tif", land(30, 20, 2, 4), names=few, tags=tags, crs=None, transform=None)
    for name in ("a", "b"):
        (images / f"bad_{name}").mkdir()
        (images / f"bad_{name}" / f"{name}.tif").write_bytes(b"no image")
    shard(images, out=folder / "shards", chip=64, stack=True, workers=1)
    return folder / "shards"


def test_all_of_it_in_json(made, spectralgpt):
    ended = spectralgpt("inspect", made, "--json")
    assert ended.code == 0, ended.err
    report, shards = ended.json, open_shards(made)
    assert report["source"] == str(made)
    assert report["fingerprint"] == shards.fingerprint
    assert report["samples"] == sum(shards.counts) == 3
    assert report["bytes"] == sum(path.stat().st_size for path in made.glob("*.arrow"))
    assert report["shards"] == len(list(made.glob("*.arrow"))) == 2
    layouts = {len(each["bands"]): each for each in report["layouts"]}
    shared = {"sensor": "s2-l1c", "dtype": "uint16"}
    stacked = shared | {"bands": list(NAMES), "dates": 2, "side": 64, "samples": 2}
    lost = shared | {"bands": ["B2", "B3", "B4", "B10"], "dates": 1, "side": 32, "samples": 1}
    assert layouts == {13: stacked, 4: lost}
    assert report["dates"] == ["2020-05-01", "2021-06-10"]
    assert report["dated"] == pytest.approx(4 / 5)
    assert report["placed"] == pytest.approx(2 / 3)
    assert report["gsd"] == pytest.approx([10, 10], rel=0.01)
    assert report["places"] == 2
    assert sorted(Path(each["source"]).name for each in report["failed"]) == ["a.tif", "b.tif"]
    assert report["skipped"] == []
    assert report["picture"] is None


def test_statistics_are_those_of_the_valid_pixels(made):
    report = inspect(made)
    assert [row.wavelength for row in report.table] == sorted(row.wavelength for row in report.table)
    scenes = [land(74, 64, seed) for seed in (0, 1)]
    for each in scenes:
        each[HOLE] = 0
    for row in report.table:
        values = [each[NAMES.index(row.name)] for each in scenes]
        # the second chip is flush with the end: it has rows of the first once more
        stored = [part[part > 0] for each in values for part in (each[:64], each[10:])]
        if row.name in (names := ("B2", "B3", "B4", "B10")):
            stored.append(land(30, 20, 2, 4)[names.index(row.name)].ravel())
        pixels = np.concatenate(stored) * 1e-4
        assert row.pixels == pixels.size
        assert (row.mean, row.sd) == (pytest.approx(pixels.mean()), pytest.approx(pixels.std()))
        assert (row.low, row.high) == (pytest.approx(pixels.min()), pytest.approx(pixels.max()))


def test_the_text_says_the_same(made, spectralgpt):
    report = inspect(made)
    ended = spectralgpt("inspect", made)
    assert ended.code == 0, ended.err
    for part in (
        "samples     3 in 2 shards of 0.",
        "2 of s2-l1c, 2 dates, 64 px, uint16: B1, B2",
        "1 of s2-l1c, 1 date, 32 px, uint16: B2, B3, B4, B10",
        "dates       2020-05-01 to 2021-06-10, known for 80.0%",
        "GSD         10",
        "places      2; position known for 66.7% of the samples",
        "failed      2\n",
        report.fingerprint,
        *(f"s2-l1c {row.name} " for row in report.table),
        *(f"{row.mean:.4f}" for row in report.table),
    ):
        assert part in ended.out, part
    # a reason is shown once
    (line,) = (line for line in ended.out.splitlines() if ".tif" in line and "cannot be" in line)
    assert " and 1 more: cannot be opened" in line


def test_the_picture_shows_samples_as_they_are(made, tmp_path, monkeypatch):
    drawn = {}
    save = spectralgpt.report.save_samples

    def kept(path, samples, wavelengths, titles, positions, title, text):
        drawn.update(samples=samples, wavelengths=wavelengths, titles=titles, positions=positions, title=title)
        save(path, samples, wavelengths, titles, positions, title, text)

    monkeypatch.setattr(spectralgpt.report, "save_samples", kept)
    assert inspect(made, picture=tmp_path / "look.png").picture == tmp_path / "look.png"
    with Image.open(tmp_path / "look.png") as saved:
        assert saved.size[0] == 1540
    assert drawn["title"] == "shards: 3 samples"
    by_bands = {len(each): (each, title) for each, title in zip(drawn["samples"], drawn["titles"], strict=True)}
    lost, title = by_bands[4]
    np.testing.assert_allclose(lost, land(30, 20, 2, 4) * 1e-4, rtol=1e-6)
    assert title == "s2-l1c\ndate unknown, GSD unknown"
    stacked = [(each, title) for each, title in zip(drawn["samples"], drawn["titles"], strict=True) if len(each) == 13]
    scene = land(74, 64, 0) * 1e-4
    scene[HOLE] = np.nan
    for (sample, title), cut in zip(stacked, (np.s_[:, :64], np.s_[:, 10:]), strict=True):
        np.testing.assert_allclose(sample, scene[cut], rtol=1e-6)
        assert title == "s2-l1c\n2020-05-01 (1 of 2), 10 m"
    assert np.isnan(drawn["positions"]).sum() == 2
    assert np.nanmax(np.abs(drawn["positions"] - [-75.7, 37.7]), axis=0).max() < 0.2


@given(st.lists(st.integers(0, 200), min_size=1, max_size=40), st.integers(1, 30))
def test_samples_of_every_layout_far_apart(counts, most):
    found = chosen(counts, most)
    taken = {layout: len(rows) for layout, rows in found}
    assert sum(taken.values()) == min(most, sum(counts))
    for layout, rows in found:
        assert len(set(rows.tolist())) == len(rows) > 0
        assert rows.min() >= 0
        assert rows.max() < counts[layout]
        assert np.diff(rows).min(initial=counts[layout]) >= counts[layout] // len(rows)
    # nobody has more than one above who could still give
    for layout, count in enumerate(counts):
        if taken.get(layout, 0) < count:
            assert max(taken.values()) <= taken.get(layout, 0) + 1
            # and of those that have one above, none is smaller
            assert all(counts[other] >= count for other, share in taken.items() if share > taken.get(layout, 0))


@pytest.mark.parametrize("damage", ["no manifest", "cut manifest", "other version", "shard missing", "shard cut"])
def test_damaged(made, tmp_path, spectralgpt, damage):
    folder = tmp_path / "shards"
    shutil.copytree(made, folder)
    manifest, one = folder / "manifest.json", sorted(folder.glob("*.arrow"))[0]
    if damage == "no manifest":
        manifest.unlink()
    elif damage == "cut manifest":
        manifest.write_text(manifest.read_text()[:300])
    elif damage == "other version":
        manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"version": 99}))
    elif damage == "shard missing":
        one.unlink()
    else:
        one.write_bytes(one.read_bytes()[:-1000])
    ended = spectralgpt("inspect", folder, "--picture", tmp_path / "look.png")
    assert ended.code == 2
    assert str(one if "shard" in damage else folder) in ended.err
    assert re.search("found .*; expected|again|Make shards", ended.err)
    assert "Traceback" not in ended.err
    assert not (tmp_path / "look.png").exists()


def test_a_folder_in_which_nothing_could_be_stored(tmp_path, spectralgpt):
    (tmp_path / "bad.tif").write_bytes(b"no image")
    assert spectralgpt("shard", tmp_path / "bad.tif", "--out", tmp_path / "shards").code == 2
    ended = spectralgpt("inspect", tmp_path / "shards", "--picture", tmp_path / "look.png", "--json")
    assert ended.code == 0, ended.err
    assert (ended.json["samples"], ended.json["dates"], ended.json["gsd"]) == (0, ["", ""], [None, None])
    assert [Path(each["source"]).name for each in ended.json["failed"]] == ["bad.tif"]
    assert (tmp_path / "look.png").exists()


def test_a_layout_whose_shards_were_removed(made, tmp_path, spectralgpt):
    folder = tmp_path / "shards"
    shutil.copytree(made, folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["shards"] = [each for each in manifest["shards"] if each["layout"] == 0]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    ended = spectralgpt("inspect", folder, "--json")
    assert ended.code == 0, ended.err
    assert sorted(each["samples"] for each in ended.json["layouts"]) == sorted([0, sum(open_shards(folder).counts)])
    assert [open_shards(folder).days(layout).shape[0] for layout in (0, 1)] == list(open_shards(folder).counts)


def test_a_shard_is_not_drawn_over(made, spectralgpt):
    before = {path.name: path.read_bytes() for path in made.iterdir()}
    ended = spectralgpt("inspect", made, "--picture", made / "manifest.json")
    assert ended.code == 2
    assert "one of the sources" in ended.err
    assert {path.name: path.read_bytes() for path in made.iterdir()} == before


def test_a_folder_of_bands_with_a_manifest_of_others_is_an_image(tmp_path, spectralgpt):
    for name, values in zip(NAMES[1:4], land(40, 40, bands=3), strict=True):
        write(tmp_path / f"scene_{name}.tif", values[None])
    (tmp_path / "manifest.json").write_text('{"name": "an order", "delivery": {}}')
    ended = spectralgpt("inspect", tmp_path, "--bands", "s2-l1c", "--json")
    assert ended.code == 0, ended.err
    assert ended.json["bands"] == list(NAMES[1:4])


def test_of_many_bands_the_first_are_shown(made):
    report = inspect(made)
    many = replace(report, table=tuple(replace(report.table[0], name=f"band {number}") for number in range(200)))
    text = str(many)
    assert "band 29 " in text
    assert "band 30 " not in text
    assert "and 170 more bands of s2-l1c" in text


def test_real_images_of_two_sensors(shared, tmp_path, spectralgpt):
    data, folder = shared / "data", tmp_path / "shards"
    scenes = sorted((data / "s2_l1c_scenes").glob("oscd_rio_*.tif"))
    ended = spectralgpt("shard", *scenes, data / "other_sensors" / "modis_pamplona", "--out", folder, "--workers", "1")
    assert ended.code == 0, ended.err
    ended = spectralgpt("inspect", folder, "--json")
    assert ended.code == 0, ended.err
    report = ended.json
    assert {each["sensor"] for each in report["layouts"]} == {"s2-l1c", "modis"}
    assert report["dates"][0] == "2016-04-24"
    assert report["gsd"] == pytest.approx([10, 465.7], rel=0.1)
    assert (report["placed"], report["dated"], report["failed"]) == (1, 1, [])
    # the air's blue is bright, its cirrus band dark: a swap of bands or other units would show
    means = {row["name"]: row["mean"] for row in report["table"] if row["sensor"] == "s2-l1c"}
    assert means["B10"] < 0.01 < 0.05 < means["B2"] < 0.2
