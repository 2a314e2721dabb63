"""An image that is to be stored, before it is opened."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ImageSource:
    """An image of one date, or a stack, whose paths are the dates of one place.

    name: what shards call it; until it is given one, the path of the image, of a stack that of its folder. paths:
    absolute. dates: ISO, one a path, empty where metadata or the file's name tell; () for all. place: what is trained
    on or held back together, empty where the ground tells. bands, clouds: as open_raster takes them, None for the
    user's options. sources: what shards call the paths.
    """

    name: str
    paths: tuple[str, ...]
    dates: tuple[str, ...] = ()
    place: str = ""
    bands: str | None = None
    clouds: str | None = None
    stack: bool = False
    sources: tuple[str, ...] = ()

    def opened(self, index: int) -> str:
        """What open_raster opens for a path."""
        date = self.dates[index] if self.dates else ""
        return f"{self.paths[index]}@{date}" if date else self.paths[index]
