"""What changed in a shard since it was written is not trained on."""

import json
import threading
import zlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_rasters import NAMES, land, write

import spectralgpt.data.table as table_module
from spectralgpt.data.column_checksums import (
    CHECKSUM_KIND,
    CHECKSUMS,
    FOLDED,
    column_checksum,
    folded,
    stored_checksums,
)
from spectralgpt.data.series import Reading
from spectralgpt.data.sharding import shard
from spectralgpt.data.shards import open_shards
from spectralgpt.data.verification import verify_shards
from spectralgpt.errors import DataError


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """Shards of six chips in record batches of two, one of them with pixels that are not valid."""
    monkeypatch.setattr("spectralgpt.data.writing.BATCH", 60_000)
    values = land(96, 64, 3)
    values[:, 70:75] = 0
    write(tmp_path / "a.tif", values, names=NAMES, nodata=0)
    shard([tmp_path / "a.tif"], tmp_path / "out", Reading(32, 0.0, 12), workers=1, size=10**9)
    return tmp_path / "out"


def with_other_bytes(path: Path, stored: bytes, other: bytes) -> None:
    """The shard with these bytes, which are found once, replaced, and the size as it was."""
    content = path.read_bytes()
    assert content.count(stored) == 1
    assert len(stored) == len(other)
    path.write_bytes(content.replace(stored, other))


def one_value_changed(folder: Path, row: int) -> None:
    """The last bit of a stored value of a sample flipped."""
    values = open_shards(folder).read(0, np.array([row])).values.numpy()
    changed = values.copy()
    changed[0, 0, 5, 7, 9] ^= 1
    with_other_bytes(folder / "shard-00000.arrow", values.tobytes(), changed.tobytes())


@pytest.mark.parametrize("row", range(6))
def test_a_flipped_bit_is_found_as_its_batch_is_first_read(folder, row):
    kept = open_shards(folder).read(0, np.arange(6)).values
    one_value_changed(folder, row)
    changed = open_shards(folder)
    for other in range(6):
        if other // 2 == row // 2:
            with pytest.raises(DataError, match=rf"shard-00000\.arrow, record batch {row // 2 + 1} of 3: .*'values'"):
                changed.read(0, np.array([other]))
        else:  # what is whole is still read
            assert (changed.read(0, np.array([other])).values[0] == kept[other]).all()


def test_every_column_is_checked_where_it_is_read(folder):
    shards = open_shards(folder)
    (path,) = folder.glob("*.arrow")
    place, content = shards.places(0)[:1].tobytes(), path.read_bytes()
    # places, which decide what is held back, are read without the values
    path.write_bytes(content.replace(place, bytes(8)))
    with pytest.raises(DataError, match="column 'place'"):
        open_shards(folder).places(0)
    path.write_bytes(content.replace(b"a.tif", b"b.tif"))
    with pytest.raises(DataError, match=r"column '(image|source)'"):
        open_shards(folder).sources(0, np.array([0]))


def test_each_column_is_checked_once(folder, monkeypatch):
    seen = []
    monkeypatch.setattr(
        table_module, "column_checksum", lambda column: seen.append(column.type) or column_checksum(column)
    )
    shards = open_shards(folder)
    shards.places(0)
    assert len(seen) == 3  # one column of three batches; no values
    for _ in range(3):
        shards.read(0, np.arange(6))
    columns = len(open_shards(folder)._table(shards.manifest.shards[0]).blocks[0].batch.schema.names)
    assert len(seen) == 3 * columns


def test_a_thread_waits_for_the_check_of_another(folder, monkeypatch):
    started, may_end = threading.Event(), threading.Event()

    def slow(column: pa.Array) -> int:
        started.set()
        assert may_end.wait(10)
        return column_checksum(column)

    one_value_changed(folder, 0)
    shards = open_shards(folder)
    monkeypatch.setattr(table_module, "column_checksum", slow)
    failed = []

    def read() -> None:
        try:
            shards.read(0, np.array([1]))
        except DataError as error:
            failed.append(error)

    threads = [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    assert started.wait(10)
    may_end.set()
    for thread in threads:
        thread.join(10)
    assert len(failed) == 2


def rewritten(folder: Path, mark: bytes | None) -> None:
    """The shard written again without checksums. mark: what the table says of their kind."""
    (path,) = folder.glob("*.arrow")
    with pa.ipc.open_file(path) as reader:
        batches, schema = [reader.get_batch(number) for number in range(reader.num_record_batches)], reader.schema
    metadata = {name: value for name, value in schema.metadata.items() if name != CHECKSUMS}
    metadata |= {} if mark is None else {CHECKSUMS: mark}
    batches = [batch.replace_schema_metadata(metadata) for batch in pa.Table.from_batches(batches).to_batches()]
    with pa.ipc.new_file(path, schema.with_metadata(metadata)) as writer:
        for batch in batches:
            writer.write_batch(batch)
    content = json.loads((folder / "manifest.json").read_text())
    content["shards"][0] |= {"bytes": path.stat().st_size, "crc32": zlib.crc32(path.read_bytes())}
    (folder / "manifest.json").write_text(json.dumps(content))


def test_shards_of_earlier_versions_are_read_unchecked(folder):
    kept = open_shards(folder).read(0, np.arange(6)).values
    rewritten(folder, None)
    assert (open_shards(folder).read(0, np.arange(6)).values == kept).all()
    assert verify_shards(folder) == 1
    one_value_changed(folder, 0)
    assert (open_shards(folder).read(0, np.arange(6)).values != kept).sum() == 1  # as docs/reliability.md says
    with pytest.raises(DataError, match="not the bytes that were written"):
        verify_shards(folder)


@pytest.mark.parametrize(
    ("mark", "says"), [(CHECKSUM_KIND.encode(), "checksums"), (b"sha-256", "of the kind b'sha-256'")]
)
def test_checksums_that_are_lost_or_of_another_kind_are_no_shard(folder, mark, says):
    rewritten(folder, mark)
    with pytest.raises(DataError, match=f"is not a shard .*{says}"):
        open_shards(folder).read(0, np.arange(1))


@given(size=st.integers(1, 9 * 8 * FOLDED), data=st.data())
def test_any_damage_within_a_row_of_words_changes_the_folded_words(size, data):
    content = np.random.default_rng(size).integers(0, 256, size, np.uint8)
    at = data.draw(st.integers(0, size - 1))
    damage = np.frombuffer(data.draw(st.binary(min_size=1, max_size=200)), np.uint8)[: size - at]
    changed = content.copy()
    changed[at : at + len(damage)] ^= damage
    assert (folded(changed) == folded(content)) == (not damage.any())


def test_pages_that_changed_places_are_found():
    content = np.random.default_rng(0).integers(0, 256, 64 * 4096, np.uint8)
    for other in range(1, 64):
        pages = content.reshape(64, 4096).copy()
        pages[[0, other]] = pages[[other, 0]]
        assert folded(pages.ravel()) != folded(content)


def test_batches_as_they_are_read_have_the_checksums_that_were_written(folder, tmp_path):
    """Also columns of no bytes, of texts and of lists."""
    columns = {"a": [b"", b""], "b": ["", "x"], "c": [[1.0, 2.0], [3.0, 4.0]], "d": pa.array([1, 2], pa.int16())}
    batch = pa.record_batch([pa.array(each) for each in columns.values()], list(columns))
    with pa.ipc.new_file(tmp_path / "t.arrow", batch.schema) as writer:
        writer.write_batch(batch, custom_metadata=stored_checksums(batch))
    with pa.memory_map(str(tmp_path / "t.arrow")) as file:
        found = pa.ipc.open_file(file).get_batch_with_custom_metadata(0)
    assert stored_checksums(found.batch) == dict(found.custom_metadata)
