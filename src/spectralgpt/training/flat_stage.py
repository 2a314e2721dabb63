"""Stages as spectralgpt 0.1 wrote them, one flat table each: its runs go on, and its config.json start new ones."""

from typing import Any

OWNERS = {
    "data": ("dates", "batch"),
    "augmentation": ("image", "area", "aspect", "gsd", "flips", "turns", "missing_bands"),
    "schedule": ("epochs", "steps", "lr", "lr_end", "warmup", "weight_decay", "betas", "clip"),
    "task": ("mask", "mask_ratio", "decode_fraction", "normalized_target", "spectral_weight"),
}
"""The parts that own its fields now."""


def with_parts(recipe: Any) -> Any:
    """The plain values of a recipe, its flat stages taken apart; anything else as it is."""
    stages = recipe.get("stages") if isinstance(recipe, dict) else None
    if not isinstance(stages, list):
        return recipe
    return {**recipe, "stages": [_taken_apart(stage) for stage in stages]}


def _taken_apart(stage: Any) -> Any:
    if not isinstance(stage, dict) or "schedule" in stage or "task" in stage:
        return stage
    owner = {name: part for part, names in OWNERS.items() for name in names}
    parts: dict[str, dict[str, Any]] = {part: {} for part in OWNERS}
    parts["task"]["type"] = "pretraining"
    rest = {}
    for name, value in stage.items():
        if name == "data":
            parts["data"]["sources"] = value
        elif name in owner:
            parts[owner[name]][name] = value
        else:
            rest[name] = value  # the name, and what is unknown: it is refused by its name
    return {**rest, **parts}
