"""Writes the generated tables of the pages, each between `<!-- generated: NAME -->` and `<!-- end -->`.

`tables.py --check` writes nothing and prints the pages that are out of date, which the test uses.
"""

import re
import sys
from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType
from typing import get_args

from spectralgpt import recipes
from spectralgpt.bands import BandSet, Sensor, align, sensor, sensors
from spectralgpt.data import datasets
from spectralgpt.errors import OptionError
from spectralgpt.products import all_formats
from spectralgpt.recipes import finetuning, pretraining
from spectralgpt.tasks import TargetKind
from spectralgpt.training import Recipe, Stage

DOCS = Path(__file__).parent
MODEL = BandSet.native(sensor("spectralgpt-12").bands)
MARKED = re.compile(r"(<!-- generated: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def written(page: str) -> str:
    """The page with its tables as the code has them now."""
    return MARKED.sub(lambda match: match[1] + TABLES[match[2]] + match[3], page)


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table."""
    head = list(head)
    cells = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |\n" for row in cells)


def documented(package: ModuleType) -> Iterator[tuple[str, list[str]]]:
    """Name and paragraphs of the docstring of each module in a package."""
    for module in iter_modules(package.__path__):
        text = import_module(f"{package.__name__}.{module.name}").__doc__ or ""
        yield module.name, [" ".join(paragraph.split()) for paragraph in text.split("\n\n")]


def sensor_row(known: Sensor) -> Iterator[str]:
    yield f"`{known.name}`"
    yield known.title
    yield known.level
    yield "by metadata" if known.scale is None else f"{known.scale:g}"
    yield "" if known.offset is None else f"{known.offset:g}"
    yield ", ".join(f"{gsd:g}" for gsd in sorted({band.gsd for band in known.bands}))
    yield ", ".join(f"{band.name}\N{NO-BREAK SPACE}{band.wavelength:.0f}" for band in known.bands)


def feeding_row(known: Sensor) -> Iterator[str]:
    fed = align(known.bands, MODEL)
    by = {
        to.name: ", ".join(known.names[at] for at in feeding)
        for to, feeding in zip(fed.bandset.bands, fed.feeding, strict=True)
    }
    yield f"`{known.name}`"
    yield from (by.get(name, "") for name in MODEL.names)


def recipe_row(name: str, about: str, recipe: Recipe) -> Iterator[str]:
    folders = dict.fromkeys(source.shards for stage in recipe.stages for source in stage.data.sources)
    yield f"`{name}`"
    yield about
    yield recipe.model.size
    yield "<br>".join(map(in_words, recipe.stages))
    yield ", ".join("shards" if folder == "." else f"`{folder}/`" for folder in folders)


def in_words(stage: Stage) -> str:
    schedule, data = stage.schedule, stage.data
    length = f"{schedule.steps} steps" if schedule.steps else f"{schedule.epochs:g} epochs"
    dates = "1 date" if data.dates == 1 else f"up to {data.dates} dates"
    return f"{stage.augmentation.image} px, {dates}, batch {data.batch}, {length}"


def dataset_row(name: str, paragraphs: list[str]) -> Iterator[str]:
    about, *layout, source = paragraphs
    module = import_module(f"{datasets.__name__}.{name}")
    yield f"`{name.replace('_', '-')}`"
    yield about
    yield ", ".join(what for function, what in (("read", "images"), ("labels", "labels")) if hasattr(module, function))
    yield "<br>".join(layout)
    yield source.removeprefix("Source: ")


def finetuning_row(name: str, about: str, made: Callable[[recipes.LabelFacts], Recipe]) -> Iterator[str]:
    """A recipe for as many images as its data set has; `own` chooses by what it is given."""
    facts = (recipes.LabelFacts(target, 10, 1000, 128) for target in get_args(TargetKind))
    fitting = [each for each in facts if _takes(made, each)]
    yield f"`{name}`"
    yield about
    yield ", ".join(f"`{each.target}`" for each in fitting)
    yield in_words(made(fitting[0]).stages[0]) if len(fitting) == 1 else "by the images"


def _takes(made: Callable[[recipes.LabelFacts], Recipe], facts: recipes.LabelFacts) -> bool:
    try:
        made(facts)
    except OptionError:
        return False
    return True


def about(package: ModuleType) -> dict[str, str]:
    """The first paragraph of each recipe, by its name."""
    return {name.replace("_", "-"): paragraphs[0] for name, paragraphs in documented(package)}


TABLES = {
    "sensors": table(
        ("sensor", "what", "level", "scale", "offset", "GSD (m)", "bands with their wavelengths (nm)"),
        map(sensor_row, sensors()),
    ),
    "feeding": table(("sensor", *MODEL.names), map(feeding_row, sensors())),
    "formats": table(("format", "what it reads"), ((f"`{each.name}`", each.title) for each in all_formats())),
    "recipes": table(
        ("recipe", "what it is", "model", "stages", "expects in `--data`"),
        (recipe_row(name, text, recipes.find("pretraining", name)()) for name, text in about(pretraining).items()),
    ),
    "finetuning": table(
        ("recipe", "what it is", "labels", "stage"),
        (finetuning_row(name, text, recipes.find("finetuning", name)) for name, text in about(finetuning).items()),
    ),
    "datasets": table(
        ("data set", "what it is", "gives", "layout", "source"),
        (dataset_row(name, paragraphs) for name, paragraphs in documented(datasets)),
    ),
}


if __name__ == "__main__":
    late = [page for page in sorted(DOCS.glob("*.md")) if written(page.read_text("utf-8")) != page.read_text("utf-8")]
    if sys.argv[1:] == ["--check"]:
        print(*(page.name for page in late))
    else:
        for page in late:
            page.write_text(written(page.read_text("utf-8")), encoding="utf-8")
