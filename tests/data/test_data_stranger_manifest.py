"""A manifest of somebody else names shards of its folder and nothing else."""

import json

import pytest

from spectralgpt.data.manifest import Manifest
from spectralgpt.data.shards import open_shards
from spectralgpt.data.verification import verify_shards
from spectralgpt.errors import DataError


def manifest(folder, file):
    folder.mkdir()
    content = json.loads(Manifest().to_json())
    content["shards"] = [{"file": file, "layout": 0, "count": 1, "bytes": 2, "crc32": 0}]
    content["layouts"] = []
    (folder / "manifest.json").write_text(json.dumps(content))


@pytest.mark.parametrize(
    "name",
    [
        *("../precious", "/etc/hostname", "below/shard-00000.arrow", "./shard-00000.arrow", "..", "", "shard-1.arrow"),
        *("shard-00000.arrow\n", "..\\shard-00000.arrow", "manifest.json", "shard-00000.arrow/../../precious"),
    ],
)
def test_only_shards_are_named(tmp_path, name):
    (tmp_path / "precious").write_text("mine")
    manifest(tmp_path / "shards", name)
    for read in (open_shards, verify_shards):
        with pytest.raises(DataError) as caught:
            read(tmp_path / "shards")
        assert "in place of the name of a shard" in str(caught.value)
        assert "Remove" not in str(caught.value), "no advice to remove a file outside"
    assert (tmp_path / "precious").read_text() == "mine"


def test_a_shard_that_is_missing_is_named(tmp_path):
    """What is refused above is the name: this one only is not there."""
    manifest(tmp_path / "shards", "shard-00000.arrow")
    with pytest.raises(DataError, match="layout that is not listed"):
        verify_shards(tmp_path / "shards")
