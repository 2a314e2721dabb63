"""Scenes larger than the model's window: plan, blend, run.

`plan_scene` works out windows, tapers and block rows from numbers; `Blender` makes one scene of overlapping windows;
`run_scene` computes, keeps finished block rows in TARGET.partial and writes TARGET. What a window's result is, the
caller says with functions: nothing here knows a model.
"""

from spectralgpt.scenes.blend import Blender
from spectralgpt.scenes.journal import check_scene_target, partial_of
from spectralgpt.scenes.plan import Plan, plan_scene, taper
from spectralgpt.scenes.run import Apply, Compose, Encode, LayoutOf, run_scene

__all__ = [
    "Apply",
    "Blender",
    "Compose",
    "Encode",
    "LayoutOf",
    "Plan",
    "check_scene_target",
    "partial_of",
    "plan_scene",
    "run_scene",
    "taper",
]
