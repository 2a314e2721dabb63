"""Real images for tests: the small ones in tests/images, the others in ../shared/data, at the same paths in both."""

from pathlib import Path

import pytest

IMAGES = Path(__file__).with_name("images")
SHARED = Path(__file__).parents[2] / "shared" / "data"

BOTH = [
    pytest.param(IMAGES, id="images"),
    pytest.param(
        SHARED,
        id="shared",
        marks=(
            pytest.mark.long,
            pytest.mark.skipif(not SHARED.is_dir(), reason="the data folder ../shared is not here"),
        ),
    ),
]
"""Parameters of a test over all that is there: what the repository holds; `make test-long` takes ../shared as well."""


def real(name: str) -> Path:
    """A file or folder by its path; the test is skipped where it is in neither place."""
    return real_all(name)[0]


def real_all(pattern: str) -> list[Path]:
    """The files or folders of a glob, from one place only: tests/images where it has any."""
    for folder in (IMAGES, SHARED):
        if found := sorted(folder.glob(pattern)):
            return found
    pytest.skip(f"{pattern} is in ../shared/data only, as it is large or not ours to pass on; that folder is not here")
