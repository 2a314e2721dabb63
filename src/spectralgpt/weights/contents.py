"""Everything that weights hold except their numbers, and how config.json holds it.

Version 2 is written. Version 1, which has no `format`, stays readable; the fingerprint is taken over its arrangement,
so that weights have the same one in both versions.

config.json holds the dataclasses as `plain` writes them, except that the bands stand beside the model, that a row of
the normalization holds the fields of its band itself, that `joint_positions`, `descriptors` and `conditional_mean` are
left out where they are false, `gaussians` where it is 1, and that `thresholds` are left out where there are none.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from spectralgpt.errors import InputError, WeightsError
from spectralgpt.nn import ModelConfig, Normalization, ReadOutConfig
from spectralgpt.plain import from_plain, to_plain
from spectralgpt.tasks import Class, HeadConfig, Task, find

FORMAT, VERSION = "spectralgpt weights", 2

UNNAMED = "pretraining"
"""The task of weights of version 1 without `kind`."""
USUAL_SETTINGS = {"joint_positions": False, "descriptors": False, "conditional_mean": False, "gaussians": 1}
"""Settings that are left out where they have these values, as few models have others."""
MEASURED = "measured"
"""Type of a read-out with numbers of its own."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What weights hold, before a model is made from them.

    classes: of the head, if they have names. read_out: None if it was not measured. source: where this was read, for
    messages. thresholds: from which probability on classes are answered, empty where none were chosen (Prediction).
    """

    task: Task
    config: ModelConfig
    head: HeadConfig | None
    normalization: Normalization
    provenance: dict[str, Any]
    classes: tuple[Class, ...]
    read_out: ReadOutConfig | None
    tensors: dict[str, Tensor]
    source: str
    thresholds: tuple[float, ...] = ()

    def arrangement(self) -> dict[str, Any]:
        """What makes the model, in addition to its tensors, as version 1 arranged it: for the fingerprint. What that
        version did not have is added only where it is used."""
        model, bands = _model_and_bands(self.config)
        if self.task.name != UNNAMED:
            model["kind"] = self.task.name
        if self.head is not None:
            model["head"] = self._head(of_version_1=True)
        if self.classes:
            model["classes"] = [each.name for each in self.classes]
        if self.thresholds:
            model["thresholds"] = list(self.thresholds)
        return _as_json(
            {
                "model": model,
                "bands": bands,
                "normalization": _flat(self.normalization),
                "read_out": self._read_out(),
            }
        )

    def to_json(self) -> dict[str, Any]:
        """The content of config.json, without the checksum. TypeError or ValueError for a provenance that JSON cannot
        hold."""
        if odd := [key for key in self.provenance if not isinstance(key, str)]:
            raise TypeError(f"the provenance has the key {odd[0]!r}, which is not a text")
        model, bands = _model_and_bands(self.config)
        return _as_json(
            {
                "format": FORMAT,
                "version": VERSION,
                "task": self.task.name,
                "head": None if self.head is None else self._head(),
                "classes": to_plain(self.classes),
                **({"thresholds": list(self.thresholds)} if self.thresholds else {}),
                "model": model,
                "bands": bands,
                "normalization": _flat(self.normalization),
                "read_out": self._read_out(),
                "provenance": self.provenance,
            }
        )

    def _head(self, *, of_version_1: bool = False) -> dict[str, Any]:
        kind = self.task.head_type(self.head)
        values = to_plain(self.head)
        named = not (of_version_1 and kind == _first(self.task))
        return {"type": kind, **values} if named else values

    def _read_out(self) -> dict[str, Any]:
        if self.read_out is None:
            return unmeasured(self.config.size.depth)
        return {"type": MEASURED, **to_plain(self.read_out)}


def unmeasured(depth: int) -> dict[str, Any]:
    """The read-out of weights without a measured one: the features of the last block, normed and averaged over present
    tokens."""
    how = {"blocks": [depth], "norm": "final", "pool": "mean"}
    return {"place": how, "image": how}


def from_json(content: Mapping[str, Any], tensors: dict[str, Tensor], source: str) -> Contents:
    """The contents of a config.json of any version. WeightsError if they make no model."""
    version = content.get("version", 1) if "format" in content else 1
    if content.get("format", FORMAT) != FORMAT or type(version) is not int or version not in (1, VERSION):
        raise WeightsError(
            f"{source}: found {content.get('format')!r}, version {version!r}",
            f"{FORMAT!r}, up to version {VERSION}",
            "Weights of a later version need a later spectralgpt",
        )
    wanted = ("checksum", "classes", "head", "task")
    missing = [name for name in wanted if name not in content or (content[name] is None and name != "head")]
    if missing if version == VERSION else len(missing) < len(wanted):
        # version 1 has none of these
        raise WeightsError(
            f"{source}: the configuration is damaged ({', '.join(missing) or 'format and version'} missing)",
            do="Download it again",
        )
    try:
        model = dict(content["model"])
        if version == 1:
            task = find(model.pop("kind", UNNAMED))
            values, named = model.pop("head", None), []
        else:
            task, values, named = find(content["task"]), content["head"], content["classes"]
        head = _head_of(task, values)
        config = from_plain(ModelConfig, {**USUAL_SETTINGS, **model, "bands": content["bands"]}, complete=True)
        return Contents(
            task=task,
            config=config,
            head=head,
            normalization=_normalization(content["normalization"]),
            provenance=dict(content["provenance"] or {}),
            classes=checked_classes(tuple(from_plain(Class, each) for each in named), head),
            read_out=_read_out_of(content["read_out"], config.size.depth),
            tensors=tensors,
            source=source,
            thresholds=checked_thresholds(tuple(content.get("thresholds", ())), head),
        )
    except (KeyError, TypeError, ValueError, ArithmeticError, AttributeError, InputError) as error:
        said = error if isinstance(error, ValueError | InputError) else repr(error)
        raise WeightsError(f"{source}: its configuration makes no model ({said})") from None


def checked_classes(classes: tuple[Class, ...], head: HeadConfig | None) -> tuple[Class, ...]:
    """The classes of a head. ValueError if their number is not that of the head, or two have the same name."""
    count = getattr(head, "classes", 0)
    if classes and len(classes) != count:
        raise ValueError(f"found names of {len(classes)} classes; expected the {count} of the head")
    if len({each.name for each in classes}) < len(classes):
        raise ValueError(f"found a class twice in {', '.join(each.name for each in classes)}; expected each once")
    return classes


def checked_thresholds(thresholds: Sequence[float | int], head: HeadConfig | None) -> tuple[float, ...]:
    """The thresholds of a head. ValueError unless there are none, or one per class of several labels, or one for two
    classes, each a probability."""
    found, count = tuple(map(float, thresholds)), getattr(head, "classes", 0)
    expected = count if getattr(head, "several", False) else 1 if count == 2 else 0
    if found and len(found) != expected:
        raise ValueError(f"found {len(found)} thresholds; expected {expected or 'none'} for {count} classes")
    if strange := [each for each in found if not 0 <= each <= 1]:
        raise ValueError(f"found the threshold {strange[0]}; expected a probability")
    return found


def _model_and_bands(config: ModelConfig) -> tuple[dict[str, Any], dict[str, Any]]:
    """A model's configuration without its bands, and the bands."""
    model = to_plain(config)
    bands = model.pop("bands")
    rare = {name: model[name] for name, usual in USUAL_SETTINGS.items() if model[name] != usual}
    return rare | {name: value for name, value in model.items() if name not in USUAL_SETTINGS}, bands


def _flat(normalization: Normalization) -> dict[str, Any]:
    content: dict[str, Any] = to_plain(normalization)
    rows = [{**row.pop("band"), **row} for row in content["statistics"]]
    return content | {"statistics": rows}


def _normalization(content: Mapping[str, Any]) -> Normalization:
    """The inverse of `_flat`."""
    numbers = ("mean", "sd")
    rows = [
        {name: row[name] for name in numbers} | {"band": {name: row[name] for name in row if name not in numbers}}
        for row in content["statistics"]
    ]
    return from_plain(Normalization, {**content, "statistics": rows}, complete=True)


def _as_json(content: Mapping[str, Any]) -> dict[str, Any]:
    """As it comes back from the file: tuples are lists. TypeError or ValueError for what JSON cannot hold."""
    result: dict[str, Any] = json.loads(json.dumps(content, allow_nan=False))
    return result


def _head_of(task: Task, values: Mapping[str, Any] | None) -> HeadConfig | None:
    if values is None and not task.heads:
        return None
    if values is None or not task.heads:
        raise ValueError(f"found the head {values!r} for {task.name}; expected {'one' if task.heads else 'none'}")
    values = dict(values)
    kind = values.pop("type", _first(task))
    if kind not in task.heads:
        raise ValueError(f"found the head {kind!r} for {task.name}; expected {' or '.join(task.heads)}")
    head: HeadConfig = from_plain(task.heads[kind], values)
    return head


def _read_out_of(values: Mapping[str, Any], depth: int) -> ReadOutConfig | None:
    values = dict(values)
    if values == unmeasured(depth):
        return None
    if values.pop("type", None) != MEASURED:
        raise ValueError(f"found the read-out {values}; expected a measured one or {unmeasured(depth)}")
    read_out = from_plain(ReadOutConfig, values, complete=True)
    if max(*read_out.place, *read_out.image) > depth:
        raise ValueError(f"found a read-out of blocks beyond {depth}, the last one")
    return read_out


def _first(task: Task) -> str:
    """The head of weights of version 1, which name no type."""
    return next(iter(task.heads))
