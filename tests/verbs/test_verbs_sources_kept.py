"""Verbs never write over what their sources read: here a VRT under an image's name, whose source is given as target.

The kinds of sources are in tests/products/test_products_sources_kept.py, with the mechanism that all verbs share.
"""

import os

import pytest
from made_rasters import NAMES, land, write


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
    import shutil

    shutil.copytree(weights, work / "w")
    inside = work / "w" / "model.safetensors"
    kept(spectralgpt, inside, "convert", work / "w", work / "w", words="one of the sources")
