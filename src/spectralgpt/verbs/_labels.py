"""What `probe` and `evaluate` do before they compute: open all labels, and say what they are."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from spectralgpt.progress import Progress
from spectralgpt.verbs._options import LabelOptions, PathLike

if TYPE_CHECKING:
    from spectralgpt.data.labels import LabelledSet, LabelReading, LabelReport


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """Labelled images of all parts, and the report on each source."""

    data: "LabelledSet"
    reports: tuple["LabelReport", ...]

    @property
    def text(self) -> str:
        """The reports, one after the other."""
        return "\n\n".join(map(str, self.reports))


def opened_parts(parts: Sequence[tuple[str, PathLike | None]], options: LabelOptions, progress: Progress) -> Labels:
    """The labelled images of sources as one set. parts: the split that a source is, empty for its own splits, and the
    source, None where not given. Raises InputError before anything is computed."""
    from spectralgpt.data.labels import join, open_labels

    reading = label_reading(options)
    opened = [(split, open_labels(source, reading, progress)) for split, source in parts if source is not None]
    data = join([(split, each.data) for split, each in opened])
    return Labels(data, tuple(each.report for _, each in opened))


def label_reading(options: LabelOptions) -> "LabelReading":
    """The options in the words of `data.labels`."""
    from spectralgpt.data.labels import LabelReading

    def path(name: str) -> str | None:
        given = options[name]  # type: ignore[literal-required]
        return None if given is None else os.fspath(given)

    return LabelReading(
        masks=path("masks"),
        after=path("after"),
        classes=path("classes"),
        ignore=_codes(options["ignore"]),
        label=options["label"],
        variant=options["variant"],
        bands=options["bands"],
        gsd=options["gsd"],
        nodata=options["nodata"],
        clouds=path("clouds"),
        trust_input=options["trust_input"],
    )


def _codes(text: str | None) -> tuple[int, ...]:
    from spectralgpt.errors import OptionError, argument

    try:
        return tuple(int(part) for part in (text or "").replace(",", " ").split())
    except ValueError:
        raise OptionError(argument("ignore", text), "whole numbers, separated by commas, like 0,255") from None
