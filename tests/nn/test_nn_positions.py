"""Positions at the nodes of a table are the nodes; between them linear; beyond them the end node."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from made_cubes import NATIVE, SIZE, narrow_bands, small_model
from spectralgpt.bands import Band, BandSet
from spectralgpt.errors import OptionError
from spectralgpt.nn import SPECTRUM_NODES, ModelConfig
from spectralgpt.nn.patches import pad, to_slots, to_tokens
from spectralgpt.nn.positions import read_circle

TABLES = small_model().double().encoder.positions
NO_DAY, NO_GSD = torch.tensor([[-1]]), torch.tensor([math.nan])


def at_wavelength(nm: float) -> torch.Tensor:
    band = Band("one", "1", nm, 10.0, 10.0)
    return TABLES.of_groups(BandSet.own([band]))[0]


def at_day(*days: int) -> torch.Tensor:
    return TABLES.of_samples(torch.tensor([days]), NO_GSD)[0]


def at_gsd(metres: float) -> torch.Tensor:
    return TABLES.of_samples(NO_DAY, torch.tensor([metres], dtype=torch.float64))[0, 0]


def near(one: torch.Tensor, other: torch.Tensor) -> bool:
    return torch.allclose(one, other, atol=1e-12, rtol=0)


def test_place():
    assert torch.equal(TABLES.of_places(16, 16), TABLES.place.reshape(256, -1))
    # twice the side: a new place lies a quarter of a node's width off the old ones; the kernel keeps a constant
    constant = small_model().encoder.positions
    with torch.no_grad():
        constant.place[:] = torch.arange(48.0)
    for rows, columns in ((4, 4), (8, 17), (25, 17), (32, 40)):
        found = constant.of_places(rows, columns).reshape(rows, columns, 48)
        torch.testing.assert_close(found, torch.arange(48.0).expand(rows, columns, 48))
    # rows are rows: a table that rises along rows does so at any size
    with torch.no_grad():
        constant.place[:] = torch.arange(16.0)[:, None, None]
    found = constant.of_places(20, 12).reshape(20, 12, 48)
    assert (found.diff(dim=0) > 0).all()
    assert found.diff(dim=1).abs().max() < 1e-5


def test_spectrum():
    for node, nm in enumerate(SPECTRUM_NODES):
        assert near(at_wavelength(nm), TABLES.spectrum[node])
    middle = math.sqrt(SPECTRUM_NODES[3] * SPECTRUM_NODES[4])
    assert near(at_wavelength(middle), (TABLES.spectrum[3] + TABLES.spectrum[4]) / 2)
    assert near(at_wavelength(300.0), TABLES.spectrum[0])
    assert near(at_wavelength(12_000.0), TABLES.spectrum[-1])
    assert SPECTRUM_NODES[0] == pytest.approx(400)
    assert SPECTRUM_NODES[-1] == pytest.approx(2500)


def test_native_groups_read_their_own_node_also_when_a_band_is_missing():
    nodes = tuple(group.wavelength for group in NATIVE.groups)
    tables = small_model(spectrum_nodes=nodes).encoder.positions
    torch.testing.assert_close(tables.of_groups(NATIVE), tables.spectrum)
    part = NATIVE.subset([0, 4, 5, 11])
    torch.testing.assert_close(tables.of_groups(part), tables.spectrum[[0, 1, 3]])


def test_season():
    assert near(at_day(0), TABLES.season[0] + TABLES.elapsed[0])
    for day in (18_262, 20_000, 45, 364, 365):
        node = 12 * math.modf(day / 365.2425)[0]
        low = int(node)
        between = TABLES.season[low] * (1 - node + low) + TABLES.season[(low + 1) % 12] * (node - low)
        assert near(at_day(day), between + TABLES.elapsed[0]), day
    for node in range(12):
        assert torch.equal(read_circle(TABLES.season, torch.tensor(float(node)).double()), TABLES.season[node])
    # the last day of a year lies between the last node and the first
    last = read_circle(TABLES.season, torch.tensor(11.75).double())
    assert near(last, 0.25 * TABLES.season[11] + 0.75 * TABLES.season[0])


def elapsed(days: int) -> torch.Tensor:
    both = at_day(18_000, 18_000 + days)
    alone = at_day(18_000 + days)[0]
    return both[1] - alone + TABLES.elapsed[0]  # the season taken out


def test_elapsed():
    for node in range(10):
        assert near(elapsed(8 * (2**node - 1)), TABLES.elapsed[node])
    middle = math.log2(1 + 12 / 8)
    expected = TABLES.elapsed[1] * (2 - middle) + TABLES.elapsed[2] * (middle - 1)
    assert near(elapsed(12), expected)
    assert near(elapsed(9_000), TABLES.elapsed[9])


def test_days_since_the_samples_first_known_day():
    unknown_first = at_day(-1, 18_000, 18_024)
    assert not unknown_first[0].any()
    assert torch.equal(unknown_first[1:], at_day(18_000, 18_024))
    # also if dates are not in order, and if another sample is older
    assert torch.equal(at_day(18_024, 18_000), at_day(18_000, 18_024).flip(0))
    batch = TABLES.of_samples(torch.tensor([[18_000, 18_024], [3, -1]]), torch.tensor([math.nan] * 2))
    assert torch.equal(batch[0], at_day(18_000, 18_024))
    assert not batch[1, 1].any()


def test_scale():
    for node in range(11):
        assert near(at_gsd(0.5 * 2**node), TABLES.scale[node])
    assert near(at_gsd(10 * math.sqrt(0.5 * 16 / 10 * 0.5 * 32 / 10)), (TABLES.scale[4] + TABLES.scale[5]) / 2)
    assert near(at_gsd(0.03), TABLES.scale[0])
    assert near(at_gsd(5_000.0), TABLES.scale[10])


def test_what_is_unknown_adds_nothing():
    for gsd in (math.nan, 0.0, -1.0):
        assert not at_gsd(gsd).any()
    assert not TABLES.of_samples(torch.tensor([[-1, -1]]), NO_GSD).any()
    known = TABLES.of_samples(torch.tensor([[18_000]]), torch.tensor([10.0], dtype=torch.float64))[0, 0]
    assert near(known, at_day(18_000)[0] + at_gsd(10.0))


def test_unknown_days_and_gsd_leave_no_nan_in_gradients():
    tables = small_model().encoder.positions
    tables.of_samples(torch.tensor([[-1, 18_000], [-1, -1]]), torch.tensor([math.nan, 10.0])).square().sum().backward()
    for table in (tables.season, tables.elapsed, tables.scale):
        assert torch.isfinite(table.grad).all()
        assert table.grad.any()


def test_all_tokens_and_some_of_them():
    bands = BandSet.own(narrow_bands(7))
    days, gsd = torch.tensor([[18_000, 18_100], [-1, 3]]), torch.tensor([10.0, 30.0], dtype=torch.float64)
    where = (bands, 3, 4, days, gsd)
    whole = TABLES(*where)
    samples = TABLES.of_samples(days, gsd)
    # date, group, row, column
    for token, (date, group, row, column) in enumerate(np.ndindex(2, 3, 3, 4)):
        expected = samples[:, date] + TABLES.of_groups(bands)[group] + TABLES.of_places(3, 4)[row * 4 + column]
        assert near(whole[:, token], expected)
    index = torch.stack([torch.randperm(72, generator=torch.Generator().manual_seed(i))[:9] for i in (0, 1)])
    torch.testing.assert_close(TABLES(*where, index), torch.stack([whole[i, index[i]] for i in (0, 1)]))


@given(
    st.integers(1, 20),
    st.integers(1, 30),
    st.sampled_from([(8, 128), (8, 96), (8, 264), (16, 128), (4, 32), (64, 128)]),
)
def test_window(groups, dates, trained):
    patch, image = trained
    config = ModelConfig(SIZE, NATIVE, patch=patch, image=image)
    fitting = [side for side in range(1, 2000) if groups * dates * side**2 <= 1024]
    places = max(4, min(max(fitting, default=0), max(128, image) // patch))
    if groups * dates * places**2 > 4096:
        with pytest.raises(OptionError, match=f"found {dates} dates of {groups} .*dates="):
            config.window(groups, dates)
    else:
        assert config.window(groups, dates) == patch * places


def test_windows_of_the_released_model():
    config = ModelConfig(SIZE, NATIVE)
    assert [config.window(4, dates) for dates in (1, 2, 3, 16, 64)] == [128, 88, 72, 32, 32]
    assert config.window(1, 1) == 128


@given(
    st.integers(1, 2), st.integers(1, 3), st.integers(1, 4), st.integers(1, 3), st.integers(1, 20), st.integers(1, 20)
)
def test_patch_round_trip(batch, dates, groups, slots, height, width):
    patch = 4
    image = torch.arange(batch * dates * groups * slots * height * width).double() + 1
    image = image.reshape(batch, dates, groups, slots, height, width)
    padded = pad(image, patch, 0.5)
    rows, columns = padded.shape[-2] // patch, padded.shape[-1] // patch
    assert rows * patch - height < patch
    tokens = to_tokens(padded, patch)
    assert tokens.shape == (batch, dates * groups * rows * columns, slots * patch**2)
    back = to_slots(tokens, patch, dates, groups, rows, columns)
    assert torch.equal(back, padded)
    assert torch.equal(back[..., :height, :width], image)
    assert (padded == 0.5).sum() == padded.numel() - image.numel()
    # the last token is the last patch of the last group of the last date
    last = padded[:, -1, -1, :, -patch:, -patch:].flatten(1)
    assert torch.equal(tokens[:, -1], last)
