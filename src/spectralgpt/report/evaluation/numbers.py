"""Numbers as a reader sees them."""

import math

DASH = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"


def decimal(value: float | int, places: int = 3) -> str:
    """`0.873`; a dash where the value is not defined."""
    return f"{value:.{places}f}".replace("-", MINUS) if math.isfinite(value) else DASH


def signed(value: float | int, places: int = 3) -> str:
    """`+0.120`; a dash where the value is not defined."""
    return f"{value:+.{places}f}".replace("-", MINUS) if math.isfinite(value) else DASH


def interval(ends: tuple[float, float], places: int = 3) -> str:
    """`0.841 to 0.902`; empty where there is none."""
    if not (math.isfinite(ends[0]) and math.isfinite(ends[1])):
        return ""
    return f"{decimal(ends[0], places)} to {decimal(ends[1], places)}"


def whole(count: int) -> str:
    """`12,345`."""
    return f"{count:,}"


def percent(share: float) -> str:
    """`87 %`; less than half a percent, but not 0, as `<1 %`; a dash where the value is not defined."""
    if not math.isfinite(share):
        return DASH
    return "<1 %" if 0 < share < 0.005 else f"{100 * share:.0f} %"


def short(count: int) -> str:
    """At most four characters for counts below a billion: `940`, `12k`, `3.4M`."""
    for size, letter in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if count >= size:
            units = count / size
            return f"{units:.1f}{letter}" if units < 9.95 else f"{units:.0f}{letter}"
    return str(count)
