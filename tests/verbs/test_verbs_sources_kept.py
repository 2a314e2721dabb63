"""Verbs never write over what their sources read: images in a VRT under an image's name, areas, clouds, weights, labels
and masks, whichever of a verb's files would replace them.

The kinds of sources are in tests/products/test_products_sources_kept.py, with the mechanism that all verbs share.
"""

import json
import os
import shutil

import numpy as np
import pytest
import rasterio
from made_rasters import NAMES, land, write
from rasterio.warp import transform_bounds

from made_finetuning import water_masks
from made_headed_weights import headed_weights
from made_labelled import QUICK, class_folders, rows_of, table
from spectralgpt import probe
from spectralgpt.weights import SpectralGPT


@pytest.fixture
def work(tmp_path, monkeypatch):
    monkeypatch.setenv("SPECTRALGPT_CACHE", str(tmp_path / "cache"))
    (tmp_path / "work").mkdir()
    return tmp_path / "work"


def image(path, seed=0):
    path.parent.mkdir(exist_ok=True)
    return write(path, land(48, 40, seed), names=NAMES)


def vrt(path, source):
    """By content a VRT of a file, whatever the name."""
    parts = "".join(
        f'<VRTRasterBand dataType="UInt16" band="{band}"><Description>{name}</Description><SimpleSource>'
        f'<SourceFilename relativeToVRT="1">{os.path.relpath(source, path.parent)}</SourceFilename>'
        f"<SourceBand>{band}</SourceBand></SimpleSource></VRTRasterBand>"
        for band, name in enumerate(NAMES, 1)
    )
    path.write_text(f'<VRTDataset rasterXSize="40" rasterYSize="48">{parts}</VRTDataset>')
    return path


def kept(spectralgpt, victim, *arguments, words="one of the sources"):
    before = victim.read_bytes()
    for more in ((), ("--overwrite",)):
        ended = spectralgpt(*arguments, *more)
        assert ended.code == 2, ended.out + ended.err
        assert words in ended.err
        assert victim.read_bytes() == before


@pytest.mark.parametrize("verb", ["inspect", "embed", "reconstruct", "change"])
def test_the_source_of_a_vrt_under_an_images_name(verb, work, spectralgpt):
    below = image(work / "below" / "image.tif")
    source = vrt(work / "scene.tif", vrt(work / "inner.img", below))
    options = ("--weights", "untrained", "--bands", "s2-l1c")
    later = vrt(work / "later.img", image(work / "later.tif", 1))  # without georeference, as the other one is
    before = (source, later) if verb == "change" else (source,)
    for victim in (below, work / "inner.img"):
        link = work / "link.tif"
        os.link(victim, link)  # under the ending that a result has
        targets = ("--picture", link, "--bands", "s2-l1c") if verb == "inspect" else (link, *options)
        kept(spectralgpt, victim, verb, *before, *targets)
        link.unlink()


def test_each_looks_at_the_sources_of_all_scenes(work, spectralgpt):
    """The result of one scene would replace what another one reads."""
    out = work / "out"
    first, read = image(work / "a.tif"), image(out / "a.tif", 1)
    second = vrt(work / "b.tif", read)
    kept(spectralgpt, read, "embed", first, second, out, "--each", "--weights", "untrained", "--bands", "s2-l1c")


def test_each_keeps_a_table_of_sources(work, spectralgpt):
    out = work / "out"
    out.mkdir()
    table = out / "each.csv"
    table.write_text(f"path\n{image(work / 'a.tif')}\n")
    kept(spectralgpt, table, "embed", table, out, "--each", "--weights", "untrained", "--bands", "s2-l1c")


def test_weights_in_the_folder_that_is_replaced(work, weights, spectralgpt):
    shutil.copytree(weights, work / "w")
    inside = work / "w" / "model.safetensors"
    kept(spectralgpt, inside, "convert", work / "w", work / "w", words="one of the sources")


@pytest.fixture(scope="module")
def answering(weights, tmp_path_factory):
    """Weights with a head on pixels, and a probe of images."""
    folder = tmp_path_factory.mktemp("answering")
    headed_weights(weights, folder / "headed")
    data = class_folders(folder / "labelled", {"water": 4, "forest": 4})
    probe(data, weights=weights, bands="s2-l1c", method="ridge", repeats=1, folds=2, out=folder / "probe")
    return {"head": folder / "headed" / "mask", "probe": folder / "probe"}


PREDICTED = ("map.tif", "map.probabilities.tif", "map.entropy.tif", "map.gpkg", "map.png")
"""All that `predict` can write."""
ALL_FILES = ("--probabilities", "--entropy", "--polygons")


@pytest.mark.parametrize("by", ["head", "probe"])
@pytest.mark.parametrize("name", PREDICTED)
def test_predict_writes_none_of_its_files_over_what_a_vrt_reads(name, by, work, answering, spectralgpt):
    read = image(work / "first.tif").rename(work / name)  # whatever its name is, it is an image
    scene = vrt(work / "scene.tif", vrt(work / "inner.img", read))
    command = ("predict", scene, work / "map.tif", "--weights", answering[by], "--bands", "s2-l1c", *ALL_FILES)
    kept(spectralgpt, read, *command)
    assert {each.name for each in work.iterdir()} == {name, "scene.tif", "inner.img"}


@pytest.mark.parametrize("verb", ["embed", "reconstruct", "predict"])
@pytest.mark.parametrize("option", ["--aoi", "--clouds", "--weights"])
def test_scene_verbs_keep_areas_clouds_and_weights(option, verb, work, weights, answering, spectralgpt):
    scene, side = image(work / "scene.tif"), "map.gpkg" if verb == "predict" else "map.png"
    chosen = answering["head"] if verb == "predict" else weights
    more, target = (), work / "map.tif"
    if option == "--aoi":
        victim = work / side
        with rasterio.open(scene) as dataset:
            west, south, east, north = transform_bounds(dataset.crs, "EPSG:4326", *dataset.bounds)
        ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
        victim.write_text(json.dumps({"type": "Polygon", "coordinates": [ring]}))
        more = (option, victim)
    elif option == "--clouds":
        victim = write(work / "map.tif", np.zeros((1, 48, 40), np.uint8))
        more = (option, victim)
    else:
        shutil.copytree(chosen, work / "map.tif")
        victim, chosen = work / "map.tif" / "model.safetensors", work / "map.tif"
    polygons = ("--polygons",) if verb == "predict" else ()
    words = "is a folder" if option == "--weights" else "one of the sources"
    kept(spectralgpt, victim, verb, scene, target, "--weights", chosen, *more, *polygons, words=words)


@pytest.mark.parametrize("verb", ["embed", "predict"])
def test_each_keeps_the_clouds_that_a_table_names(verb, work, weights, answering, spectralgpt):
    """The result of one scene would replace the mask of another, which is opened later."""
    out = work / "out"
    clouds = write(out.mkdir() or out / "a.tif", np.zeros((1, 48, 40), np.uint8))
    first, second = image(work / "a.tif"), image(work / "b.tif", 1)
    rows = [{"path": first, "clouds": ""}, {"path": second, "clouds": clouds}]
    given = table(work / "scenes.csv", rows)
    chosen = answering["head"] if verb == "predict" else weights
    kept(spectralgpt, clouds, verb, given, out, "--each", "--weights", chosen, "--bands", "s2-l1c")


def test_a_table_of_vectors_keeps_images_and_clouds(work, weights, spectralgpt):
    clouds = write(work / "clouds.tif", np.zeros((1, 16, 16), np.uint8)).rename(work / "mask.parquet")
    read = write(work / "first.tif", land(16, 16, 0), names=NAMES).rename(work / "image.parquet")
    given = table(work / "images.csv", [{"path": vrt_of_side(work / "a.img", read, 16), "clouds": clouds}])
    for victim in (clouds, read):
        kept(spectralgpt, victim, "embed", given, victim, "--weights", weights, "--bands", "s2-l1c")


def vrt_of_side(path, source, side):
    text = vrt(path, source).read_text()
    path.write_text(text.replace('rasterXSize="40" rasterYSize="48"', f'rasterXSize="{side}" rasterYSize="{side}"'))
    return path


@pytest.mark.parametrize(
    ("verb", "name"),
    [
        *(("probe", name) for name in ("report.html", "metrics.json", "probe.safetensors", "probe.json")),
        *(("evaluate", name) for name in ("report.html", "metrics.json")),
    ],
)
def test_reports_keep_images_and_items(verb, name, work, weights, answering, spectralgpt):
    """In the folder of the report: images may have any name, and STAC items are JSON."""
    victim, rows = work / "out" / name, rows_of(work / "images", 8)
    rows = [{**row, "image": work / "images" / row["image"]} for row in rows]
    victim.parent.mkdir()
    if name.endswith(".json"):
        victim.write_text(json.dumps(item_of(work / "images" / "0.tif")))
    else:
        (work / "images" / "0.tif").rename(victim)
    rows[0]["image"] = victim
    by = ("--weights", weights, *QUICK) if verb == "probe" else ("--weights", answering["probe"])
    report = (verb, table(work / "labels.csv", rows), "--out", victim.parent, "--bands", "s2-l1c", *by)
    assert "one of the sources" in kept_in_report(spectralgpt, victim, *report)


def test_reports_keep_masks(work, weights, spectralgpt):
    data, out = water_masks(work / "data", count=6), work / "out"
    out.mkdir()
    victim = (data / "masks" / "0.tif").rename(out / "report.html")
    rows = [{"image": data / "images" / f"{i}.tif", "mask": data / "masks" / f"{i}.tif"} for i in range(6)]
    rows[0]["mask"] = victim
    given = table(work / "labels.csv", rows)
    report = ("probe", given, "--out", out, "--bands", "s2-l1c", "--weights", weights, *QUICK)
    assert "one of the sources" in kept_in_report(spectralgpt, victim, *report)


def kept_in_report(spectralgpt, victim, *arguments):
    """What is said where everything is allowed."""
    before = victim.read_bytes()
    for more in ((), ("--overwrite",)):
        ended = spectralgpt(*arguments, *more)
        assert ended.code == 2, ended.out + ended.err
        assert victim.read_bytes() == before
    return ended.err


def item_of(path):
    """A STAC item with all bands of an image in one asset."""
    bands = [{"name": name} for name in NAMES]
    return {
        **{"type": "Feature", "stac_version": "1.0.0", "id": "made", "geometry": None, "links": []},
        "properties": {"datetime": "2020-05-01T10:00:00Z", "platform": "sentinel-2a", "instruments": ["msi"]},
        "assets": {"all": {"href": path.as_uri(), "type": "image/tiff", "eo:bands": bands}},
    }


def test_finetune_keeps_what_it_reads(work, weights, spectralgpt):
    """Its folder is new, empty or its own, so nothing that it reads can lie there."""
    data = class_folders(work / "out" / "labelled", {"water": 4, "forest": 4})
    victim = data / "water" / "water_0.tif"
    ended = spectralgpt("finetune", data, "--out", work / "out", "--weights", weights, "--bands", "s2-l1c")
    assert ended.code == 2
    assert "a new folder, an empty one" in ended.err
    assert victim.exists()
    shutil.copytree(weights, work / "fit" / "weights")
    ended = spectralgpt("finetune", data, "--out", work / "fit", "--weights", work / "fit" / "weights")
    assert ended.code == 2
    SpectralGPT.from_pretrained(work / "fit" / "weights")


def test_shards_are_not_written_over_an_image(work, spectralgpt):
    read = image(work / "out" / "image.tif").rename(work / "out" / "shard-00000.arrow")
    before = read.read_bytes()
    for given in (read, vrt(work / "scene.tif", read)):
        ended = spectralgpt("shard", given, "--out", work / "out", "--bands", "s2-l1c", "--chip", 16)
        assert ended.code == 2, ended.out + ended.err
        assert read.read_bytes() == before


DEMONSTRATED = ("part.tif", "rebuilt.tif", "swir.png", "embeddings.tif", "embeddings.valid.tif", "classes.tif")
"""Some of what `demo` writes, of each of its parts."""


@pytest.mark.parametrize("name", DEMONSTRATED)
def test_demo_keeps_what_its_scene_reads(name, work, demo_scene, spectralgpt):
    read = image(work / "out" / "image.tif").rename(work / "out" / name)
    command = ("demo", work / "out", "--scene", vrt(work / "scene.tif", read))
    kept(spectralgpt, read, *command)
    assert [each.name for each in (work / "out").iterdir()] == [name]
