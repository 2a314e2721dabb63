"""Which existing files a result replaces: never a source, nor unasked anything but a result of the same command."""

import os
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import rasterio
from made_rasters import NAMES, PLACE, land, listing, write
from matplotlib.image import imsave
from rasterio.shutil import copy as copy_raster

DAYS = ("2020-05-01", "2020-06-03", "2020-07-11")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SPECTRALGPT_CACHE", str(tmp_path / "cache"))
    (tmp_path / "work").mkdir()


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "work"


def dates(folder, bands=13, **how):
    names = NAMES if bands == 13 else ("B02", "B03", "B04", "B08")
    kept = {"names": names, **how}
    return [write(folder / f"s_{day}.tif", land(48, 40, i, bands), **kept) for i, day in enumerate(DAYS)]


def contents(folder):
    return {name: (folder / name).read_bytes() for name in listing(folder) if (folder / name).is_file()}


def refused(spectralgpt, folder, words, *arguments):
    """Exit 2 with these words, and every file as before."""
    before = contents(folder)
    ended = spectralgpt(*arguments)
    assert ended.code == 2, ended.out + ended.err
    assert words in ended.err
    assert contents(folder) == before
    return ended.err


def done(spectralgpt, *arguments):
    ended = spectralgpt(*arguments)
    assert ended.code == 0, ended.out + ended.err
    return ended


# a forgotten TARGET


@pytest.mark.parametrize("overwrite", [(), ("--overwrite",)])
@pytest.mark.parametrize("how", [{}, {"bands": 4}, {"crs": "EPSG:32718"}], ids=["l1c", "four bands", "south"])
@pytest.mark.parametrize("verb", ["embed", "reconstruct"])
def test_a_forgotten_target_is_no_target(how, verb, overwrite, folder, weights, spectralgpt):
    images = dates(folder, **how)
    text = refused(
        spectralgpt,
        folder,
        "an image of the same place and with the same bands",
        *(verb, *images, "--weights", weights, *overwrite),
    )
    assert "as the last argument" in text
    assert "--overwrite" not in text


@pytest.mark.parametrize(
    "how", [{"transform": PLACE @ PLACE.translation(20, 9)}, {"dtype": "float32"}, {"tiled": True}]
)
def test_also_where_the_last_date_is_cut_or_stored_otherwise(how, folder, weights, spectralgpt):
    images = dates(folder)
    values = land(48, 40, 5)
    write(images[2], values / np.float32(1e4) if "dtype" in how else values, names=NAMES, **how)
    refused(spectralgpt, folder, "the same place", "embed", *images, "--weights", weights, "--overwrite")


def test_also_of_one_product_in_files_and_of_nameless_bands(folder, weights, spectralgpt):
    (folder / "a").mkdir()
    for index, name in enumerate(("B02", "B03", "B04", "B08")):
        write(folder / "a" / f"s_{name}.tif", land(48, 40, index, 1))
    stack = write(folder / "stack.tif", land(48, 40, 9, 4), names=("B04", "B03", "B02", "B08"))
    options = ("--weights", weights, "--overwrite")
    refused(spectralgpt, folder, "the same place", "embed", folder / "a", stack, *options, "--bands", "s2-l2a")
    first, second = (write(folder / f"{name}_{DAYS[0]}.tif", land(48, 40, 3, 12)) for name in "pq")
    refused(spectralgpt, folder, "the same place", "embed", first, second, *options, "--bands", "s2-l2a")
    pictured = (first, "--picture", second, "--overwrite", "--bands", "s2-l2a")
    refused(spectralgpt, folder, "the same place", "inspect", *pictured)


# what sources read


def vrt(path, source):
    """A VRT of an image; of a VRT, by hand, as GDAL would name the image."""
    if source.suffix == ".vrt":
        below = source.parent / "below" / "image.tif"
        named = vrt(path.with_name("alone.vrt"), below).read_text().replace("below/image.tif", source.name)
        path.write_text(named)
    else:
        copy_raster(source, path, driver="VRT")
    return path


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_what_a_vrt_reads_is_a_source(depth, folder, weights, spectralgpt):
    (folder / "below").mkdir()
    image = write(folder / "below" / "image.tif", land(48, 40), names=NAMES)
    source = image
    for level in range(depth):
        source = vrt(folder / f"v{level}.vrt", source)
    text = refused(spectralgpt, folder, "is one of the sources", "embed", source, image, "--weights", weights)
    assert "v0.vrt reads it" in text
    refused(spectralgpt, folder, "one of the sources", "embed", source, image, "--weights", weights, "--overwrite")
    link = folder / "link.tif"
    os.link(image, link)
    refused(spectralgpt, folder, "one of the sources", "reconstruct", source, link, "--weights", weights, "--overwrite")
    refused(spectralgpt, folder, "one of the sources", "inspect", source, "--picture", image, "--overwrite")


def test_files_of_a_folder_are_sources_whether_chosen_or_not(folder, weights, spectralgpt):
    (folder / "a").mkdir()
    for index, name in enumerate(("B02", "B03", "B04", "B11")):
        write(folder / "a" / f"s_{name}.tif", land(48, 40, index, 1))
    chosen = ("--bands", "s2-l2a:B02,B03,B04", "--weights", weights)
    for name in ("B02", "B11"):
        for more in ((), ("--overwrite",)):
            target = folder / "a" / f"s_{name}.tif"
            refused(spectralgpt, folder, "is one of the sources", "embed", folder / "a", target, *chosen, *more)


def test_files_in_options_are_sources(folder, weights, spectralgpt):
    image = dates(folder)[0]
    clouds = write(folder / "clouds.tif", np.zeros((1, 48, 40), np.uint8))
    shutil.copytree(weights, folder / "w")
    write(folder / "w" / "extra.tif", land(8, 8, bands=1))
    for target, options in (
        (clouds, ("--clouds", clouds, "--weights", weights)),
        (folder / "w" / "extra.tif", ("--weights", folder / "w")),
        (image, ("--weights", weights)),
    ):
        refused(spectralgpt, folder, "is one of the sources", "embed", image, target, *options, "--overwrite")


# foreign files


def foreign_png(path):
    imsave(path, np.zeros((4, 4, 3)))


def png_of_another_program(path):
    imsave(path, np.zeros((4, 4, 3)), metadata={"Software": "spectralgpt", "SPECTRALGPT_VERB": "embed"})


def foreign_tif(path):
    write(path, land(20, 30, bands=3), names=("height", "slope", "aspect"))


def foreign_elsewhere(path):
    write(path, land(48, 40), names=NAMES, transform=PLACE @ PLACE.translation(0, 9000))


def foreign_text(path):
    path.write_text("my notes")


FOREIGN = [
    *((make, ".tif") for make in (foreign_tif, foreign_elsewhere, foreign_text)),
    *((make, ".png") for make in (foreign_png, png_of_another_program, foreign_text)),
]


@pytest.mark.parametrize(("make", "ending"), FOREIGN)
def test_a_foreign_file_is_replaced_only_with_overwrite(make, ending, folder, weights, spectralgpt):
    image, target = dates(folder)[0], folder / "out.tif"
    make(target.with_suffix(ending))
    command = ("embed", image, target, "--weights", weights)
    text = refused(spectralgpt, folder, "exists, and is no result of spectralgpt", *command)
    assert text.endswith("To replace it: --overwrite\n")
    said = done(spectralgpt, *command, "--overwrite").err
    assert f"replaces {target.with_suffix(ending)}, which is no result of spectralgpt" in said
    assert ("an image of" in said) == (make in (foreign_tif, foreign_elsewhere))
    assert "replaces" not in done(spectralgpt, *command, "--overwrite").err
    assert "replaces" not in done(spectralgpt, *command).err


@pytest.mark.parametrize("ending", [".parquet", ".csv"])
@pytest.mark.parametrize("kind", ["labels", "other vectors", "text"])
def test_a_foreign_table_is_replaced_only_with_overwrite(ending, kind, folder, weights, spectralgpt):
    image, target = dates(folder)[0], folder / f"out{ending}"
    columns = {"labels": {"path": ["a.tif"], "label": ["wood"]}, "other vectors": {"path": [str(image)], "e0": [0.5]}}
    if kind == "text":
        target.write_text("my notes")
    elif ending == ".parquet":
        pq.write_table(pa.table(columns[kind]), target)
    else:
        found = columns[kind]
        target.write_text(f"{','.join(found)}\n{','.join(str(each[0]) for each in found.values())}\n")
    command = ("embed", image, target, "--weights", weights)
    refused(spectralgpt, folder, "To replace it: --overwrite", *command)
    done(spectralgpt, *command, "--overwrite")
    done(spectralgpt, *command)


def test_a_foreign_picture_of_inspect(folder, spectralgpt):
    image, picture = dates(folder)[0], folder / "look.png"
    imsave(picture, np.zeros((4, 4, 3)))
    command = ("inspect", image, "--picture", picture)
    refused(spectralgpt, folder, "no result of spectralgpt", *command)
    done(spectralgpt, *command, "--overwrite")
    done(spectralgpt, *command)
    other = dates(folder)[1]
    refused(spectralgpt, folder, "is a result of other sources", "inspect", other, "--picture", picture)


# our own results


def test_the_same_command_twice(folder, weights, spectralgpt, monkeypatch):
    """Also with other options, sources in another order, from another folder."""
    images = dates(folder)
    options = ("--weights", weights)
    done(spectralgpt, "embed", *images, folder / "map.tif", *options)
    done(spectralgpt, "embed", *reversed(images), folder / "map.tif", *options, "--dtype", "int8")
    done(spectralgpt, "reconstruct", images[0], folder / "rec.tif", *options)
    done(spectralgpt, "reconstruct", f"{images[0]}@2020-05-02", folder / "rec.tif", *options, "--hide", "B11")
    monkeypatch.chdir(folder)
    done(spectralgpt, "embed", *(each.name for each in images), "map.tif", *options)
    for ending in ("parquet", "csv"):
        done(spectralgpt, "embed", *(each.name for each in images), f"t.{ending}", *options)
        done(spectralgpt, "embed", *(each.name for each in images), f"t.{ending}", *options)
    done(spectralgpt, "inspect", images[0], "--picture", "look.png")
    done(spectralgpt, "inspect", images[0].name, "--picture", "look.png")


def test_a_folder_that_holds_its_own_result(folder, weights, spectralgpt):
    (folder / "a").mkdir()
    for index, name in enumerate(("B02", "B03", "B04", "B08")):
        write(folder / "a" / f"s_{name}.tif", land(48, 40, index, 1))
    command = ("embed", folder / "a", folder / "a" / "t.parquet", "--weights", weights, "--bands", "s2-l2a")
    done(spectralgpt, *command)
    done(spectralgpt, *command)


def test_results_of_other_verbs_and_other_sources_stay(folder, weights, spectralgpt):
    one, two, _ = dates(folder)
    options = ("--weights", weights)
    done(spectralgpt, "embed", one, folder / "map.tif", *options)
    done(spectralgpt, "embed", one, folder / "t.parquet", *options)
    done(spectralgpt, "embed", one, folder / "t.csv", *options)
    for words, *command in (
        ("is a result of `embed`", "reconstruct", one, folder / "map.tif"),
        ("is a result of other sources", "embed", two, folder / "map.tif"),
        ("is a result of other sources", "embed", one, two, folder / "map.tif"),
        ("is a result of other sources", "embed", two, folder / "t.parquet"),
        ("exists, and is", "embed", two, folder / "t.csv"),
    ):
        text = refused(spectralgpt, folder, words, *command, *options)
        assert text.endswith("To replace it: --overwrite\n")
    done(spectralgpt, "reconstruct", one, folder / "map.tif", *options, "--overwrite")
    done(spectralgpt, "embed", two, folder / "t.csv", *options, "--overwrite")
    refused(spectralgpt, folder, "is a result of `reconstruct`", "embed", one, folder / "map.tif", *options)


def test_results_of_earlier_versions_need_overwrite_once(folder, weights, spectralgpt):
    image = dates(folder)[0]
    for verb, name in (("embed", "a"), ("reconstruct", "b")):
        target = folder / f"{name}.tif"
        command = (verb, image, target, "--weights", weights)
        done(spectralgpt, *command)
        with rasterio.open(target, "r+", IGNORE_COG_LAYOUT_BREAK="YES") as dataset:
            kept = {key: text for key, text in dataset.tags().items() if "VERB" not in key and "SOURCES" not in key}
            dataset.update_tags(SPECTRALGPT_VERB="", SPECTRALGPT_SOURCES="", **kept)
        imsave(target.with_suffix(".png"), np.zeros((4, 4, 3)))
        assert "--overwrite" in refused(spectralgpt, folder, "exists, and is", *command)
        done(spectralgpt, *command, "--overwrite")
        done(spectralgpt, *command)
    table = folder / "t.parquet"
    pq.write_table(pa.table({"path": [str(image)]}).replace_schema_metadata({"spectralgpt": "embed 12ab"}), table)
    command = ("embed", image, table, "--weights", weights)
    refused(spectralgpt, folder, "--overwrite", *command)
    done(spectralgpt, *command, "--overwrite")
    done(spectralgpt, *command)


def test_a_result_that_is_read_again_does_not_pass_its_mark_on(folder, weights, spectralgpt):
    """A reconstruction inherits the tags of its source, but is of its own command."""
    image = dates(folder)[0]
    options = ("--weights", weights)
    done(spectralgpt, "reconstruct", image, folder / "one_2020-05-01.tif", *options)
    done(spectralgpt, "reconstruct", folder / "one_2020-05-01.tif", folder / "two.tif", *options)
    refused(spectralgpt, folder, "of other sources", "reconstruct", image, folder / "two.tif", *options)


def test_nothing_is_computed_first(folder, weights, spectralgpt, monkeypatch):
    """Not even weights are read."""
    monkeypatch.setattr("spectralgpt.weights.load_model", lambda *_: pytest.fail("read weights"))
    image = dates(folder)[0]
    for name in ("out.tif", "out.csv", "out.parquet"):
        (folder / name).write_text("mine")
        refused(spectralgpt, folder, "To replace it", "embed", image, folder / name, "--weights", weights)
