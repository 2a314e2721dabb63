"""`--each`: one result per source in a folder, that goes on where it was interrupted; and VRTs over the results."""

import csv
import os
import shutil
import signal
import subprocess
import sys
import zipfile

import numpy as np
import pytest
import rasterio
from affine import Affine
from made_rasters import NAMES, PLACE, land, listing, write

from spectralgpt import embed, inspect, open_raster, reconstruct
from spectralgpt.errors import InputError, OptionError, TargetError
from spectralgpt.raster.grid import composed
from spectralgpt.verbs._each import COLUMNS
from spectralgpt.verbs._each_scenes import scenes_of

SIDE = 32


def moved(columns, rows=0):
    return composed(PLACE, Affine.translation(columns, rows))


def made(path, seed=0, at=0, side=SIDE, **how):
    """A scene of 32 x 32 pixels; at: columns from the first one's place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return write(path, land(side, side, seed), **{"names": NAMES, "nodata": 0.0, "transform": moved(at)} | how)


def folder_of_bands(folder):
    folder.mkdir(parents=True)
    for name in ("B02", "B03", "B04"):
        write(folder / f"x_{name}.tif", land(8, 8, bands=1))
    return folder


@pytest.fixture
def scenes(tmp_path):
    """Three scenes side by side."""
    return [made(tmp_path / "in" / f"{name}.tif", seed, SIDE * seed) for seed, name in enumerate("abc")]


def rows_of(folder):
    with open(folder / "each.csv", newline="") as file:
        return list(csv.DictReader(file))


def states(result):
    return [(os.path.basename(row.source), row.state) for row in result.rows]


def names_of(given):
    return [scene.name for scene in scenes_of([str(each) for each in given], lambda *_: None)]


# what is done, skipped, failed


def test_one_result_per_source_named_after_it(spectralgpt, scenes, tmp_path, weights):
    out = tmp_path / "out"
    ended = spectralgpt("embed", *scenes, out, "--each", "--weights", weights, "--json")
    assert ended.code == 0, ended.err
    assert listing(out) == sorted(
        ["each.csv", "embed.vrt", *(f"{n}.{end}" for n in "abc" for end in ("tif", "png", "valid.tif"))]
    )
    assert [row["state"] for row in ended.json["rows"]] == ["done"] * 3
    assert ended.json["rows"][1] == ended.json["rows"][1] | {
        "source": str(scenes[1]),
        "result": str(out / "b.tif"),
        "reason": "",
    }
    assert (ended.json["done"], ended.json["skipped"], ended.json["failed"]) == (3, 0, 0)
    assert [line for line in ended.err.splitlines() if line.startswith("scene 2 of 3: done")]
    embed(scenes[1], tmp_path / "alone.tif", weights=weights)
    with rasterio.open(out / "b.tif") as one, rasterio.open(tmp_path / "alone.tif") as alone:
        assert np.array_equal(one.read(), alone.read(), equal_nan=True)


def test_done_ones_are_skipped_and_only_what_differs_is_made_again(scenes, tmp_path, weights):
    out = tmp_path / "out"

    def run(**how):
        return embed(scenes, out, each=True, **{"weights": weights} | how)

    assert states(run()) == [("a.tif", "done"), ("b.tif", "done"), ("c.tif", "done")]
    before = {name: (out / name).stat().st_mtime_ns for name in listing(out) if name[0] in "abc"}
    again = run(batch=3)
    assert {state for _, state in states(again)} == {"skipped"}
    assert before == {name: (out / name).stat().st_mtime_ns for name in before}
    assert again.exit_code == 0
    assert again.rows[0].result == out / "a.tif"

    (out / "b.png").unlink()
    (out / "c.valid.tif").unlink()
    assert states(run()) == [("a.tif", "skipped"), ("b.tif", "done"), ("c.tif", "done")]
    os.utime(scenes[0], (2e9, 2e9))
    assert states(run()) == [("a.tif", "done"), ("b.tif", "skipped"), ("c.tif", "skipped")]


@pytest.mark.parametrize("how", [{"min_valid": 0.5}, {"overlap": 0.5}, {"bands": "s2-l1c:B2,B3,B4"}, {"dtype": "int8"}])
def test_another_parameter_makes_it_again(tmp_path, weights, how):
    scene, out = made(tmp_path / "in" / "a.tif"), tmp_path / "out"
    embed(scene, out, each=True, weights=weights)
    assert states(embed(scene, out, each=True, weights=weights, **how)) == [("a.tif", "done")]
    assert states(embed(scene, out, each=True, weights=weights, **how)) == [("a.tif", "skipped")]


def test_other_weights_make_it_again(tmp_path, weights):
    scene, out = made(tmp_path / "in" / "a.tif"), tmp_path / "out"
    embed(scene, out, each=True, weights=weights)
    assert states(embed(scene, out, each=True, weights="untrained")) == [("a.tif", "done")]


def test_clouds_left_out_make_it_again(tmp_path, weights):
    values = np.concatenate([land(SIDE, SIDE), np.zeros((1, SIDE, SIDE), np.uint16)])
    values[13, :8] = 9
    scene = write(tmp_path / "a.tif", values, names=(*NAMES, "SCL"))
    out = tmp_path / "out"
    first = embed(scene, out, each=True, weights=weights, bands="s2-l1c")
    assert any("clouds='auto'" in warning for warning in first.warnings)
    for clouds in ("auto", write(tmp_path / "mask.tif", values[13:])):
        assert states(embed(scene, out, each=True, weights=weights, bands="s2-l1c", clouds=clouds)) == [
            ("a.tif", "done")
        ]


def test_a_failing_source_does_not_stop_the_others(spectralgpt, scenes, tmp_path, weights):
    out = tmp_path / "out"
    scenes[1].write_bytes(b"no image")
    missing, empty = tmp_path / "none.tif", tmp_path / "empty"
    empty.mkdir()
    ended = spectralgpt("embed", *scenes, missing, empty, out, "--each", "--weights", weights, "--json")
    assert ended.code == 2
    assert [row["state"] for row in ended.json["rows"]] == ["done", "failed", "done", "failed", "failed"]
    assert ended.json["failed"] == 3
    assert "b.tif" in ended.json["rows"][1]["reason"]
    assert ended.json["rows"][1]["result"] is None
    table = rows_of(out)
    assert tuple(table[0]) == COLUMNS
    assert [(row["state"], row["result"]) for row in table] == [
        ("done", "a.tif"),
        ("failed", ""),
        ("done", "c.tif"),
        ("failed", ""),
        ("failed", ""),
    ]
    assert not (out / "b.tif").exists()
    made(scenes[1], 1, SIDE)
    again = spectralgpt("embed", *scenes, out, "--each", "--weights", weights)
    assert again.code == 0
    assert f"{out}: 1 done, 2 skipped, 0 failed" in again.out


def test_an_unforeseen_error_is_of_one_source_only(scenes, tmp_path, weights, monkeypatch):
    from spectralgpt.verbs import embed as module

    save = module.Embedded

    def breaks(**fields):
        if fields["target"].name == "b.tif":
            raise ZeroDivisionError("of a test")
        return save(**fields)

    monkeypatch.setattr("spectralgpt.verbs.embed.Embedded", breaks)
    result = embed(scenes, tmp_path / "out", each=True, weights=weights)
    assert states(result) == [("a.tif", "done"), ("b.tif", "failed"), ("c.tif", "done")]
    assert result.rows[1].reason.startswith("ZeroDivisionError: of a test")


def test_interrupted_it_goes_on(scenes, tmp_path, weights):
    out = tmp_path / "out"

    def stop(stage, done, total):
        if stage.startswith("scenes: scene 2 of 3"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        embed(scenes, out, each=True, weights=weights, progress=stop)
    assert [row["state"] for row in rows_of(out)] == ["done"]
    assert states(embed(scenes, out, each=True, weights=weights)) == [
        ("a.tif", "skipped"),
        ("b.tif", "done"),
        ("c.tif", "done"),
    ]


KILLED = """
import os, signal, sys
import spectralgpt

def kill(stage, done, total):
    kill.second |= stage.startswith("scenes: scene 2 of 3")
    if kill.second and stage == sys.argv[1]:
        os.kill(os.getpid(), signal.SIGKILL)

kill.second = False
spectralgpt.embed(sys.argv[4:], sys.argv[2], each=True, weights=sys.argv[3], progress=kill)
"""


@pytest.mark.parametrize("stage", ["windows", "writing"])
def test_killed_it_goes_on(scenes, tmp_path, weights, stage):
    out = tmp_path / "out"
    words = [sys.executable, "-c", KILLED, stage, out, weights, *scenes]
    ended = subprocess.run([str(each) for each in words], capture_output=True, text=True, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert (out / "a.tif").exists()
    assert not (out / "b.tif").exists()
    assert [row["state"] for row in rows_of(out)] == ["done"]
    result = embed(scenes, out, each=True, weights=weights)
    assert [state for _, state in states(result)] == ["skipped", "done", "done"]
    embed(scenes[1], tmp_path / "alone.tif", weights=weights)
    with rasterio.open(out / "b.tif") as one, rasterio.open(tmp_path / "alone.tif") as alone:
        assert np.array_equal(one.read(), alone.read(), equal_nan=True)
    assert not [name for name in listing(out) if "partial" in name]


def test_progress_says_which_scene(scenes, tmp_path, weights):
    seen = []
    embed(scenes, tmp_path / "out", each=True, weights=weights, progress=lambda *each: seen.append(each))
    assert [each for each in seen if each[0].startswith("scenes")] == [
        ("scenes: scene 1 of 3, a", 0, 3),
        ("scenes: scene 2 of 3, b", 1, 3),
        ("scenes: scene 3 of 3, c", 2, 3),
        ("scenes: all", 3, 3),
    ]
    assert ("windows", 1, 1) in seen


def test_reconstruct_has_it_too(spectralgpt, scenes, tmp_path, weights):
    out = tmp_path / "out"
    words = ("reconstruct", *scenes[:2], out, "--each", "--weights", weights)
    assert spectralgpt(*words, "--hide", "B11").code == 0
    assert {"a.tif", "b.tif", "a.png", "reconstruct.vrt"} < set(listing(out))
    assert "0 done, 2 skipped" in spectralgpt(*words, "--hide", "B11").out
    assert "2 done, 0 skipped" in spectralgpt(*words, "--hide", "B12").out
    with open_raster(out / "reconstruct.vrt") as joined, open_raster(out / "b.tif") as one:
        assert joined.grid.shape == (SIDE, 2 * SIDE)
        assert (joined.scale, joined.nodata) == (one.scale, one.nodata)
        assert np.array_equal(joined.read().values[..., SIDE:], one.read().values)


# what a result may replace


def test_a_result_of_others_is_refused_by_its_own_row(scenes, tmp_path, weights):
    out = tmp_path / "out"
    out.mkdir()
    shutil.copy(scenes[0], out / "a.tif")
    embed(scenes[0], out / "b.tif", weights=weights)
    result = embed(scenes, out, each=True, weights=weights)
    assert states(result) == [("a.tif", "failed"), ("b.tif", "failed"), ("c.tif", "done")]
    assert "found an image of the same place" in result.rows[0].reason
    assert "a result of other sources" in result.rows[1].reason


def test_another_verb_s_result_is_not_taken_for_done(scenes, tmp_path, weights):
    out = tmp_path / "out"
    embed(scenes[:1], out, each=True, weights=weights)
    result = reconstruct(scenes[:1], out, each=True, weights=weights)
    assert states(result) == [("a.tif", "failed")]
    assert "a result of `embed`" in result.rows[0].reason


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("in", "is a source there"),
        ("file.txt", "is a file; expected a folder"),
        ("new.tif", "found the name of a file"),
        ("in/bands/out", "is a source there"),
        ("in/bands", "is a source there"),
    ],
)
def test_a_target_that_cannot_be_is_refused_before_anything(scenes, tmp_path, weights, target, says):
    (tmp_path / "file.txt").write_text("mine")
    bands = folder_of_bands(tmp_path / "in" / "bands")
    before = listing(tmp_path)
    with pytest.raises(TargetError, match=says):
        embed([*scenes, bands], tmp_path / target, each=True, weights=weights)
    assert listing(tmp_path) == before


def test_a_table_of_others_is_not_replaced(scenes, tmp_path, weights):
    out = tmp_path / "out"
    out.mkdir()
    (out / "each.csv").write_text("my,own\n1,2\n")
    with pytest.raises(TargetError, match=r"each\.csv: exists"):
        embed(scenes, out, each=True, weights=weights)
    assert listing(out) == ["each.csv"]


def test_without_weights_nothing_is_made(scenes, tmp_path):
    with pytest.raises(InputError, match="nowhere"):
        embed(scenes, tmp_path / "out", each=True, weights=tmp_path / "nowhere")
    assert not (tmp_path / "out").exists()


def test_an_open_image_is_refused(scenes, tmp_path, weights):
    with open_raster(scenes[0]) as raster, pytest.raises(OptionError, match="each=True"):
        embed(raster, tmp_path / "out", each=True, weights=weights)


def test_without_each_sources_are_dates(scenes, tmp_path, weights):
    with pytest.raises(InputError):
        embed(scenes, tmp_path / "one.tif", each=False, weights=weights)


# names


def test_names_of_files_products_zips_and_folders_of_bands(tmp_path):
    tif, jp2 = made(tmp_path / "T32_2020.tif"), tmp_path / "x.JP2"
    jp2.write_bytes(b"")
    safe = tmp_path / "S2A_MSIL2A_20200501.SAFE"
    safe.mkdir()
    (safe / "MTD_MSIL2A.xml").write_text("<broken/>")
    zipped = tmp_path / "S2B_MSIL2A_20200503.SAFE.zip"
    with zipfile.ZipFile(zipped, "w") as file:
        file.writestr("a", "b")
    bands = folder_of_bands(tmp_path / "patch_7.5")
    given = [tif, jp2, safe, zipped, f"{bands}{os.sep}", "https://somewhere.org/dir/cog.tif"]
    assert names_of(given) == [
        "T32_2020",
        "x",
        "S2A_MSIL2A_20200501",
        "S2B_MSIL2A_20200503",
        "patch_7.5",
        "cog",
    ]
    assert names_of([safe / "MTD_MSIL2A.xml"]) == ["S2A_MSIL2A_20200501"]
    assert names_of([f"{tif}@2020-05-01"]) == ["T32_2020"]


def test_folders_above_tell_scenes_of_one_name_apart(tmp_path):
    paths = [made(tmp_path / place / year / "B.tif", side=8) for place in ("x", "y") for year in ("1", "2")]
    assert names_of(paths) == ["x_1_B", "x_2_B", "y_1_B", "y_2_B"]
    assert names_of([*paths[:2], made(tmp_path / "C.tif", side=8)]) == ["1_B", "2_B", "C"]
    upper = made(tmp_path / "z" / "b.TIF", side=8)
    assert names_of([paths[0], upper]) == ["1_B", "z_b"], "the same name where the disk ignores case"


def test_a_source_given_twice_is_made_once(scenes, tmp_path):
    assert names_of([scenes[0], scenes[1], scenes[0], tmp_path / "in" / ".." / "in" / "b.tif"]) == ["a", "b"]


def test_what_no_folder_tells_apart_is_refused(tmp_path, weights):
    one, other = made(tmp_path / "scene.tif", side=8), tmp_path / "scene.jp2"
    other.write_bytes(b"")
    with pytest.raises(TargetError, match=r"scene\.tif and .*scene\.jp2: both results would have the name scene"):
        embed([one, other], tmp_path / "out", each=True, weights=weights)
    assert not (tmp_path / "out").exists()


def test_a_folder_of_images_stands_for_them_and_a_folder_of_bands_is_one(tmp_path):
    for name in ("b", "a"):
        made(tmp_path / "many" / f"{name}.tif", side=8)
    folder_of_bands(tmp_path / "many" / "bands")
    assert names_of([tmp_path / "many"]) == ["a", "b", "bands"]
    assert names_of([tmp_path / "many" / "bands"]) == ["bands"]


def test_rows_of_a_table_have_their_own_bands_and_dates(tmp_path, weights):
    made(tmp_path / "in" / "one.tif", names=None)
    made(tmp_path / "in" / "d1.tif", 1)
    made(tmp_path / "in" / "d2.tif", 2)
    table = tmp_path / "in" / "scenes.csv"
    table.write_text("path,place,date,bands\none.tif,,,s2-l1c\nd1.tif,farm 3,2020-05-01,\nd2.tif,farm 3,2020-06-01,\n")
    assert names_of([table]) == ["one", "farm 3"]
    result = embed(table, tmp_path / "out", each=True, weights=weights, per="date")
    assert [row.state for row in result.rows] == ["done", "done"], result
    with rasterio.open(tmp_path / "out" / "farm 3.tif") as dated, rasterio.open(tmp_path / "out" / "one.tif") as one:
        assert dated.count == 2 * one.count
    assert len(result.mosaics) == 2, "maps with other bands are not joined"


# VRT


def test_the_vrt_shows_all_results_in_their_places(scenes, tmp_path, weights):
    result = embed(scenes, tmp_path / "out", each=True, weights=weights)
    assert result.mosaics == (tmp_path / "out" / "embed.vrt",)
    moved_folder = tmp_path / "elsewhere"
    (tmp_path / "out").rename(moved_folder)
    found = inspect(moved_folder / "embed.vrt")
    assert (found.kind, found.places, found.verb) == ("embeddings", (4, 12), "embed")
    with rasterio.open(moved_folder / "embed.vrt") as vrt:
        joined = vrt.read()
        assert vrt.tags()["SPECTRALGPT_VERB"] == "embed"
        assert len(vrt.tags()["SPECTRALGPT_WEIGHTS"]) == 64
        assert np.isnan(vrt.nodata)
        names = vrt.descriptions
    parts = []
    for name in "abc":
        with rasterio.open(moved_folder / f"{name}.tif") as part:
            parts.append(part.read())
            assert part.descriptions == names
    assert np.array_equal(joined, np.concatenate(parts, axis=2), equal_nan=True)


def test_results_that_differ_get_a_vrt_each(tmp_path, weights):
    here = made(tmp_path / "a.tif")
    south = made(tmp_path / "b.tif", crs="EPSG:32718")
    coarse = made(tmp_path / "c.tif", transform=composed(PLACE, Affine.scale(2)))
    result = embed([here, south, coarse], tmp_path / "out", each=True, weights=weights)
    assert [path.name for path in result.mosaics] == [
        "embed-epsg32618-80.vrt",
        "embed-epsg32718-80.vrt",
        "embed-epsg32618-160.vrt",
    ]
    assert any("3 VRTs" in warning for warning in result.warnings)


def test_a_scene_without_place_has_no_vrt(tmp_path, weights):
    scene = made(tmp_path / "a.tif", crs=None, transform=None)
    result = embed(scene, tmp_path / "out", each=True, weights=weights)
    assert (states(result), result.mosaics) == ([("a.tif", "done")], ())
    assert any("without CRS" in warning for warning in result.warnings)


# -- a limit of time ---------------------------------------------------------------------------------------------------


def test_a_limit_of_time_is_one_of_the_folder(spectralgpt, scenes, tmp_path, weights, monkeypatch):
    """Scenes of one window each, which a limit of their own would never end."""
    from types import SimpleNamespace

    from spectralgpt.scenes import course
    from spectralgpt.verbs._each import _EachRun

    target, now, row = tmp_path / "out", [0.0], _EachRun._row
    command = ("embed", *scenes, target, "--each", "--weights", weights, "--json")

    def slow(self, *given):
        made = row(self, *given)
        now[0] += 7200
        return made

    with monkeypatch.context() as patched:
        patched.setattr(course, "time", SimpleNamespace(monotonic=lambda: now[0]))
        patched.setattr(_EachRun, "_row", slow)
        ended = spectralgpt(*command, "--max-hours", "3")
    assert ended.code == 2
    message = ended.json["error"]
    assert message.startswith(f"{target}: --max-hours 3"), message
    assert message.endswith(
        f" ended with 2 of {len(scenes)} scenes done. They are kept: the same command goes on from there."
    )
    assert not list(target.glob("*.vrt"))
    ended = spectralgpt(*command)
    assert (ended.code, ended.json["skipped"], ended.json["done"]) == (0, 2, len(scenes) - 2)


def test_a_limit_that_is_none_is_refused_before_anything(scenes, tmp_path, weights):
    with pytest.raises(OptionError, match=r"max_hours=0\.0; expected more than 0 hours"):
        embed(list(scenes), tmp_path / "out", each=True, weights=weights, max_hours=0)
    assert not (tmp_path / "out").exists()


def test_inspect_says_what_the_folder_is(spectralgpt, scenes, tmp_path, weights):
    target, broken = tmp_path / "out", tmp_path / "in" / "broken.tif"
    broken.write_bytes(b"II*\0nothing")
    assert spectralgpt("embed", *scenes, broken, target, "--each", "--weights", weights).code == 2
    (target / "b.tif").unlink()
    ended = spectralgpt("inspect", target, "--json")
    assert ended.code == 0, ended.err
    found = ended.json
    assert found["states"] == {"done": 3, "skipped": 0, "failed": 1}
    assert [os.path.basename(each) for each in found["results"]] == ["a.tif", "c.tif"]
    assert found["gone"] == ["b.tif"]
    assert found["verbs"] == {"embed": 2}
    assert found["sensors"] == {"s2-l1c": 2}
    assert len(found["weights"]) == 1
    text = spectralgpt("inspect", target).out
    assert "results of 4 sources: 3 done, 1 failed\n" in text
    assert f"failed     {broken}: " in text
    assert spectralgpt("inspect", target, "--picture", tmp_path / "p.png").code == 2


def test_a_table_of_others_makes_no_folder_of_results(spectralgpt, scenes, tmp_path):
    (scenes[0].parent / "each.csv").write_text("source,other\n")
    ended = spectralgpt("inspect", scenes[0].parent)
    assert "results of" not in ended.out
