"""Scenes larger than the model's window: plan, read, compute, blend, run.

`plan_scene` computes windows, tapers and block rows from numbers; `Blender` merges overlapping windows into one scene;
`run_scene` drives a `Maker` over them, keeps finished block rows and their notes in TARGET.partial and writes TARGET.
These contain no model: the maker defines windows, block rows and TARGET. `map_scene` makes a map of a model's answers,
whatever its task (`embed_scene` is one), `map_classes` one of classes with all that lies beside it, `tiled` the answers
in memory, and `reconstruct_scene` rebuilds the scene from what is left visible.
"""

from spectralgpt.scenes.answers import AnswerMaker, MapSummary, SceneMap, map_scene, share_target
from spectralgpt.scenes.blend import Blender
from spectralgpt.scenes.class_answers import AnsweredClasses, ClassAnswers, HeadOnPixels
from spectralgpt.scenes.class_layers import ClassAreas, ClassTargets
from spectralgpt.scenes.class_map import MappedClasses, map_classes
from spectralgpt.scenes.course import Course
from spectralgpt.scenes.distances import DistanceMaker, SceneDistances, distance_scene
from spectralgpt.scenes.embeddings import SceneEmbeddings, embed_scene
from spectralgpt.scenes.in_memory import tiled
from spectralgpt.scenes.journal import Journal, check_scene_target, chosen_before, partial_of
from spectralgpt.scenes.maker import Maker, Notes, Piece
from spectralgpt.scenes.plan import Plan, plan_scene, taper
from spectralgpt.scenes.reconstruction import FigureSample, ReconstructionMaker, SceneReconstruction, reconstruct_scene
from spectralgpt.scenes.run import run_scene

__all__ = [
    "AnswerMaker",
    "AnsweredClasses",
    "Blender",
    "ClassAnswers",
    "ClassAreas",
    "ClassTargets",
    "Course",
    "DistanceMaker",
    "FigureSample",
    "HeadOnPixels",
    "Journal",
    "Maker",
    "MapSummary",
    "MappedClasses",
    "Notes",
    "Piece",
    "Plan",
    "ReconstructionMaker",
    "SceneDistances",
    "SceneEmbeddings",
    "SceneMap",
    "SceneReconstruction",
    "check_scene_target",
    "chosen_before",
    "distance_scene",
    "embed_scene",
    "map_classes",
    "map_scene",
    "partial_of",
    "plan_scene",
    "reconstruct_scene",
    "run_scene",
    "share_target",
    "taper",
    "tiled",
]
