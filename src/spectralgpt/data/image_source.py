"""An image to be stored, before it is opened."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ImageSource:
    """An image of one date, or a stack: one path per date of one place.

    name: in shards; before it is set, the path of the image or of the stack's folder. paths: absolute. dates: ISO, one
    per path, empty where metadata or the file's name give it; () if they give all. place: images of one place are
    trained on or held back together; empty where their position decides. bands, clouds: as for open_raster, None for
    the user's options. sources: names of the paths in shards.
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
        """The path at an index as open_raster takes it, with its date if given."""
        date = self.dates[index] if self.dates else ""
        return f"{self.paths[index]}@{date}" if date else self.paths[index]
