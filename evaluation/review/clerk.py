"""A clerk who knows the truth, and errs at random."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from linkage.review.cases import Answer, Case

ERROR, UNDECIDED = 0.03, 0.05


@dataclass(frozen=True, slots=True)
class Clerk:
    """Answers cases: undecided, wrong or right at random, by case: whoever asks again hears the same.

    Args:
        name: of the account; clerks of different names err independently.
        seed: of the randomness.
        error: probability of a wrong answer, any other that could be given being as likely.
        undecided: probability of "cannot tell".
    """

    name: str
    seed: int
    error: float = ERROR
    undecided: float = UNDECIDED

    def answer(self, case_id: str, case: Case, truth: Mapping[str, str | None]) -> Answer:
        """What this clerk says of a case.

        Args:
            case_id: of the case.
            case: as it is shown.
            truth: dose → its citizen, None where the registry has none; of every dose of the case.
        """
        digest = hashlib.sha256(f"{self.seed}:{self.name}:{case_id}".encode()).digest()
        generator = np.random.default_rng(int.from_bytes(digest[:8], "big"))
        right, luck = right_answer(case, truth), generator.random()
        if luck < self.undecided:
            return Answer("cannot_tell")
        others = [one for one in _possible(case) if one.said != right.said]
        if luck < self.undecided + self.error and others:
            return others[int(generator.integers(len(others)))]
        return right


def right_answer(case: Case, truth: Mapping[str, str | None]) -> Answer:
    """The candidate whose doses these are, "none" if no candidate is, "mixed up" if they are of several people."""
    owners = {truth[dose_id] for dose_id in case.dose_ids}
    if len(owners) > 1:
        return Answer("mixed_up")
    [owner] = owners
    return Answer("citizen", owner) if owner in {one.citizen_id for one in case.candidates} else Answer("none")


def _possible(case: Case) -> list[Answer]:
    return [*(Answer("citizen", one.citizen_id) for one in case.candidates), Answer("none")]
