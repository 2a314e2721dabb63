"""The order of samples: every sample once per epoch, from any step on, the same everywhere."""

import tracemalloc
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spectralgpt.data.order import GlobalBatch, Order, apportioned
from spectralgpt.draws import keys
from spectralgpt.errors import OptionError

COUNTS = st.lists(st.lists(st.integers(0, 60), min_size=1, max_size=3).filter(sum), min_size=1, max_size=4)
WEIGHTS = st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=6)


def epoch(order: Order, number: int) -> list[GlobalBatch]:
    return [order.batch(number * order.steps_per_epoch + place) for place in range(order.steps_per_epoch)]


def samples(batches: list[GlobalBatch]) -> list[tuple[int, int, int]]:
    return [(batch.source, batch.layout, int(place)) for batch in batches for place in batch.positions]


@given(COUNTS, st.integers(1, 40), st.integers(0, 2**64 - 1), st.integers(0, 3))
def test_an_epoch_is_every_sample_once(counts, batch, seed, number):
    found = samples(epoch(Order(counts, None, batch, seed), number))
    assert sorted(found) == [
        (source, layout, place)
        for source, layouts in enumerate(counts)
        for layout, count in enumerate(layouts)
        for place in range(count)
    ]


@settings(max_examples=50)
@given(COUNTS, st.integers(1, 40), st.integers(0, 99))
def test_no_batch_is_a_small_rest(counts, batch, seed):
    sizes: dict[tuple[int, int], list[int]] = {}
    for each in epoch(Order(counts, None, batch, seed), 0):
        sizes.setdefault((each.source, each.layout), []).append(len(each.positions))
    for (source, layout), found in sizes.items():
        assert max(found) - min(found) <= 1
        assert max(found) <= 1.5 * batch
        assert min(found) >= min(counts[source][layout], batch * 2 // 3)


def test_one_sample_over_a_batch_goes_with_it():
    assert [len(batch.positions) for batch in epoch(Order([[33]], None, 32, 0), 0)] == [33]
    assert sorted(len(batch.positions) for batch in epoch(Order([[49]], None, 32, 0), 0)) == [24, 25]


@settings(max_examples=30)
@given(COUNTS, st.integers(1, 40), st.integers(0, 99), st.data())
def test_any_step_is_had_at_once_and_again(counts, batch, seed, data):
    """A new order, asked for one step only, gives the same batch as an order that went through all steps."""
    weights = data.draw(st.none() | st.lists(st.floats(0.1, 10), min_size=len(counts), max_size=len(counts)))
    order = Order(counts, weights, batch, seed)
    expected = [order.batch(step) for step in range(2 * order.steps_per_epoch + 1)]
    for step in data.draw(st.lists(st.integers(0, len(expected) - 1), min_size=1, max_size=5)):
        for asked in (order, Order(counts, weights, batch, seed)):
            found = asked.batch(step)
            assert (found.source, found.layout, found.epoch) == (
                expected[step].source,
                expected[step].layout,
                expected[step].epoch,
            )
            np.testing.assert_array_equal(found.positions, expected[step].positions)


def test_a_caller_cannot_change_what_comes():
    order = Order([[40]], None, 8, 0)
    first = order.batch(3).positions.copy()
    order.batch(3).positions[:] = 0
    np.testing.assert_array_equal(order.batch(3).positions, first)


def test_epochs_seeds_sources_and_layouts_differ():
    """In each epoch: another order, and other neighbours in a batch."""
    order = Order([[64, 64], [64, 64]], None, 16, 0)
    found = [(batch.source, batch.layout, batch.positions) for number in range(3) for batch in epoch(order, number)]
    found += [
        (2 + batch.source, batch.layout, batch.positions) for batch in epoch(Order([[64, 64]] * 2, None, 16, 1), 0)
    ]
    assert len({tuple(sorted(positions)) for _, _, positions in found}) == len(found) == 4 * 16
    turns = [[batch.source for batch in epoch(order, number)] for number in range(3)]
    assert turns[0] != turns[1] != turns[2]


def test_batches_of_sources_and_layouts_are_interleaved():
    """Not one after the other: over 40 + 40 steps the changes of source are near the half that chance gives."""
    batches = epoch(Order([[320], [160, 160]], None, 8, 0), 0)
    for what in ([batch.source for batch in batches], [(batch.source, batch.layout) for batch in batches]):
        assert 25 <= sum(one != two for one, two in pairwise(what)) <= 70


def test_the_order_is_the_one_it_was():
    """Literal numbers: a run resumed by a later version continues in the same order."""
    order = Order([[7, 9], [20]], None, 4, 0)
    found = [(each.source, each.layout, each.positions.tolist()) for each in map(order.batch, (0, 1, 9, 12))]
    assert order.steps_per_epoch == 9
    assert found == [(0, 0, [1, 6, 4]), (0, 1, [5, 7, 0, 1]), (0, 0, [6, 5, 4]), (1, 0, [18, 10, 7, 9])]
    weighted = Order([[7, 9], [20]], [3, 1], 4, 5)
    assert [weighted.batch(step).source for step in range(18)] == [0, 1, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0]


@given(WEIGHTS, st.integers(0, 500))
def test_shares_sum_to_the_steps_never_fall_and_are_near(weights, steps):
    total = sum(map(Fraction, weights))
    shares = [Fraction(weight) / total for weight in weights]
    given_, after = apportioned(shares, steps), apportioned(shares, steps + 1)
    assert sum(given_) == steps
    assert sorted(after[source] - given_[source] for source in range(len(shares))) == [0] * (len(shares) - 1) + [1]
    assert max(abs(number - share * steps) for number, share in zip(given_, shares, strict=True)) <= len(shares) / 2


def test_shares_are_exact_where_they_can_be():
    shares = [Fraction(1, 2), Fraction(1, 3), Fraction(1, 6)]
    assert [apportioned(shares, 6 * number) for number in range(4)] == [[3 * n, 2 * n, n] for n in range(4)]


def test_weights_are_shares_of_the_steps_and_sources_go_on_in_their_passes():
    """A small source of great weight is passed many times, each pass every sample once; a large one continues."""
    order = Order([[16], [400]], [1, 1], 8, 0)
    assert order.steps_per_epoch == 52
    batches = [batch for number in range(4) for batch in epoch(order, number)]
    assert [batch.epoch for batch in batches] == [number for number in range(4) for _ in range(52)]
    by_source = [[batch for batch in batches if batch.source == source] for source in (0, 1)]
    assert list(map(len, by_source)) == [104, 104]
    for pass_ in range(52):
        assert sorted(samples(by_source[0][2 * pass_ : 2 * pass_ + 2])) == [(0, 0, place) for place in range(16)]
    assert len(set(samples(by_source[1][:50]))) == 400
    assert len(set(samples(by_source[1][50:100]))) == 400


def test_a_weight_small_beside_the_steps_comes_in_its_time():
    order = Order([[8], [8]], [1, 0.1], 8, 0)
    assert order.steps_per_epoch == 2
    assert sum(order.batch(step).source for step in range(110)) == 10


def test_weights_equal_to_the_sizes_are_no_weights():
    plain, weighted = Order([[24], [40]], None, 8, 3), Order([[24], [40]], [0.375, 0.625], 8, 3)
    assert samples(epoch(plain, 1)) == samples(epoch(weighted, 1))


@pytest.mark.parametrize("weights", [[1, 0], [1, -2], [1, float("nan")], [1, float("inf")], [1]])
def test_weights_that_do_not_fit_are_refused(weights):
    with pytest.raises(OptionError, match=r"weights: found .*; expected 2 numbers above 0"):
        Order([[4], [4]], weights, 2, 0)


@pytest.mark.parametrize("counts", [[], [[4], [0, 0]], [[4], []]])
def test_a_source_without_samples_is_refused(counts):
    with pytest.raises(ValueError, match="expected some in each"):
        Order(counts, None, 2, 0)


def test_a_million_samples_take_bounded_memory():
    """Memory kept: 8 bytes per sample and batch, not one permutation per pass."""
    tracemalloc.start()
    order = Order([[1_000_000]], None, 64, 0)
    for number in range(3):
        order.batch(number * order.steps_per_epoch + 5)
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 10e6
    assert peak < 80e6


def test_seeds_that_follow_each_other_draw_nothing_alike():
    """A run of seed 1 is not a run of seed 0 that began a step later."""
    places = np.arange(4)
    for first, second in ((keys(0, 1, places), keys(1, 0, places)), (keys(3, places), keys(4, places - 1))):
        assert not np.isin(first, second).any()
