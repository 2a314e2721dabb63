"""Scenes larger than the model's window: plan, blend, run.

`plan_scene` works out windows, tapers and block rows from numbers; `Blender` makes one scene of overlapping windows;
`run_scene` computes, keeps finished block rows in TARGET.partial and writes TARGET. These know no model: what the
result of a window is, functions say. `embed_scene` and `reconstruct_scene` are such functions of a model.
"""

from spectralgpt.scenes.blend import Blender
from spectralgpt.scenes.embeddings import SceneEmbeddings, embed_scene
from spectralgpt.scenes.journal import check_scene_target, partial_of
from spectralgpt.scenes.plan import Plan, plan_scene, taper
from spectralgpt.scenes.reconstruction import Sample, SceneReconstruction, reconstruct_scene
from spectralgpt.scenes.run import Apply, Compose, Encode, LayoutOf, run_scene

__all__ = [
    "Apply",
    "Blender",
    "Compose",
    "Encode",
    "LayoutOf",
    "Plan",
    "Sample",
    "SceneEmbeddings",
    "SceneReconstruction",
    "check_scene_target",
    "embed_scene",
    "partial_of",
    "plan_scene",
    "reconstruct_scene",
    "run_scene",
    "taper",
]
