"""A training state of somebody else runs no code: the marker is a file that it would make."""

import io
import json
import os
import pickle

import pytest
import torch

from made_training import ALONE, made, make_step
from spectralgpt.errors import DataError
from spectralgpt.training.checkpoints import DamagedError, _sum, load_checkpoint, save_checkpoint


class Stranger:
    """Makes a folder when it is unpickled."""

    def __init__(self, marker):
        self.marker = str(marker)

    def __reduce__(self):
        return os.mkdir, (self.marker,)


@pytest.fixture
def state(tmp_path):
    model, optimizer = made(0)
    make_step(model, optimizer)
    return save_checkpoint(tmp_path / "checkpoints", 1, model, optimizer, {}, ALONE)


def rewritten(state):
    """As a stranger would: all sums are right."""
    content = json.loads((state / "state.json").read_text())
    content["files"] = {name: _sum(state / name) for name in content["files"]}
    (state / "state.json").write_text(json.dumps(content))


def refused(state, words):
    model, optimizer = made(1)
    with pytest.raises(DataError, match=words) as caught:
        load_checkpoint(state, model, optimizer, ALONE)
    return caught.value


def test_metadata_that_run_code(state, tmp_path):
    metadata = pickle.loads((state / ".metadata").read_bytes())
    metadata.planner_data = Stranger(tmp_path / "marker")
    (state / ".metadata").write_bytes(pickle.dumps(metadata))
    rewritten(state)
    error = refused(state, r"found posix\.mkdir, which would run code.*Nothing was run")
    assert not isinstance(error, DamagedError), "no advice to go on from the one before"
    assert not (tmp_path / "marker").exists()


def test_a_value_that_runs_code(state, tmp_path):
    metadata = pickle.loads((state / ".metadata").read_bytes())
    place = next(info for index, info in metadata.storage_data.items() if index.fqn.endswith("param_groups.0.lr"))
    value = io.BytesIO()
    torch.save(Stranger(tmp_path / "marker"), value)
    file = state / place.relative_path
    place.offset, place.length = file.stat().st_size, len(value.getvalue())
    file.write_bytes(file.read_bytes() + value.getvalue())
    (state / ".metadata").write_bytes(pickle.dumps(metadata))
    rewritten(state)
    refused(state, r"param_groups\.0\.lr, which would run code")
    assert not (tmp_path / "marker").exists()
    torch.load(io.BytesIO(value.getvalue()), weights_only=False)
    assert (tmp_path / "marker").exists(), "it would, so that this test can fail"


def test_values_of_other_folders(state, tmp_path):
    metadata = pickle.loads((state / ".metadata").read_bytes())
    for info in metadata.storage_data.values():
        info.relative_path = f"../{state.name}/{info.relative_path}"
    (state / ".metadata").write_bytes(pickle.dumps(metadata))
    rewritten(state)
    refused(state, "found values in ../")


def test_files_of_other_folders(state, tmp_path):
    (tmp_path / "other").write_text("x")
    content = json.loads((state / "state.json").read_text())
    content["files"]["../../other"] = _sum(tmp_path / "other")
    (state / "state.json").write_text(json.dumps(content))
    refused(state, "lies outside")


def test_our_own_states_need_nothing_else(state):
    """With every type of tensor, and an average, as the other tests of states load them."""
    model = torch.nn.ParameterDict(
        {
            f"of_{str(dtype)[6:]}": torch.nn.Parameter(torch.ones(2, dtype=dtype))
            for dtype in (torch.float32, torch.bfloat16)
        }
    )
    optimizer = torch.optim.AdamW(model.parameters(), betas=(0.9, 0.95))
    sum(each.float().sum() for each in model.values()).backward()
    optimizer.step()
    path = save_checkpoint(state.parent, 2, model, optimizer, {"a": 1}, ALONE)
    assert load_checkpoint(path, model, optimizer, ALONE) == {"a": 1}
