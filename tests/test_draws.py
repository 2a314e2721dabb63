"""Numbers from Beta(shape, shape) that are functions of a seed and a place."""

import numpy as np
import pytest
from scipy import stats

from spectralgpt.draws import beta

COUNT = 1500


@pytest.mark.parametrize("shape", [0.3, 0.8, 1, 2.5, 40.0])
def test_it_is_the_beta_distribution(shape):
    found = np.array([beta(shape, 7, place) for place in range(COUNT)])
    assert ((found >= 0) & (found <= 1)).all()
    off = stats.kstest(found, stats.beta(shape, shape).cdf)
    print(f"shape {shape}: largest distance {off.statistic:.4f}, p {off.pvalue:.3f}")
    assert off.pvalue > 1e-3
    assert abs(np.corrcoef(found[:-1], found[1:])[0, 1]) < 0.1, "places draw for themselves"
    other = stats.kstest(found, stats.beta(2 * shape, 2 * shape).cdf)
    assert other.pvalue < 1e-3, "the test can tell another shape"


def test_shapes_too_small_for_a_float_give_one_or_the_other():
    found = np.array([beta(1e-4, 1, place) for place in range(200)])
    assert np.isfinite(found).all()
    assert ((found < 1e-6) | (found > 1 - 1e-6)).mean() > 0.95
    assert 0.35 < found.mean() < 0.65


def test_it_depends_on_seed_and_place_only():
    one = beta(0.8, 3, 4, 5)
    beta(0.8, 3, 4, 6)
    assert beta(0.8, 3, 4, 5) == one
    assert len({beta(0.8, 3, 4, 5), beta(0.8, 4, 3, 5), beta(0.8, 3, 4), beta(0.8, 3, 5, 4), beta(0.9, 3, 4, 5)}) == 5
