"""What is said of clouds that are used like any other pixel."""

from spectralgpt.errors import argument
from spectralgpt.raster.raster import Raster

LEAST_CLOUDY = 0.01
"""Share of cloudy pixels below which nothing is said: bright roofs are often marked as cloud."""


def notes_on_clouds(raster: Raster, share: float | None) -> tuple[str, ...]:
    """A line with the cloudy share of an image that has a cloud layer and is read without it. share: from a sample of
    its pixels; None without a layer."""
    if share is None or share < LEAST_CLOUDY or raster.without_clouds:
        return ()
    layers = [each.name for layer in raster.clouds if layer is not None for each in layer.every()]
    names = ", ".join(dict.fromkeys(layers))
    advice = argument("clouds", "auto")
    found = (
        f"about {share:.0%} of the pixels are cloud or cloud shadow in its own layer ({names}), and are not left out"
    )
    return (f"{found}; to leave them out, give {advice}",)
