"""Stages as spectralgpt 0.1 wrote them, a flat table each: its runs can be resumed, and its config.json start runs."""

from typing import Any

OWNERS = {
    "data": ("dates", "batch"),
    "augmentation": ("image", "area", "aspect", "gsd", "flips", "turns", "missing_bands"),
    "schedule": ("epochs", "steps", "lr", "lr_end", "warmup", "weight_decay", "betas", "clip"),
    "task": ("mask", "mask_ratio", "decode_fraction", "normalized_target", "spectral_weight"),
}
"""The parts that own these fields now."""


def with_parts(recipe: Any) -> Any:
    """The plain values of a recipe with flat stages split into parts; anything else unchanged."""
    stages = recipe.get("stages") if isinstance(recipe, dict) else None
    if not isinstance(stages, list):
        return recipe
    return {**recipe, "stages": [_split(stage) for stage in stages]}


def _split(stage: Any) -> Any:
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
            rest[name] = value  # the name of the stage, and unknown keys, which are refused later
    return {**rest, **parts}
