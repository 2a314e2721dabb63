"""Extremely randomized trees, for hand-made features, which need no standardization.

One setting: 300 trees, or 100 for more than MANY samples, on samples drawn by nobody (no bootstrap), sqrt(values)
candidates per split, grown until a leaf is pure or one sample. The nodes are kept as plain arrays, and answers are
computed from them, so a saved read-out answers the same to the bit, and no pickle is ever read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float32, Float64, Int32, Int64

from spectralgpt.evaluation.method import Fitted, Setting, Targets

MANY = 5000
"""Samples above which fewer trees do: each then splits finely by itself, and 300 take minutes per fit of pixels."""
LEAF = -1
"""The child of a leaf."""


SAVED = ("left", "right", "value", "limit", "votes", "roots")
"""Fields that are saved."""


@dataclass(frozen=True, slots=True, eq=False)
class TreesReadOut:
    """All nodes of all trees, one tree after another; children are numbers of nodes in the whole list.

    value: which a node asks; left if it is at most the limit, right if above. votes: shares of the classes in a leaf.
    roots: the first node of each tree.
    """

    left: Int32[np.ndarray, " node"]
    right: Int32[np.ndarray, " node"]
    value: Int32[np.ndarray, " node"]
    limit: Float64[np.ndarray, " node"]
    votes: Float32[np.ndarray, "node class"]
    roots: Int64[np.ndarray, " tree"]
    trees: tuple[Any, ...] = ()
    """Scikit-learn's trees where they were just fitted: they find the same leaves, several times faster."""

    def probabilities(self, features: Float32[np.ndarray, "sample value"]) -> Float32[np.ndarray, "sample class"]:
        """The mean vote of the trees."""
        total = np.zeros((len(features), self.votes.shape[1]))
        for root in self.roots:
            total += self.votes[self.leaves(features, int(root))]
        return np.asarray(total / len(self.roots), np.float32)

    def leaves(self, features: Float32[np.ndarray, "sample value"], root: int) -> Int64[np.ndarray, " sample"]:
        """The leaf of each sample in one tree."""
        if self.trees:
            number = int(np.searchsorted(self.roots, root))
            return np.asarray(root + self.trees[number].apply(np.ascontiguousarray(features)))
        node = np.full(len(features), root, np.int64)
        moving = np.flatnonzero(self.left[node] != LEAF)
        while len(moving):
            at = node[moving]
            goes_left = features[moving, self.value[at]] <= self.limit[at]
            node[moving] = np.where(goes_left, self.left[at], self.right[at])
            moving = moving[self.left[node[moving]] != LEAF]
        return node

    def arrays(self) -> Mapping[str, np.ndarray]:
        """What is saved."""
        return {name: getattr(self, name) for name in SAVED}


@dataclass(frozen=True, slots=True)
class Trees:
    """The method."""

    name: str = "trees"
    title: str = "extremely randomized trees"
    settings: Sequence[Setting] = ({"trees": 300, "trees_of_many": 100},)
    usual: Setting = field(default_factory=lambda: {"trees": 300, "trees_of_many": 100})

    def fits(
        self,
        features: Float32[np.ndarray, "sample value"],
        targets: Targets,
        settings: Sequence[Setting],
        seed: int,
    ) -> Sequence[Fitted]:
        """A read-out for each number of trees. seed: of the drawn splits."""
        from sklearn.ensemble import ExtraTreesClassifier

        labels = targets.truth.astype(np.int64) if targets.several else targets.truth.argmax(axis=1)
        share = targets.weight / targets.weight.mean()
        fitted = []
        for each in settings:
            # scikit-learn takes seeds below 2^32
            count = int(each["trees_of_many" if len(features) > MANY else "trees"])
            model = ExtraTreesClassifier(count, random_state=seed % 2**32)
            model.fit(features, labels, sample_weight=share)
            fitted.append(read_out(model, targets))
        return fitted

    def all_probabilities(
        self, fitted: Sequence[Any], features: Float32[np.ndarray, "sample value"]
    ) -> Sequence[Float32[np.ndarray, "sample class"]]:
        """What each answers; they share nothing."""
        return [one.probabilities(features) for one in fitted]

    def restored(self, arrays: Mapping[str, np.ndarray]) -> Fitted:
        """The saved read-out."""
        left, right, value, limit, votes, roots = (arrays[name] for name in SAVED)
        return TreesReadOut(left, right, value, limit, votes, roots)


METHOD = Trees()


def read_out(model: Any, targets: Targets) -> TreesReadOut:
    """The nodes of scikit-learn's trees."""
    trees = [one.tree_ for one in model.estimators_]
    sizes = np.array([tree.node_count for tree in trees])
    roots = np.cumsum(sizes) - sizes
    left, right = (
        np.concatenate(
            [np.where(child == LEAF, LEAF, child + root) for child, root in zip(children, roots, strict=True)]
        ).astype(np.int32)
        for children in ([tree.children_left for tree in trees], [tree.children_right for tree in trees])
    )
    value = np.concatenate([np.maximum(tree.feature, 0) for tree in trees]).astype(np.int32)
    limit = np.concatenate([tree.threshold for tree in trees])
    votes = np.concatenate([votes_of(tree.value, model.classes_, targets) for tree in trees])
    return TreesReadOut(left, right, value, limit, votes, roots.astype(np.int64), tuple(trees))


def votes_of(
    value: Float64[np.ndarray, "node output label"], labels: Any, targets: Targets
) -> Float32[np.ndarray, "node class"]:
    """Shares of all classes per node. labels: those that occur, per class where a sample may have several."""
    shares = value / value.sum(axis=2, keepdims=True)
    votes = np.zeros((len(value), targets.classes), np.float32)
    if not targets.several:
        votes[:, labels] = shares[:, 0]
        return votes
    for number in range(targets.classes):
        # a list of arrays, except with one class
        known = np.asarray(labels[number] if targets.classes > 1 else labels).tolist()
        if 1 in known:
            votes[:, number] = shares[:, number, known.index(1)]
    return votes
