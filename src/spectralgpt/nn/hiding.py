"""What a user asks to hide: bands, dates, a share of the tokens."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from jaxtyping import Bool
from numpy.typing import NDArray

from spectralgpt.bands import BandSet, canonical
from spectralgpt.errors import BandError, OptionError, argument
from spectralgpt.nn.masks import scene_hidden


@dataclass(frozen=True, slots=True)
class Hide:
    """Groups and dates to hide whole (indices), and a share of all tokens; `bands`: the named bands, in their order."""

    groups: tuple[int, ...] = ()
    dates: tuple[int, ...] = ()
    share: float = 0.0
    bands: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str, bands: BandSet, days: Sequence[int]) -> "Hide":
        """What "B11,B12", "2020-05-01", "0.9" or a mixture of them hides of an image.

        bands: the image's as the model takes them; days: its dates since 1970. Raises BandError for a band and
        OptionError for a date that the image does not have, or for a share outside (0, 1).
        """
        dates = [_iso(day) for day in days]
        groups, hidden_dates, names, share = [], [], [], 0.0
        for item in filter(None, (part.strip() for part in text.split(","))):
            name = canonical(item)
            found = [g for g, group in enumerate(bands.groups) if name in {band.name for band in group.bands}]
            if item in dates:
                hidden_dates.append(dates.index(item))
            elif found:
                # before shares: a user's own band may be called 5
                groups += found
                names.append(name)
            elif _is_number(item):
                if share:
                    raise OptionError(f"{argument('hide', text)}: found more than one share", "one")
                share = float(item)
                if not 0 < share < 1:
                    raise OptionError(f"{argument('hide', item)}: found a share of {item}", "one between 0 and 1")
            elif "-" in item:
                known = ", ".join(filter(None, dates))
                expected = f"one of: {known}" if known else "bands or a share, as none of its dates is known"
                raise OptionError(f"{argument('hide', item)}: the image has no such date", expected)
            else:
                raise BandError(
                    f"{argument('hide', item)}: the image has no such band", f"one of: {', '.join(bands.names)}"
                )
        if not (groups or hidden_dates or share):
            raise OptionError(
                f"{argument('hide', text)}: found nothing to hide", "bands (B11,B12), a date, or a share (0.9)"
            )
        return cls(tuple(sorted(set(groups))), tuple(sorted(set(hidden_dates))), share, tuple(dict.fromkeys(names)))


def hidden_tokens(
    hide: Hide, seed: int, dates: int, groups: int, rows: NDArray[np.int64], columns: NDArray[np.int64]
) -> Bool[np.ndarray, "date group row column"]:
    """The hidden tokens at these places (rows, columns) of a scene: the same wherever a window starts."""
    hidden = scene_hidden(seed, hide.share, dates, groups, rows, columns)
    hidden[:, list(hide.groups)] = True
    hidden[list(hide.dates)] = True
    return hidden


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _iso(day: int) -> str:
    # a day beyond the calendar counts as unknown
    return (
        ""
        if not 0 <= day <= (date.max - date(1970, 1, 1)).days
        else (date(1970, 1, 1) + timedelta(days=day)).isoformat()
    )
