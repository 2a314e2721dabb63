"""Masks partition the tokens; what to hide is given as text."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from made_cubes import NATIVE, made_cube, made_keys, small_model
from spectralgpt.draws import mixed, uniform
from spectralgpt.errors import BandError, OptionError
from spectralgpt.nn import Hide, draw_mask, given_mask, hidden_tokens, kept_count, random_mask, scene_hidden
from spectralgpt.nn.noise import DRAWN_PLACES, MASKED_TOKENS, noise_of

shapes = st.tuples(*[st.integers(1, 3)] * 3, st.integers(1, 30))  # batch, dates, groups, places
ratios = st.floats(0.05, 0.95)
seeds = st.integers(0, 2**32 - 1)


def presence(seed: int, shape, absent: float) -> torch.Tensor | None:
    if not absent:
        return None
    batch, dates, groups, places = shape
    generator = torch.Generator().manual_seed(seed)
    present = torch.rand((batch, dates * groups * places), generator=generator) >= absent
    present[0] &= absent < 0.8  # also a sample without any token
    return present


def seen_tokens(mask) -> torch.Tensor:
    seen = torch.ones_like(mask.index, dtype=torch.bool) if mask.seen is None else mask.seen
    return torch.zeros_like(mask.hidden).scatter(1, mask.index, seen)


def check_partition(mask, present) -> None:
    batch, tokens = mask.order.shape
    assert torch.equal(mask.order.sort(dim=1).values, torch.arange(tokens).expand(batch, -1)), "each token once"
    there = torch.ones(batch, tokens, dtype=torch.bool) if present is None else present
    parts = torch.stack([seen_tokens(mask), mask.hidden, ~there]).long().sum(dim=0)
    assert (parts == 1).all(), "kept, hidden, absent: each token in one of them"


@settings(max_examples=60)
@given(
    st.sampled_from(["random", "place", "group", "date", "mixed"]),
    shapes,
    ratios,
    seeds,
    st.sampled_from([0.0, 0.3, 0.9]),
)
def test_drawn_masks(kind, shape, ratio, seed, absent):
    _, dates, groups, places = shape
    present = presence(seed, shape, absent)
    mask = draw_mask(kind, ratio, shape, made_keys(seed, shape[0]), present, draw=seed)
    check_partition(mask, present)
    again = draw_mask(kind, ratio, shape, made_keys(seed, shape[0]), present, draw=seed)
    assert torch.equal(mask.order, again.order)
    tokens = dates * groups * places
    counts = {
        "random": int(tokens * (1 - ratio)),
        "place": dates * groups * int(places * (1 - ratio)),
        "group": dates * places * max(1, int(groups * (1 - ratio))),
        "date": groups * places * max(1, int(dates * (1 - ratio))),
    }
    # a kind that would hide nothing becomes random
    counts = {name: counts["random"] if count == tokens else count for name, count in counts.items()}
    assert mask.kept in (counts.values() if kind == "mixed" else [counts[kind]])
    if present is None:
        assert mask.seen is None
        assert (mask.hidden.sum(dim=1) == tokens - mask.kept).all()
    kept = torch.zeros_like(mask.hidden).scatter(1, mask.index, True).reshape(shape)
    if kind in ("place", "group", "date") and mask.kept == counts[kind] != counts["random"]:
        axis = {"date": 1, "group": 2, "place": 3}[kind]
        rest = [i for i in (1, 2, 3) if i != axis]
        assert torch.equal(kept.amin(dim=rest), kept.amax(dim=rest)), "whole items are kept"
    if kind == "random" and present is not None:
        there = present.sum(dim=1).clamp(max=mask.kept)
        assert torch.equal(mask.seen.sum(dim=1), there), "absent tokens are kept only where no others are left"


def test_every_kind_is_drawn_by_mixed():
    found, shape = set(), (1, 4, 6, 25)
    for draw in range(60):
        found.add(draw_mask("mixed", 0.7, shape, made_keys(0, 1), draw=draw).kept)
    assert found == {int(600 * 0.3), 24 * int(25 * 0.3), 100 * int(6 * 0.3), 150 * int(4 * 0.3)}


def test_noise_is_of_the_sample_and_not_of_the_batch():
    """Masks of a sample are the same in every batch and on every number of processes; the hash is that of NumPy."""
    key = made_keys(5, 6)
    whole = noise_of(key, MASKED_TOKENS, 200)
    assert torch.equal(torch.cat([noise_of(each, MASKED_TOKENS, 200) for each in key.split([1, 3, 2])]), whole)
    of_sample = mixed(key.numpy().view(np.uint64) + np.uint64(MASKED_TOKENS))
    expected = uniform(mixed(of_sample[:, None] + np.arange(200, dtype=np.uint64)))
    np.testing.assert_allclose(whole.numpy(), expected, atol=2**-24)
    assert 0 <= whole.min() < 0.02
    assert 0.98 < whole.max() < 1
    assert not torch.equal(whole, noise_of(key, DRAWN_PLACES, 200))
    assert torch.corrcoef(whole).fill_diagonal_(0).abs().max() < 0.3


def test_counts_are_truncated_in_doubles():
    assert kept_count(900, 0.9) == 89
    assert random_mask(torch.rand(1, 640, generator=torch.Generator().manual_seed(0)), 0.9).kept == 63


@settings(max_examples=40)
@given(shapes, seeds, st.sampled_from([0.0, 0.3, 0.9]), st.floats(0, 1))
def test_given_masks(shape, seed, absent, share):
    present = presence(seed, shape, absent)
    batch, tokens = shape[0], shape[1] * shape[2] * shape[3]
    hidden = torch.rand((batch, tokens), generator=torch.Generator().manual_seed(seed + 1)) < share
    mask = given_mask(hidden, present)
    check_partition(mask, present)
    there = torch.ones_like(hidden) if present is None else present
    assert torch.equal(mask.hidden, hidden & there)
    assert mask.kept == (~hidden & there).sum(dim=1).max()
    assert (mask.index.diff(dim=1)[mask.seen[:, 1:] if mask.seen is not None else ...] > 0).all(), "in their order"


@settings(max_examples=30)
@given(seeds, st.floats(0.05, 0.95), st.integers(-40, 4000), st.integers(-40, 4000))
def test_windows_of_a_scene_agree(seed, share, row, column):
    rows, columns = np.arange(row, row + 40), np.arange(column, column + 30)
    whole = scene_hidden(seed, share, 2, 4, rows, columns)
    part = scene_hidden(seed, share, 2, 4, rows[11:31], columns[7:])
    np.testing.assert_array_equal(part, whole[:, :, 11:31, 7:])
    count = whole.size
    assert abs(whole.mean() - share) < 5 * np.sqrt(share * (1 - share) / count)


def test_hashes_are_of_every_coordinate():
    one = scene_hidden(7, 0.5, 3, 4, np.arange(16), np.arange(16))
    assert not np.array_equal(one, scene_hidden(8, 0.5, 3, 4, np.arange(16), np.arange(16)))
    for axis in range(4):
        first, second = np.take(one, 0, axis), np.take(one, 1, axis)
        assert 0.35 < (first == second).mean() < 0.65, "neighbours are independent"
    assert not np.array_equal(one[0, 0], one[0, 0].T)
    assert not scene_hidden(7, 0.0, 3, 4, np.arange(16), np.arange(16)).any()


DAYS = [18_262, -1, 18_383]  # 2020-01-01, unknown, 2020-05-01


def test_hide_in_words():
    assert Hide.parse("B11, B12", NATIVE, DAYS) == Hide(groups=(3,), bands=("B11", "B12"))
    assert Hide.parse("b02,B8A", NATIVE, DAYS) == Hide(groups=(0, 2), bands=("B2", "B8A"))
    assert Hide.parse("2020-05-01,0.5,B12", NATIVE, DAYS) == Hide((3,), (2,), 0.5, ("B12",))
    tokens = hidden_tokens(Hide((3,), (2,)), 0, 3, 4, np.arange(2), np.arange(3))
    expected = np.zeros((3, 4, 2, 3), bool)
    expected[:, 3] = expected[2] = True
    np.testing.assert_array_equal(tokens, expected)


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("B99", BandError, r"hide='B99': .*no such band; expected one of: B1, B2"),
        ("B10", BandError, "B10"),  # a band of Sentinel-2 that the model does not have
        ("swir", BandError, "swir"),
        ("2021-05-01", OptionError, "hide='2021-05-01': .*expected one of: 2020-01-01, 2020-05-01"),
        ("0", OptionError, "between 0 and 1"),
        ("1", OptionError, "between 0 and 1"),
        ("-0.5", OptionError, "between 0 and 1"),
        ("nan", OptionError, "between 0 and 1"),
        ("0.5,0.6", OptionError, "more than one share"),
        ("", OptionError, "nothing to hide"),
        (" , ", OptionError, "nothing to hide"),
    ],
)
def test_what_cannot_be_hidden(text, error, message):
    with pytest.raises(error, match=message):
        Hide.parse(text, NATIVE, DAYS)


def test_a_missing_band_cannot_be_hidden():
    with pytest.raises(BandError, match="B11"):
        small_model().reconstruct(made_cube(NATIVE.bands[:9]), "B11")


def test_reconstruct_hides_whole_groups_and_each_samples_own_date():
    from dataclasses import replace

    model, cube = small_model(), made_cube(dates=2)
    hidden = model.reconstruct(cube, "B11").hidden
    assert hidden[:, :, 9:].all()
    assert not hidden[:, :, :9].any()
    days = torch.tensor([[18_262, 18_383], [18_383, 18_500]], dtype=torch.int32)
    hidden = model.reconstruct(replace(cube, days=days), "2020-05-01").hidden
    assert hidden[0, 1].all()
    assert hidden[1, 0].all()
    assert not hidden[0, 0].any()
    assert not hidden[1, 1].any()
