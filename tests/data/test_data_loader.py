"""The loader: no sample lost or repeated, for any ranks and workers, with stops and resumes."""

import gc
import threading
import time
from collections import Counter
from dataclasses import fields
from itertools import islice

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from made_shards import MadeShards
from spectralgpt.data.loader import BufferPool, Loader, MixtureEntry, Step, drawn_dates, parts, prefetched
from spectralgpt.data.samples import Samples
from spectralgpt.draws import keys
from spectralgpt.errors import DataError, OptionError


def source(shards: MadeShards, weight: float | int | None = None) -> MixtureEntry:
    """All samples of a folder."""
    layouts = tuple(range(len(shards.counts)))
    return MixtureEntry(shards, weight, layouts, tuple(np.arange(count) for count in shards.counts))


def mixture() -> list[MixtureEntry]:
    """75 samples of three layouts in two folders; of the second only every second row, its layouts turned around."""
    rows = (np.arange(1, 41, 2), np.arange(0, 12, 2))
    return [source(MadeShards((30, 19), 3, "one")), MixtureEntry(MadeShards((12, 41), 3, "two"), None, (1, 0), rows)]


def loader(sources: list[MixtureEntry] | None = None, **options) -> Loader:
    return Loader(
        mixture() if sources is None else sources, **({"batch": 8, "micro": 3, "seed": 4, "dates": 2} | options)
    )


def numbers(steps: list[Step]) -> list[int]:
    return [number for step in steps if step.counted for samples in step.micro for number in samples.number.tolist()]


def joined(steps: list[Step]) -> dict[str, torch.Tensor]:
    """What the ranks of a step train on, one after the other."""
    micro = [samples for step in steps if step.counted for samples in step.micro]
    return {name: torch.cat([getattr(each, name) for each in micro]) for name in ("key", "number", "days", "values")}


def of_ranks(ranks: int, workers: int, start: int, count: int, **options) -> list[list[Step]]:
    """For each step, the parts of the ranks."""
    loaders = [loader(rank=rank, ranks=ranks, workers=workers, **options) for rank in range(ranks)]
    return [list(parts) for parts in zip(*(list(islice(each.steps(start), count)) for each in loaders), strict=True)]


def same(one: Samples, two: Samples) -> bool:
    pairs = [(getattr(one, field.name), getattr(two, field.name)) for field in fields(Samples)]
    return all(torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b for a, b in pairs)


def test_the_mixture_is_what_its_text_says():
    assert sum(len(rows) for each in mixture() for rows in each.rows) == 75


@pytest.mark.parametrize("ranks", [1, 2, 3, 4])
@pytest.mark.parametrize("workers", [0, 1, 2, 3])
def test_an_epoch_is_every_sample_once_with_a_stop_and_other_ranks_after_it(ranks, workers):
    """Two epochs, stopped in the middle of the second; resumed with other ranks and workers."""
    epoch, stop = loader().steps_per_epoch, loader().steps_per_epoch + 4
    before = of_ranks(ranks, workers, 0, stop)
    after = of_ranks(5 - ranks, 3 - workers, stop, 2 * epoch - stop)
    expected = [*range(49), *range(49, 61, 2), *range(61 + 1, 61 + 41, 2)]
    for first in (0, epoch):
        steps = [part for step in (before + after)[first : first + epoch] for part in step]
        assert {part.epoch for part in steps} == {first // epoch}
        assert sorted(numbers(steps)) == expected


@pytest.mark.parametrize("workers", [0, 3])
@pytest.mark.parametrize("ranks", [2, 3, 4])
def test_ranks_together_have_the_batch_of_one_process(ranks, workers):
    """Samples, their order, keys, chosen dates and values."""
    alone = list(islice(loader(micro=100).steps(), 12))
    for single, together in zip(alone, of_ranks(ranks, workers, 0, 12), strict=True):
        assert {part.number for part in together} == {single.number}
        assert {samples.draw for part in together for samples in part.micro} == {single.micro[0].draw}
        expected, found = joined([single]), joined(together)
        for name, values in expected.items():
            assert torch.equal(found[name], values), name


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_workers_change_nothing(workers):
    for alone, step in zip(loader().steps(5), islice(loader(workers=workers).steps(5), 20), strict=False):
        assert (alone.number, alone.epoch, alone.counted) == (step.number, step.epoch, step.counted)
        assert all(map(same, alone.micro, step.micro))
        assert len(alone.micro) == len(step.micro)


@given(st.integers(1, 200), st.integers(1, 9), st.integers(1, 40))
def test_parts_are_the_batch_in_even_pieces(count, ranks, micro):
    found = [parts(count, rank, ranks, micro) for rank in range(ranks)]
    assert [place for pieces in found for piece in pieces for place in piece] == list(range(count))
    # every process must take part in the all-reduce of each micro-batch
    assert len({len(pieces) for pieces in found if pieces}) == 1
    assert {len(pieces) for pieces in found if pieces} == {1} or all(found)
    for pieces in filter(None, found):
        assert max(map(len, pieces)) - min(map(len, pieces)) <= 1
        assert max(map(len, pieces)) <= max(micro, 2)
        assert micro == 1 or max(map(len, pieces)) <= micro


@given(st.integers(1, 70), st.integers(1, 5), st.integers(1, 9))
def test_pairs_stay_together(count, ranks, micro):
    found = [parts(count, rank, ranks, micro, pairs=True) for rank in range(ranks)]
    assert [place for pieces in found for piece in pieces for place in piece] == list(range(count))
    assert all(piece.start % 2 == 0 for pieces in found for piece in pieces)
    assert len({len(pieces) for pieces in found if pieces}) == 1
    assert {len(pieces) for pieces in found if pieces} == {1} or all(found)
    for pieces in filter(None, found):
        assert max(map(len, pieces)) - min(map(len, pieces)) <= 3
        assert max(map(len, pieces)) <= max(micro, 4)


def test_steps_of_pairs_however_they_are_divided():
    wholes = [step.micro[0].number.tolist() for (step,) in of_ranks(1, 0, 0, 12, micro=64, pairs=True)]
    assert max(map(len, wholes)) > 6
    for ranks, micro in ((1, 2), (2, 3), (3, 64)):
        for step, whole in zip(of_ranks(ranks, 0, 0, 12, micro=micro, pairs=True), wholes, strict=True):
            pieces = [samples.number.tolist() for part in step if part.counted for samples in part.micro]
            assert [number for piece in pieces for number in piece] == whole
            assert all(len(piece) % 2 == 0 for piece in pieces[:-1])


def test_a_rank_without_samples_has_one_that_does_not_count():
    together = of_ranks(4, 0, 0, 2, sources=[source(MadeShards((3,)))])
    for step in together:
        assert [part.counted for part in step] == [False, True, True, True]
        assert sorted(numbers(step)) == [0, 1, 2]
        assert same(step[0].micro[0], step[1].micro[0])
        assert [len(part.micro) for part in step] == [1, 1, 1, 1]


def test_keys_and_draws_are_of_seed_step_and_place():
    step = next(loader().steps(3))
    found = torch.cat([samples.key for samples in step.micro]).numpy().view(np.uint64)
    np.testing.assert_array_equal(found, keys(4, 3, np.arange(len(found))))
    assert {samples.draw for samples in step.micro} == {int(keys(4, 3)) >> 1}
    assert 0 <= step.micro[0].draw < 2**63
    assert not np.isin(found, keys(5, 3, np.arange(len(found)))).any()


def test_the_batches_are_the_ones_they_were():
    """Literal numbers: a run resumed by a later version continues with the same samples and keys."""
    step = next(loader().steps(6))
    assert [samples.number.tolist() for samples in step.micro] == [[66, 100], [74, 78], [96, 98, 68]]
    assert step.micro[0].key.tolist() == [-5860800717934399369, -3267578162163511077]
    assert step.micro[0].days.tolist() == [[1, 2], [1, 2]]


def test_samples_are_the_rows_they_are_numbered_by():
    """Numbers count every sample of every folder, also those left out; the values are those of the row."""
    for step in islice(loader(dates=None).steps(), 30):
        for samples in step.micro:
            side, found = samples.values.shape[-1], samples.number.numpy()
            first = {2: 0, 3: 30}[side] if found[0] < 49 else {2: 49, 3: 61}[side]
            np.testing.assert_array_equal(samples.values[:, 0, 0, 0, 0].numpy(), 100 * (found - first))


def test_names_are_of_the_whole_batch_in_order():
    several = loader(rank=1, ranks=2)
    for step in islice(loader(micro=100).steps(), 12):
        names = several.names(step.number)
        rows = [int(name.split("/")[2]) for name in names]
        np.testing.assert_array_equal(step.micro[0].values[:, 0, 0, 0, 0].numpy() // 100, rows)
        assert {name.split("/")[0] for name in names} == ({"one"} if step.micro[0].number[0] < 49 else {"two"})


# -- dates -------------------------------------------------------------------------------------------------------------


@given(st.integers(0, 99), st.integers(1, 6), st.integers(1, 8))
def test_dates_are_drawn_by_key_without_repeats_in_order(seed, dates, most):
    key = keys(seed, np.arange(20))
    found = drawn_dates(key, dates, most)
    if most >= dates:
        assert found is None
        return
    assert found.shape == (20, most)
    assert (np.diff(found, axis=1) > 0).all()
    assert (found >= 0).all()
    assert (found < dates).all()
    np.testing.assert_array_equal(found[7:9], drawn_dates(key[7:9], dates, most))


def test_every_choice_of_dates_comes_equally_often():
    found = Counter(map(tuple, drawn_dates(keys(0, np.arange(6000)), 4, 2).tolist()))
    assert len(found) == 6
    assert all(abs(times - 1000) < 150 for times in found.values())  # 5 standard deviations


def test_a_sample_has_other_dates_in_other_epochs():
    chosen: dict[int, set[tuple[int, ...]]] = {}
    for step in islice(loader().steps(), 6 * loader().steps_per_epoch):
        for samples in step.micro:
            for number, days in zip(samples.number.tolist(), samples.days.tolist(), strict=True):
                chosen.setdefault(number, set()).add(tuple(days))
    assert np.mean([len(each) for each in chosen.values()]) > 2.5  # of 3 choices, 6 times


# -- threads -----------------------------------------------------------------------------------------------------------


def threads() -> int:
    return sum(thread.name.startswith("loader") for thread in threading.enumerate())


@pytest.mark.parametrize("how", ["closed", "abandoned", "failed"])
def test_threads_end_with_the_iterator(how):
    sources = [source(MadeShards((40,), fails=7 if how == "failed" else None))]
    steps = loader(sources, workers=3, dates=None).steps()
    if how == "failed":
        with pytest.raises(OSError, match="row 7 is damaged"):
            list(islice(steps, 6))
    else:
        next(steps)
        assert threads() > 0
    if how == "closed":
        steps.close()
    del steps
    gc.collect()
    assert threads() == 0


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_an_error_comes_in_its_turn(workers):
    """Steps before the damaged sample arrive; then its own error is raised in the caller."""
    sources = [source(MadeShards((40,), fails=7))]
    whole = [step.micro[0].number.tolist() for step in islice(loader([source(MadeShards((40,)))], micro=99).steps(), 5)]
    before = next(number for number, rows in enumerate(whole) if 7 in rows)
    steps = loader(sources, workers=workers, dates=None).steps()
    assert [step.number for step in islice(steps, before)] == list(range(before))
    with pytest.raises(OSError, match="row 7"):
        next(steps)


def test_workers_prefetch_and_no_further():
    started: list[int] = []

    def read(task: int) -> int:
        started.append(task)
        return task

    assert list(prefetched(read, iter(range(2)), 3)) == [0, 1]
    started.clear()
    results = prefetched(read, iter(range(1000)), 2)
    assert next(results) == 0
    for _ in range(200):
        if len(started) >= 5:
            break
        time.sleep(0.01)
    time.sleep(0.05)
    assert sorted(started) == [0, 1, 2, 3, 4]
    assert list(islice(results, 20)) == list(range(1, 21))
    results.close()


def test_workers_work_at_the_same_time():
    """Two tasks that wait for each other end only if both run."""
    barrier = threading.Barrier(2, timeout=10)
    assert list(prefetched(lambda task: barrier.wait() * 0 + task, iter(range(4)), 2)) == [0, 1, 2, 3]


# -- memory ------------------------------------------------------------------------------------------------------------


def test_memory_is_used_again_only_when_nobody_holds_it():
    """Nor while a part of it is held, as an array or as a tensor."""
    pool = BufferPool()
    first, second = pool((4, 5), "uint16"), pool((4, 5), "uint16")
    place = first.ctypes.data
    assert second.ctypes.data != place
    tensor = torch.from_numpy(first)[1:, 2:]
    del first
    third = pool((4, 5), "uint16")
    assert third.ctypes.data not in (place, second.ctypes.data)
    array = tensor.numpy()[0]
    del tensor
    assert pool((4, 5), "uint16").ctypes.data not in (place, second.ctypes.data, third.ctypes.data)
    del array
    gc.collect()
    smaller = pool((2, 3), "float32")
    assert (smaller.shape, smaller.dtype) == ((2, 3), np.float32)
    fourth = pool((4, 5), "uint16")
    assert place in (smaller.ctypes.data, fourth.ctypes.data)


def test_batches_that_are_held_do_not_change():
    steps = list(islice(loader(workers=2).steps(), 25))
    for kept, again in zip(steps, loader().steps(), strict=False):
        assert all(map(same, kept.micro, again.micro))


# -- bad input ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch": 0}, "batch: found 0; expected 1 or more"),
        ({"micro": 0}, "micro: found 0; expected 1 or more"),
        ({"dates": 0}, "dates: found 0; expected 1 or more"),
        ({"workers": -1}, "workers: found -1; expected 0 or more"),
    ],
)
def test_numbers_that_are_too_small_are_refused(options, message):
    with pytest.raises(OptionError, match=message):
        loader(**options)


def test_a_rank_beyond_the_ranks_is_our_fault():
    with pytest.raises(ValueError, match="rank 2 of 2"):
        loader(rank=2, ranks=2)


def test_a_source_without_samples_is_named():
    empty = MixtureEntry(MadeShards((5,), folder="far/empty"), None, (0,), (np.arange(0),))
    with pytest.raises(DataError, match=r"^far/empty: found no samples to train on"):
        loader([*mixture(), empty])


def test_weights_are_for_all_sources_or_none():
    with pytest.raises(OptionError, match="with and without"):
        loader([source(MadeShards((5,)), 0.5), source(MadeShards((5,)))])
    with pytest.raises(OptionError, match="above 0"):
        loader([source(MadeShards((5,)), 0.5), source(MadeShards((5,)), 0)])
    shares = loader([source(MadeShards((16,)), 3), source(MadeShards((16,)), 1)])
    assert sum(int(step.micro[0].number[0] < 16) for step in islice(shares.steps(), 16)) == 12
