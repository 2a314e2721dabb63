"""Shards return what the rasters contain, or raise an error that says why not."""

import hashlib
import json
import pickle
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from made_rasters import NAMES, land, write

from made_shards import made_layout
from spectralgpt.data.manifest import Failure, LabelsMark, Manifest, ShardEntry
from spectralgpt.data.series import Reading
from spectralgpt.data.sharding import shard
from spectralgpt.data.shards import Shards, open_shards
from spectralgpt.data.statistics import KNEE, BandTotals
from spectralgpt.data.table import schema
from spectralgpt.errors import DataError, OptionError
from spectralgpt.nn.normalization import ASINH_REFLECTANCE
from spectralgpt.products import open_raster
from spectralgpt.raster import Window
from spectralgpt.tasks import Class


def made(folder: Path, sources: list[Path], chip: int = 64, size: int = 10**9, **how) -> Shards:
    shard(sources, folder, Reading(chip, how.pop("least_valid", 0.0), 12), workers=1, size=size, **how)
    return open_shards(folder)


def holey(rows: int, columns: int, seed: int = 0) -> np.ndarray:
    """Level-1C with a hole of nodata (0) in all bands, and one pixel of one band."""
    values = land(rows, columns, seed)
    values[:, rows // 4 : rows // 2, columns // 3 : columns // 2] = 0
    values[3, 1, 1] = 0
    return values


@pytest.fixture(scope="module")
def images(tmp_path_factory) -> Path:
    """Odd sizes, holes, floats with NaN, signed integers, an image smaller than a chip, two dates of one place."""
    folder = tmp_path_factory.mktemp("images")
    write(folder / "odd.tif", holey(140, 97), names=NAMES, nodata=0)
    write(folder / "small.tif", holey(33, 20, 1), names=NAMES, nodata=0)
    floats = (land(74, 64, 2) / 1e4).astype(np.float32)
    floats[:, 5:9] = np.nan
    write(folder / "floats.tif", floats, names=NAMES)
    write(folder / "signed.tif", land(64, 64, 3).astype(np.int16), names=NAMES, crs=None, transform=None)
    (folder / "dates").mkdir()
    for day, seed in (("2020-03-04", 4), ("2020-05-06", 5)):
        write(folder / "dates" / f"a_{day}.tif", holey(80, 74, seed), names=NAMES, nodata=0)
    return folder


@pytest.fixture(scope="module")
def shards(images, tmp_path_factory) -> Shards:
    return made(tmp_path_factory.mktemp("shards") / "all", [images], size=400_000)


def where(named: str) -> tuple[str, Window]:
    source, rows, columns = named.rsplit(", ", 2)
    (top, bottom), (left, right) = (map(int, each.split(" ")[1].split("-")) for each in (rows, columns))
    return source, Window(top, left, bottom - top + 1, right - left + 1)


@pytest.mark.parametrize("name", ["odd", "small", "floats", "signed", "dates"])
def test_every_chip_is_what_the_raster_reads(images, tmp_path, name):
    stack = name == "dates"
    files = sorted((images / name).glob("*.tif")) if stack else [images / f"{name}.tif"]
    shards = made(tmp_path / "out", [images / name if stack else files[0]], stack=stack)
    (layout,) = shards.layouts
    raster = open_raster(files)
    samples = shards.read(0, np.arange(shards.counts[0]))
    height, width = raster.grid.shape
    assert layout.side == 64
    assert shards.counts[0] == -(-height // layout.side) * -(-width // layout.side)
    covered = np.zeros((height, width), bool)
    for number, named in enumerate(shards.sources(0, np.arange(shards.counts[0]))):
        source, window = where(named)
        assert source.endswith(files[0].name)
        covered[window.slices] = True
        pixels = raster.read(window)
        inside = (..., slice(window.height), slice(window.width))
        true = np.ones(pixels.shape, bool) if pixels.valid is None else pixels.valid
        values = samples.values[number].numpy()
        np.testing.assert_array_equal(values[inside], np.where(true, pixels.values, 0))
        assert values.dtype == pixels.values.dtype
        outside = np.ones(values.shape[2:], bool)
        outside[inside[1:]] = False
        assert not values[..., outside].any()
        if samples.valid is None:
            assert true.all()
        else:
            np.testing.assert_array_equal(samples.valid[number].numpy()[inside], true)
            assert not samples.valid[number].numpy()[..., outside].any()
        np.testing.assert_array_equal(samples.scale[number], pixels.scale)
        np.testing.assert_array_equal(samples.offset[number], pixels.offset)
        np.testing.assert_array_equal(samples.days[number], pixels.days)
        assert samples.extent[number].tolist() == [window.height, window.width]
    assert covered.all()
    np.testing.assert_array_equal(samples.gsd, np.full(len(samples), raster.gsd, np.float32))
    assert samples.bands == raster.bands
    assert (samples.valid is None) == (name == "signed")
    assert samples.number.tolist() == list(range(len(samples)))


def test_rows_come_in_the_order_asked_for_and_dates_as_chosen(images, tmp_path):
    shards = made(tmp_path / "out", [images / "dates"], stack=True, size=400_000)
    assert len(shards.manifest.shards) > 1
    rows = np.array([3, 0, 3, 1])
    whole, one = shards.read(0, np.arange(4)), shards.read(0, rows, np.array([[1], [0], [0], [1]]))
    two = shards.read(0, rows, np.array([[1, 0]] * 4))
    assert one.valid is not None
    assert two.valid is not None
    assert whole.valid is not None
    for index, (row, date) in enumerate(zip(rows, (1, 0, 0, 1), strict=True)):
        assert (one.values[index, 0] == whole.values[row, date]).all()
        assert (one.valid[index, 0] == whole.valid[row, date]).all()
        assert one.days[index, 0] == whole.days[row, date]
        assert (two.values[index] == whole.values[row].flip(0)).all()
        assert (two.days[index] == whole.days[row].flip(0)).all()
    assert whole.days[0, 0] < whole.days[0, 1]
    with pytest.raises(IndexError, match="4 of 4"):
        shards.read(0, np.array([4]))


def test_samples_that_are_all_valid_beside_others_are_valid_within_their_extent(tmp_path):
    write(tmp_path / "a.tif", land(40, 50), names=NAMES)
    write(tmp_path / "b.tif", holey(60, 64), names=NAMES, nodata=0)
    shards = made(tmp_path / "out", [tmp_path / "a.tif", tmp_path / "b.tif"], chip=64)
    assert shards.read(0, np.array([0])).valid is None
    valid = shards.read(0, np.arange(2)).valid
    assert valid is not None
    within = np.zeros((64, 64), bool)
    within[:40, :50] = True
    assert (valid[0].numpy() == within).all()
    assert not valid[1].all()


def test_the_order_of_bands_in_files_does_not_matter(tmp_path):
    values = land(64, 64)
    turned = [*range(8), *range(9, 13), 8]  # B8A last, as EuroSAT has it
    write(tmp_path / "a.tif", values, names=NAMES)
    write(tmp_path / "b.tif", values[turned], names=[NAMES[index] for index in turned])
    shards = made(tmp_path / "out", [tmp_path / "a.tif", tmp_path / "b.tif"])
    assert shards.counts == (2,)
    one, other = shards.read(0, np.arange(2)).values
    assert (one == other).all()


def test_where_samples_lie_and_what_they_share(images, tmp_path):
    shards = made(tmp_path / "out", [images / "odd.tif"])
    lon, lat = shards.positions(0).T
    assert np.ptp(lon) == pytest.approx(33 * 10 / 88_000, rel=0.05)  # 33 columns apart; a degree has 88 km there
    assert lat[0] == pytest.approx(37.76, abs=0.01)
    assert lon[0] == pytest.approx(-75.73, abs=0.01)
    assert len(set(shards.places(0).tolist())) == 1
    unplaced = made(tmp_path / "other", [images / "signed.tif"])
    assert np.isnan(unplaced.positions(0)).all()
    assert unplaced.places(0)[0] != shards.places(0)[0]


def test_statistics_are_those_of_all_valid_pixels(images, tmp_path):
    values = holey(128, 64)
    write(tmp_path / "whole.tif", values, names=NAMES, nodata=0)  # cut without overlap
    shards = made(tmp_path / "out", [tmp_path / "whole.tif"], chip=64, size=1)
    assert len(shards.manifest.shards) == 2  # merged over shards
    for index, found in enumerate(shards.manifest.statistics):
        r = values[index][values[index] > 0] * 1e-4
        stretched = np.arcsinh(r / 0.02)
        assert found.band == shards.layouts[0].bands[index]
        assert (found.count, found.low, found.high) == (r.size, pytest.approx(r.min()), pytest.approx(r.max()))
        assert (found.mean, found.sd) == (pytest.approx(r.mean()), pytest.approx(r.std()))
        assert (found.asinh_mean, found.asinh_sd) == (pytest.approx(stretched.mean()), pytest.approx(stretched.std()))


def test_a_million_samples_open_at_once(images, tmp_path):
    shards = made(tmp_path / "out", [images / "odd.tif"])
    manifest = tmp_path / "out" / "manifest.json"
    content = json.loads(manifest.read_text())
    content["shards"] = content["shards"] * 170_000  # of six samples
    content["shards"] = content["shards"][:20_000]
    manifest.write_text(json.dumps(content))
    start = time.process_time()
    many = open_shards(tmp_path / "out")
    assert many.counts == (120_000,)
    assert len(many.places(0)) == 120_000
    assert time.process_time() - start < 5
    assert (many.read(0, np.array([119_999])).values == shards.read(0, np.array([5])).values).all()


def test_shards_are_read_in_threads_and_in_other_processes(shards):
    rows = np.arange(shards.counts[0])
    wanted = shards.read(0, rows).values
    fresh = pickle.loads(pickle.dumps(shards))
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(lambda _: fresh.read(0, rows).values, range(16)):
            assert (found == wanted).all()


def test_other_samples_have_another_fingerprint(images, tmp_path):
    one, same = (made(tmp_path / name, [images / "odd.tif"]).fingerprint for name in ("one", "same"))
    assert one == same
    assert made(tmp_path / "same", [images / "floats.tif"]).fingerprint != one


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def foreign(path: Path) -> None:
    path.write_bytes(b"\0" * path.stat().st_size)


def other_table(path: Path) -> None:
    table = pa.table({"values": [1, 2]})
    with pa.ipc.new_file(path, table.schema) as writer:
        writer.write(table)
    content = json.loads((path.parent / "manifest.json").read_text())
    content["shards"][0]["bytes"] = path.stat().st_size
    (path.parent / "manifest.json").write_text(json.dumps(content))


def other_count(path: Path) -> None:
    content = json.loads((path.parent / "manifest.json").read_text())
    content["shards"][0]["count"] = 7
    (path.parent / "manifest.json").write_text(json.dumps(content))


@pytest.mark.parametrize("damage", [cut_off, foreign, other_table, other_count, Path.unlink])
def test_a_damaged_shard_is_named(images, tmp_path, damage):
    made(tmp_path / "out", [images / "odd.tif"])
    path = tmp_path / "out" / "shard-00000.arrow"
    damage(path)
    with pytest.raises(DataError, match=r"shard-00000\.arrow: (found .*expected|.*Download it again)"):
        open_shards(tmp_path / "out").read(0, np.arange(2))


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", '{"format": "spectralgpt shards", "version": 2}', '"a"', "null"],
)
def test_a_damaged_manifest_is_named(tmp_path, text):
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(DataError, match=r"manifest\.json: found .*expected"):
        open_shards(tmp_path)
    with pytest.raises(DataError, match="does not exist"):
        open_shards(tmp_path / "nowhere")


def test_statistics_are_of_what_the_model_normalizes_by():
    """The number is written twice, because code that writes shards does not import torch."""
    assert KNEE == ASINH_REFLECTANCE


def test_a_folder_without_labels_is_what_it_was():
    """The digests are those of the version before there were targets: fingerprints name shards in finished runs."""
    layouts = (made_layout(), made_layout(32, 2))
    manifest = Manifest(
        layouts,
        (ShardEntry("shard-00000.arrow", 0, 3, 1234, 99), ShardEntry("shard-00001.arrow", 1, 2, 5678, 7)),
        (BandTotals(layouts[0].bands[0], 3, 1.5, 2.25, 0.1, 0.9, 4.5, 6.75),),
        (Failure("a", "b", "c"),),
        ("d",),
        (("e", "f"),),
        (),
        ("",),
    )
    text = manifest.to_json()
    assert (
        hashlib.sha256(text.encode()).hexdigest() == "68691ff23310c7f81355e293bb9def0c2e93ffb259acfe94963a61ddcf75dd16"
    )
    assert json.loads(text)["version"] == 1
    assert Manifest.from_json(text) == manifest
    assert Shards(Path("x"), manifest).fingerprint == "fe1acac48e39ab09f795b32c642c1d4b26b0aeb84840fc7a837979ee0dac4136"
    assert set(schema(layouts[1]).metadata) == {b"layout", b"checksums"}  # which earlier versions ignore
    assert set(json.loads(schema(layouts[1]).metadata[b"layout"])) == {"bands", "dtype", "dates", "side"}
    assert schema(layouts[1]).names[-1] == "chips"


@pytest.mark.parametrize(("target", "count"), [("class", 2), ("classes", 9), ("mask", 300), ("change", 2)])
def test_a_manifest_with_targets_is_version_2(target, count):
    layout = replace(made_layout(), target=target, classes=count)
    classes = tuple(Class(f"class {number}", "#123456" if number else None) for number in range(count))
    entries = (ShardEntry("shard-00000.arrow", 0, 3, 1234, 99),)
    manifest = Manifest((layout,), entries, target=target, classes=classes, labels=LabelsMark("0", 128))
    content = json.loads(manifest.to_json())
    assert content["version"] == 2
    assert Manifest.from_json(manifest.to_json()) == manifest
    for name in ("target", "classes", "labels"):
        with pytest.raises(OptionError, match=name):
            Manifest.from_json(json.dumps({key: value for key, value in content.items() if key != name}))


def test_samples_without_labels_have_no_split(shards):
    assert not shards.has_splits
    for layout, count in enumerate(shards.counts):
        assert shards.splits(layout) == shards.samples(layout) == shards.groups(layout) == [""] * count
        assert list(shards.targets(layout)) == []
        assert shards.read(layout, np.arange(count)).target is None
