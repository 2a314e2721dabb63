"""All that weights hold besides their numbers, and how config.json says it.

Version 2 is what is written. Version 1, which has no `format`, is read for ever; its arrangement is also what the
fingerprint is taken over, so that weights of both versions have the same one.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from torch import Tensor

from spectralgpt.errors import InputError, WeightsError
from spectralgpt.nn import ModelConfig, Normalization, ReadOutConfig
from spectralgpt.tasks import Class, HeadConfig, Task, find

FORMAT, VERSION = "spectralgpt weights", 2

UNNAMED = "pretraining"
"""The task of weights of version 1 that name none."""
MEASURED = "measured"
"""Type of a read-out with numbers of its own."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What weights hold, before a model is made of them.

    classes: of the head, where they have names. read_out: None where it was not measured. source: where it was read,
    for messages.
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

    def arrangement(self) -> dict[str, Any]:
        """What makes the model, besides its tensors, as version 1 arranged it: for the fingerprint. What that version
        had no word for stands there only where it is used."""
        model = self.config.to_dict()
        bands = model.pop("bands")
        if self.task.name != UNNAMED:
            model["kind"] = self.task.name
        if self.head is not None:
            model["head"] = self._head(of_version_1=True)
        if self.classes:
            model["classes"] = [each.name for each in self.classes]
        return plain(
            {
                "model": model,
                "bands": bands,
                "normalization": self.normalization.to_dict(),
                "read_out": self._read_out(),
            }
        )

    def to_json(self) -> dict[str, Any]:
        """The content of config.json, less the checksum. TypeError or ValueError for a provenance that JSON cannot
        hold."""
        if odd := [key for key in self.provenance if not isinstance(key, str)]:
            raise TypeError(f"the provenance has the key {odd[0]!r}, which is no text")
        model = self.config.to_dict()
        bands = model.pop("bands")
        return plain(
            {
                "format": FORMAT,
                "version": VERSION,
                "task": self.task.name,
                "head": None if self.head is None else self._head(),
                "classes": [asdict(each) for each in self.classes],
                "model": model,
                "bands": bands,
                "normalization": self.normalization.to_dict(),
                "read_out": self._read_out(),
                "provenance": self.provenance,
            }
        )

    def _head(self, *, of_version_1: bool = False) -> dict[str, Any]:
        kind = self.task.head_type(self.head)
        values = asdict(self.head)  # type: ignore[call-overload]
        named = not (of_version_1 and kind == _first(self.task))
        return {"type": kind, **values} if named else values

    def _read_out(self) -> dict[str, Any]:
        if self.read_out is None:
            return unmeasured(self.config.size.depth)
        return {"type": MEASURED, **self.read_out.to_dict()}


def unmeasured(depth: int) -> dict[str, Any]:
    """The read-out of weights that were not measured, in words: the last block's features, normed, averaged over
    present tokens."""
    how = {"blocks": [depth], "norm": "final", "pool": "mean"}
    return {"place": how, "image": how}


def from_json(content: Mapping[str, Any], tensors: dict[str, Tensor], source: str) -> Contents:
    """What a config.json of any version says. WeightsError where it says no model."""
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
        # of version 1 there is none of these
        raise WeightsError(
            f"{source}: found a damaged configuration ({', '.join(missing) or 'format and version'} missing)",
            "it as it was written",
            "Fetch it again",
        )
    try:
        model = dict(content["model"])
        if version == 1:
            task = find(model.pop("kind", UNNAMED))
            values, named = model.pop("head", None), []
        else:
            task, values, named = find(content["task"]), content["head"], content["classes"]
        head = _head_of(task, values)
        config = ModelConfig.from_dict({**model, "bands": content["bands"]})
        for key, side in (("patch", config.patch), ("image", config.image)):
            if not isinstance(side, int) or side < 1:
                raise ValueError(f"found {key} {side!r}; expected a side in pixels")
        return Contents(
            task=task,
            config=config,
            head=head,
            normalization=Normalization.from_dict(content["normalization"]),
            provenance=dict(content["provenance"] or {}),
            classes=checked_classes(tuple(Class(**each) for each in named), head),
            read_out=_read_out_of(content["read_out"], config.size.depth),
            tensors=tensors,
            source=source,
        )
    except (KeyError, TypeError, ValueError, ArithmeticError, AttributeError, InputError) as error:
        raise WeightsError(f"{source}: found a configuration that makes no model ({error!r}).") from None


def checked_classes(classes: tuple[Class, ...], head: HeadConfig | None) -> tuple[Class, ...]:
    """The names of a head's classes. ValueError where their number is not the head's, or a name
    stands there twice."""
    count = getattr(head, "classes", 0)
    if classes and len(classes) != count:
        raise ValueError(f"found names of {len(classes)} classes; expected as many as the head has, {count}")
    if len({each.name for each in classes}) < len(classes):
        raise ValueError(f"found a class twice in {', '.join(each.name for each in classes)}; expected each once")
    return classes


def plain(content: Mapping[str, Any]) -> dict[str, Any]:
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
    head: HeadConfig = task.heads[kind](**{name: _tuple(value) for name, value in values.items()})
    return head


def _tuple(value: Any) -> Any:
    """Tuples come back as lists."""
    return tuple(_tuple(each) for each in value) if isinstance(value, list) else value


def _read_out_of(values: Mapping[str, Any], depth: int) -> ReadOutConfig | None:
    values = dict(values)
    if values == unmeasured(depth):
        return None
    if values.pop("type", None) != MEASURED:
        raise ValueError(f"found the read-out {values}; expected a measured one or {unmeasured(depth)}")
    read_out = ReadOutConfig.from_dict(values)
    if max(*read_out.place, *read_out.image) > depth:
        raise ValueError(f"found a read-out of blocks beyond {depth}")
    return read_out


def _first(task: Task) -> str:
    """The head that weights of version 1 mean, which name no type."""
    return next(iter(task.heads))
