"""What a table of embeddings is: the part of `inspect` that is about our own tables."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from spectralgpt.errors import OptionError, argument, counted
from spectralgpt.verbs._inspected import Inspected


@dataclass(frozen=True, slots=True)
class InspectedTable(Inspected):
    """What a table of embeddings is.

    images: its rows. values: per vector; beside: by name, of other vectors. weights: the fingerprint of those that made
    it; rules: the number of the rules by which. dates: the first and the last, ISO, empty where unknown. valid: the
    mean valid share of the images.
    """

    source: Path
    images: int
    values: int
    weights: str
    rules: str
    dates: tuple[str, str]
    valid: float
    beside: Mapping[str, int] = field(default_factory=dict)
    purpose: str = (
        "similarity search, clustering and classifiers of images; it is not an image, so no verb takes it for one"
    )

    def lines(self) -> list[str]:
        first, last = self.dates
        span = first if first == last else f"{first} to {last}"
        return [
            str(self.source),
            f"table      embeddings of {counted(self.images, 'image')}, {self.values} values each",
            *(f"beside     {name}, {values} values each" for name, values in self.beside.items()),
            f"weights    {self.weights}",
            f"rules      {self.rules}",
            f"dates      {span or 'unknown'}",
            f"valid      {self.valid:.1%}",
            f"for        {self.purpose}",
        ]


def inspect_table(source: Path, picture: Path | None) -> InspectedTable | None:
    """What the table is; None for any other file. OptionError for a picture, as it is no image."""
    if not source.name.lower().endswith((".csv", ".parquet")) or not source.is_file():
        return None
    from spectralgpt.features.vector_table import table_in

    found = table_in(source)
    if found is None:
        return None
    if picture is not None:
        raise OptionError(f"{argument('picture', str(picture))}: {source} is a table", "an image or shards")
    return InspectedTable(
        source,
        found.images,
        found.values,
        found.fingerprint,
        found.rules,
        found.dates,
        found.valid,
        found.beside,
    )
