"""What the columns of a table of labelled images mean, by their names."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from spectralgpt.data.labels.class_list import WHOLE_NUMBER
from spectralgpt.data.labels.listing import split_of
from spectralgpt.data.labels.table_rows import Cell, TableRows
from spectralgpt.errors import DataError, argument, did_you_mean
from spectralgpt.tasks import TargetKind

IMAGE_COLUMNS = ("image", "path", "file", "filename", "file_name", "image_path", "before")
LABEL_COLUMNS = ("label", "class", "class_name", "label_name", "category", "class_index", "class_id", "label_id")
LABELS_COLUMNS = ("labels", "classes")
MASK_COLUMNS = ("mask", "mask_path", "mask_file")
AFTER_COLUMNS = ("after", "image_after", "after_path")
GROUP_COLUMNS = ("group", "place", "cluster", "site")
POSITION_COLUMNS = (("lon", "lat"), ("longitude", "latitude"), ("center_lon", "center_lat"), ("lng", "lat"))
SPLIT_COLUMNS = ("split", "subset", "fold")
"""Names of columns in lower case, the first that is there counts."""


@dataclass(frozen=True, slots=True)
class TableColumns:
    """Names of a table's columns by their meaning, empty where it has none of it; target: what `labels` are.

    notes: which columns were chosen where others could have been.
    """

    target: TargetKind
    image: str
    labels: str
    after: str = ""
    split: str = ""
    group: str = ""
    date: str = ""
    bands: str = ""
    position: tuple[str, str] | None = None
    notes: tuple[str, ...] = ()


def columns_of(source: str, rows: TableRows, label: str | None) -> TableColumns:
    """What the columns mean. label: the argument, the name of the column that holds the labels.

    Without it: a column of masks or of several labels, if there is one; else a column of one label. Where several
    columns of one label say the same, the first with names counts, not that with numbers. DataError where a column is
    missing, and where columns contradict each other.
    """
    by_lower = {name.lower(): name for name in rows.columns}
    image = _first(by_lower, IMAGE_COLUMNS)
    if not image:
        raise DataError(
            f"{source}: found the columns {', '.join(rows.columns)}", f"one of the images: {', '.join(IMAGE_COLUMNS)}"
        )
    after = _first(by_lower, AFTER_COLUMNS)
    labels, kind, notes = _labels(source, rows, by_lower, label, image)
    if after and kind != "mask":
        raise DataError(f"{source}: found pairs (the column {after}) with labels", "a column `mask` of their changes")
    split, said = _split(rows, by_lower)
    return TableColumns(
        target="change" if after else kind,
        image=image,
        labels=labels,
        after=after,
        split=split,
        group=_first(by_lower, GROUP_COLUMNS),
        date=by_lower.get("date", ""),
        bands=by_lower.get("bands", ""),
        position=next(((by_lower[x], by_lower[y]) for x, y in POSITION_COLUMNS if {x, y} <= set(by_lower)), None),
        notes=(*notes, *said),
    )


def _first(by_lower: Mapping[str, str], names: Sequence[str]) -> str:
    return next((by_lower[name] for name in names if name in by_lower), "")


def _labels(
    source: str, rows: TableRows, by_lower: Mapping[str, str], label: str | None, image: str
) -> tuple[str, TargetKind, list[str]]:
    """The column of labels, what they are, and what a user should know of the choice."""
    if label is not None:
        if label.lower() not in by_lower:
            raise DataError(
                f"{argument('label', label)}: {source} has the columns {', '.join(rows.columns)}",
                "one of them",
                did_you_mean(label.lower(), by_lower),
            )
        name = by_lower[label.lower()]
        return name, kind_of(name, rows.columns[name]), []
    masks, several = _first(by_lower, MASK_COLUMNS), _first(by_lower, LABELS_COLUMNS)
    single = [by_lower[name] for name in LABEL_COLUMNS if name in by_lower and by_lower[name] != image]
    kinds = [*filter(None, (masks, several)), *single[:1]]
    if not kinds:
        others = [name for name in rows.columns if name != image]
        raise DataError(
            f"{source}: found the columns {', '.join(rows.columns)}",
            f"one of labels: {', '.join((*LABEL_COLUMNS[:3], *LABELS_COLUMNS[:1], *MASK_COLUMNS[:1]))}",
            "Name it:" if others else "Add one",
            *[("label", name) for name in others[:3]],
        )
    if len(kinds) > 1:
        raise DataError(
            f"{source}: found labels in the columns {', '.join(kinds)}",
            "one of them",
            "Say which with",
            *(("label", name) for name in kinds),
        )
    if masks or several:
        name = masks or several
        return name, "mask" if masks else "classes", []
    name, notes = _agreed(source, rows, single)
    return name, kind_of(name, rows.columns[name]), notes


def _agreed(source: str, rows: TableRows, single: Sequence[str]) -> tuple[str, list[str]]:
    """Of columns that divide the images into the same classes, the first with names."""
    first = rows.columns[single[0]]
    for other in single[1:]:
        pairs = {(str(one), str(two)) for one, two in zip(first, rows.columns[other], strict=True)}
        if not len(pairs) == len({one for one, _ in pairs}) == len({two for _, two in pairs}):
            raise DataError(
                f"{source}: found other classes in the column {single[0]} than in {other}",
                "one column of labels",
                "Say which with",
                *(("label", name) for name in single),
            )
    named = (name for name in single if not all(WHOLE_NUMBER.fullmatch(str(cell)) for cell in rows.columns[name]))
    chosen = next(named, single[0])
    others = [name for name in single if name != chosen]
    said = f"labels are those of the column {chosen}; {', '.join(others)} says the same" if others else ""
    return chosen, [said] if said else []


def kind_of(name: str, cells: Sequence[Cell]) -> TargetKind:
    """What a column of labels holds: paths of masks, several labels, or one."""
    if name.lower() in MASK_COLUMNS or _are_paths(cells):
        return "mask"
    if name.lower() in LABELS_COLUMNS or any(len(labels_in(cell)) > 1 or isinstance(cell, list) for cell in cells):
        return "classes"
    return "class"


def _are_paths(cells: Sequence[Cell]) -> bool:
    endings = (".tif", ".tiff", ".png", ".bmp", ".jp2", ".img")
    texts = [cell for cell in cells if isinstance(cell, str) and cell]
    return bool(texts) and all(text.lower().endswith(endings) for text in texts)


def labels_in(cell: Cell) -> tuple[str, ...]:
    """The labels of a cell, each once: a list, or text with `;` or `|` between them, or numbers with blanks."""
    if isinstance(cell, list):
        parts = cell
    else:
        parts = cell.replace("|", ";").split(";")
        words = cell.split()
        if len(words) > 1 and all(map(WHOLE_NUMBER.fullmatch, words)):
            parts = words
    return tuple(dict.fromkeys(part.strip() for part in parts if part.strip()))


def _split(rows: TableRows, by_lower: Mapping[str, str]) -> tuple[str, list[str]]:
    """The column of parts: by its name, else the only one that ends in `_split` and holds nothing but parts."""
    named = _first(by_lower, SPLIT_COLUMNS[:1])
    if named:
        return named, []
    similar = [
        name
        for lower, name in by_lower.items()
        if (lower.endswith("_split") or lower in SPLIT_COLUMNS)
        and all(not cell or split_of(str(cell)) for cell in rows.columns[name])
        and any(rows.columns[name])
    ]
    return (similar[0], [f"the parts are those of the column {similar[0]}"]) if len(similar) == 1 else ("", [])
