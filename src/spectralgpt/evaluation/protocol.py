"""Fit, choose, report once: what is reported was never seen by a choice, and is seen once."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float32, Int64

from spectralgpt.errors import DataError, counted, first_few
from spectralgpt.evaluation.aims import Aim
from spectralgpt.evaluation.choice import Chosen, Pair, best_of, choose
from spectralgpt.evaluation.method import Method, Targets

AUTO = "auto"
"""The method with the best score on the samples that choose."""


class Protocol:
    """One report: the samples to report, fixed at the start, and choices that may not see them.

    reported: indices of the samples (images; a pixel belongs to its image). names: of all samples, for messages.
    contents: a hash of the pixels of each sample, so that a copy under another name is recognized; empty where unknown.
    """

    def __init__(
        self,
        reported: Int64[np.ndarray, " reported"],
        aim: Aim,
        names: Sequence[str],
        contents: Sequence[str] = (),
        seed: int = 0,
    ):
        self.reported = reported
        self.aim = aim
        self.seed = seed
        self._names = names
        self._contents = contents
        self._is_reported = np.zeros(len(names), bool)
        self._is_reported[reported] = True
        self._chosen: dict[str, Chosen] = {}
        self._done = False

    def choose(
        self,
        method: Method,
        features: Float32[np.ndarray, "sample value"],
        targets: Targets,
        inner: Sequence[Pair],
        train: Int64[np.ndarray, " train"],
        *,
        owner: Int64[np.ndarray, " sample"] | None = None,
        judge_always: bool = False,
    ) -> Chosen:
        """The method with chosen settings, fitted.

        train: what is fitted to where there are no pairs. owner: the protocol's sample that each row of the features
        belongs to, where rows are pixels. judge_always: get a score also where there is nothing to choose, so that
        methods can be compared. DataError when a sample that fits or judges is reported, or a copy of one that is.
        """
        if self._done:
            raise RuntimeError("chosen after the report: what was reported would choose")
        used = np.unique(np.concatenate([train, *(each for pair in inner for each in pair)]))
        self.check(used if owner is None else np.unique(owner[used]))
        nothing_to_choose = len(method.settings) == 1 and self.aim.thresholds is None
        pairs: Sequence[Pair] = () if nothing_to_choose and not judge_always else inner
        chosen = choose(method, features, targets, pairs, self.aim, self.seed, samples=train)
        self._chosen[method.name] = chosen
        return chosen

    def choose_method(self) -> Chosen:
        """The best of the methods chosen so far, by the samples that chose; reported as `auto` beside them."""
        found = [chosen for name, chosen in self._chosen.items() if name != AUTO]
        self._chosen[AUTO] = found[best_of(found)]
        return self._chosen[AUTO]

    def check(self, used: Int64[np.ndarray, " used"]) -> None:
        """DataError when a sample that is used before the report is reported, or is a copy of one that is."""
        same = used[self._is_reported[used]]
        if len(same):
            found = first_few([self._names[number] for number in same], 3)
            raise DataError(
                f"{counted(len(same), 'sample')} both to choose by and to report: {found}", "one part for each sample"
            )
        if not len(self._contents):
            return
        held = {self._contents[number]: number for number in self.reported.tolist() if self._contents[number]}
        twins = [(number, held[self._contents[number]]) for number in used.tolist() if self._contents[number] in held]
        if twins:
            found = first_few([f"{self._names[one]} = {self._names[other]}" for one, other in twins], 3)
            raise DataError(
                f"{counted(len(twins), 'image')} to choose by with the same pixels as one to report: {found}",
                "no image in two parts",
                "Remove the copies, or give them one group",
            )

    def report(self) -> Mapping[str, Chosen]:
        """What was chosen, by method, to be judged on the reported samples: once.

        RuntimeError before a choice, and for a second report.
        """
        if self._done:
            raise RuntimeError("reported before: a second report would make the first one a choice")
        if not self._chosen:
            raise RuntimeError("nothing was chosen yet")
        self._done = True
        return dict(self._chosen)
