"""Every way to compute attention is the same function, as exact as a plain softmax; the chosen one is the fastest."""

import json
import multiprocessing
import re
import resource
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from spectralgpt.errors import OptionError
from spectralgpt.nn import blocked, measured_ways
from spectralgpt.nn.attention import attend, key_mask
from spectralgpt.nn.measured_ways import chosen_way, kept_ways, measured, used_ways, ways_folder
from spectralgpt.nn.ways import WAYS, AttentionShape, possible_ways, usual_way

SHAPE = AttentionShape("bfloat16", batch=2, heads=3, tokens=40, width=16, masked=False, training=True)


def softmax(q: Tensor, k: Tensor, v: Tensor, keys: Tensor | None) -> Tensor:
    """As anybody would write it."""
    scores = (q @ k.transpose(-1, -2)) * q.shape[-1] ** -0.5
    if keys is not None:
        scores = scores.masked_fill(~keys, -torch.inf)
    return scores.softmax(dim=-1) @ v


def with_gradients(way, inputs, keys, gradient, autocast: bool = False) -> tuple[Tensor, ...]:
    q, k, v = (each.detach().requires_grad_() for each in inputs)
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        out = way(q, k, v, keys)
    return out.detach(), *torch.autograd.grad(out, (q, k, v), gradient.to(out.dtype))


def drawn(shape: tuple[int, ...], size: float, masked: bool) -> tuple[list[Tensor], Tensor | None, Tensor]:
    draws = torch.Generator().manual_seed(0)
    q, k, v, gradient = (torch.randn(shape, generator=draws) for _ in range(4))
    present = torch.rand(shape[0], shape[2], generator=draws) > 0.4
    present[0] = False  # a sample without any token
    return [q * size, k * size, v], key_mask(present) if masked else None, gradient


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("block", [1, 2 * 7**2, 2**22])  # one head per block, two with one left over, all
def test_every_way_is_the_same_function(way, masked, block, monkeypatch):
    monkeypatch.setattr(blocked, "SCORES", block)
    inputs, keys, gradient = drawn((3, 5, 7, 8), 1.0, masked)
    wanted = with_gradients(softmax, inputs, keys, gradient)
    for found, right in zip(with_gradients(WAYS[way], inputs, keys, gradient), wanted, strict=True):
        torch.testing.assert_close(found, right, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(("shape", "size"), [((2, 3, 300, 32), 1.0), ((2, 4, 57, 64), 3.0), ((2, 2, 130, 16), 2.0)])
def test_no_way_is_less_exact_than_a_plain_softmax_under_autocast(way, masked, shape, size):
    inputs, keys, gradient = drawn(shape, size, masked)
    low = [each.bfloat16() for each in inputs]
    gradient = gradient.bfloat16()
    exact = with_gradients(softmax, [each.double() for each in low], keys, gradient.double())
    plain = with_gradients(softmax, low, keys, gradient, autocast=True)
    found = with_gradients(WAYS[way], low, keys, gradient, autocast=True)
    for right, usual, ours in zip(exact, plain, found, strict=True):
        assert (ours.double() - right).norm() <= 1.001 * (usual.double() - right).norm()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_attention_without_tokens_or_in_double(dtype):
    q = torch.randn(2, 3, 5, 8, dtype=dtype)
    torch.testing.assert_close(attend(q, q, q, None), softmax(q, q, q, None), atol=0.02, rtol=0.02)
    assert attend(q[:, :, :0], q[:, :, :0], q[:, :, :0], None).shape == (2, 3, 0, 8)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("masked", [False, True])
def test_the_chosen_way_is_measured_once_and_kept(tmp_path, monkeypatch, training, dtype, masked):
    measuring(monkeypatch, tmp_path)
    shape = replace(SHAPE, dtype=dtype, training=training, masked=masked)
    random = torch.random.get_rng_state()
    way = chosen_way(shape)
    assert torch.equal(random, torch.random.get_rng_state())
    assert way in possible_ways(shape)
    assert used_ways() == {shape.kind: way}
    (kept,) = kept_ways().values()
    assert kept["way"] == way
    assert kept["ms"].keys() == set(possible_ways(shape))
    assert kept["ms"][way] <= min(kept["ms"].values()) / 0.95 + 0.001
    with pytest.MonkeyPatch.context() as again:
        again.setattr(measured_ways, "_chosen", {})
        again.setattr(measured_ways, "measured", lambda shape: pytest.fail("measured again"))
        assert chosen_way(shape) == way


def test_what_another_process_chose_first_counts(tmp_path, monkeypatch):
    measuring(monkeypatch, tmp_path)
    other = next(way for way in possible_ways(SHAPE) if way != usual_way(SHAPE))

    def slow(shape: AttentionShape) -> dict[str, object]:
        the_file().write_text(json.dumps({"kind": shape.kind, "way": other, "ms": {}}))
        return {"way": usual_way(shape), "ms": {}}

    monkeypatch.setattr(measured_ways, "measured", slow)
    assert chosen_way(SHAPE) == other
    assert [path.name for path in the_file().parent.iterdir()] == [the_file().name]


NESTED = "[" * 100_000
DAMAGES = ["", "[]", "{", NESTED, '{"way": 3}', '{"kind": "x", "way": "magic"}', '{"kind": "x", "way": ["flash"]}']


@pytest.mark.parametrize("damage", DAMAGES, ids=[damage[:30] for damage in DAMAGES])
def test_a_damaged_file_is_measured_anew(tmp_path, monkeypatch, damage):
    measuring(monkeypatch, tmp_path)
    path = the_file()
    path.parent.mkdir(parents=True)
    path.write_text(damage)
    assert kept_ways() == {}
    assert chosen_way(SHAPE) in possible_ways(SHAPE)
    assert kept_ways().keys() == {SHAPE.kind}


def keep_some(tokens: range) -> None:
    measured_ways.measured = lambda shape: {"way": usual_way(shape), "ms": {}}
    for each in tokens:
        chosen_way(replace(SHAPE, tokens=2**each))


def test_processes_lose_nothing_of_each_other(tmp_path, monkeypatch):
    measuring(monkeypatch, tmp_path)
    ranges = [range(2, 30), range(30, 58), range(20, 40)]
    processes = [multiprocessing.get_context("fork").Process(target=keep_some, args=(each,)) for each in ranges]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    assert len(kept_ways()) == 56


@pytest.mark.parametrize("most", [0, 100])
def test_a_full_disk_is_known_before_measuring(tmp_path, monkeypatch, most):
    """Stood for by the largest file that a process may write: both refuse the content, not the name."""
    measuring(monkeypatch, tmp_path)
    monkeypatch.setattr(measured_ways, "measured", lambda shape: pytest.fail("measured"))
    _, hard = before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))
    try:
        assert chosen_way(SHAPE) == usual_way(SHAPE)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_disk_that_fills_while_measuring_keeps_no_part(tmp_path, monkeypatch):
    measuring(monkeypatch, tmp_path)
    _, hard = before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def filling(shape: AttentionShape) -> dict[str, object]:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))
        return {"way": next(way for way in possible_ways(shape) if way != usual_way(shape)), "ms": {}}

    monkeypatch.setattr(measured_ways, "measured", filling)
    try:
        assert chosen_way(SHAPE) == usual_way(SHAPE)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_nothing_is_measured_where_it_cannot_be_kept(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    measuring(monkeypatch, tmp_path / "file" / "folder")
    monkeypatch.setattr(measured_ways, "measured", lambda shape: pytest.fail("measured"))
    assert chosen_way(SHAPE) == usual_way(SHAPE)


@pytest.mark.parametrize("way", WAYS)
def test_a_way_that_is_asked_for(monkeypatch, way):
    monkeypatch.setenv("SPECTRALGPT_ATTENTION", way)
    assert chosen_way(SHAPE) == way


@pytest.mark.parametrize("value", ["nonsense", "Flash", "flash,plain", " "])
def test_an_unknown_way_is_refused_with_the_known_ones(monkeypatch, value):
    monkeypatch.setenv("SPECTRALGPT_ATTENTION", value)
    with pytest.raises(OptionError) as refused:
        chosen_way(SHAPE)
    assert str(refused.value).startswith(f"the environment variable SPECTRALGPT_ATTENTION: found {value!r}; expected ")
    assert all(name in str(refused.value) for name in ("usual", "measured", *WAYS))
    q = torch.ones(1, 1, 2, 4)
    with pytest.raises(OptionError):
        attend(q, q, q, None)


def test_an_empty_variable_is_as_none(tmp_path, monkeypatch):
    measuring(monkeypatch, tmp_path)
    monkeypatch.setenv("SPECTRALGPT_ATTENTION", "")
    chosen_way(SHAPE)
    assert len(kept_ways()) == 1


def test_measuring_inside_a_checkpointed_block(tmp_path, monkeypatch):
    """Whose hooks count what is kept for the backward pass."""
    measuring(monkeypatch, tmp_path)
    q = torch.randn(2, 3, 40, 16, dtype=torch.bfloat16, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16):
        out = checkpoint(lambda q: attend(q, q, q, None), q, use_reentrant=False)
    out.float().sum().backward()
    assert q.grad is not None
    assert len(kept_ways()) == 1
    with torch.inference_mode():
        attend(q, q, q, None)
    assert len(kept_ways()) == 2


def test_scores_of_large_batches_are_not_kept():
    large = replace(SHAPE, batch=64, tokens=1024)
    assert "plain" not in possible_ways(large)
    assert "plain" in possible_ways(SHAPE)


def test_measuring_takes_few_samples_of_large_batches(monkeypatch):
    seen = []
    monkeypatch.setattr(measured_ways, "_seconds", lambda way, together, *rest: seen.append(len(together)) or 1.0)
    measured(replace(SHAPE, batch=64, tokens=1024))
    assert set(seen) == {5}
    assert torch.get_num_threads() == 1


@pytest.mark.parametrize(("beside", "way"), [(False, "blocked"), (True, "flash")])
def test_beside_other_processes_the_time_of_one_thread_counts(monkeypatch, beside, way):
    """Where all threads take longer than one, they wait for each other."""
    monkeypatch.setattr(measured_ways, "ALL_THREADS", 2)
    threads = [1]
    monkeypatch.setattr(torch, "set_num_threads", lambda count: threads.__setitem__(0, count))

    def seconds(way, *rest):
        if threads[0] == 1:
            return 1.0 if way == "flash" else 2.0
        return (3.0 if beside else 0.9) if way != "blocked" else 0.4

    monkeypatch.setattr(measured_ways, "_seconds", seconds)
    assert measured(SHAPE)["way"] == way


def test_single_delays_do_not_count(monkeypatch):
    """A way that other processes hold up in most rounds, but not in all, is still known as the fastest."""
    turns = dict.fromkeys(WAYS, 0)

    def seconds(way, *rest):
        turns[way] += 1
        return 1.0 if way != "blocked" else 0.9 if turns[way] % 4 == 0 else 1.4

    monkeypatch.setattr(measured_ways, "_seconds", seconds)
    assert measured(replace(SHAPE, dtype="float32"))["way"] == "blocked"


def the_file() -> Path:
    """Where the way of SHAPE is kept."""
    folder = ways_folder()
    assert folder is not None
    return folder / (re.sub(r"\W+", "-", SHAPE.kind) + ".json")


def measuring(monkeypatch, folder) -> None:
    monkeypatch.setenv("SPECTRALGPT_ATTENTION", "measured")
    monkeypatch.setenv("SPECTRALGPT_CACHE", str(folder))
    monkeypatch.setattr(measured_ways, "_chosen", {})
