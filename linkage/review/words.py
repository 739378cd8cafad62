"""A case in the words of a clerk: why it is in review, what speaks for and against a candidate, and the answers."""

from linkage.explain import FIELDS, evidence, why, worded
from linkage.messages import catalogue, say, word
from linkage.review.cases import Candidate, Case, Dose, Outcome, Relative

__all__ = ["doses", "for_and_against", "household", "in_review_because", "line", "outcome", "reasons", "variants"]


def reasons(case: Case, language: str) -> tuple[str, ...]:
    """Why the case is in review, then what speaks for its best candidate and against."""
    best = for_and_against(case.candidates[0], language) if case.candidates else ()
    return (*in_review_because(case, language), *best)


def in_review_because(case: Case, language: str) -> tuple[str, ...]:
    """Why the machine did not decide, without its figures: they would sway who reads."""
    if not case.candidates:
        return (_said("explain.forgone", language),)
    probabilities = [candidate.probability for candidate in case.candidates]
    told = why({**case.decision, "decision": "review"}, probabilities)
    return tuple(_said(key, language, **worded(facts, language)) for key, facts in told)


def for_and_against(candidate: Candidate, language: str) -> tuple[str, ...]:
    """What speaks for a candidate and what against, the heaviest first."""
    # what is no comparison of fields corrects the weights of others: a clerk would misread it
    said = [(name, candidate.levels[name], bits) for name, bits in candidate.bits.items() if name in FIELDS]
    return tuple(say(key, language, **worded(facts, language)) for key, facts in evidence(said))


def outcome(name: Outcome, language: str, *, number: int | None = None, field: str | None = None) -> str:
    """What may be answered.

    Args:
        name: the outcome.
        language: ``en`` or ``vi``.
        number: of the candidate, where the outcome is one.
        field: what the facility is asked for, where the outcome is to send back.
    """
    text = say(f"review.outcome.{name}", language)
    if number is not None:
        return f"{number}: {text}"
    return f"{text}: {line(field, language)}" if field else text


def line(name: str, language: str) -> str:
    """The words of a line of a case, one of ``linkage.review.cases.PAIRED``."""
    return say(f"review.field.{name}", language)


def doses(case: Case, language: str) -> tuple[str, ...]:
    """The doses of the subject, a line each: those that the answer settles first."""
    numbers = {candidate.citizen_id: number for number, candidate in enumerate(case.candidates, start=1)}
    return tuple(_dose(dose, numbers.get(dose.citizen_id or ""), language) for dose in case.doses)


def household(case: Case, language: str) -> tuple[str, ...]:
    """Who else has the phone or the address, a line each."""
    return tuple(_relative(relative, language) for relative in case.household)


def variants(case: Case, language: str) -> tuple[str, ...]:
    """What other doses of the subject say otherwise, a line for each column."""
    return tuple(
        say("review.variant", language, field=word(f"field.{column}", language), values=" / ".join(values))
        for column, values in case.variants.items()
        if values
    )


def _said(key: str, language: str, **facts: object) -> str:
    """A reason as it is told to who knows that all cases are in review."""
    own = key.replace("explain.", "review.because.", 1)
    text = say(own if own in catalogue() else key, language, **facts)
    rest = text.removeprefix(say("review.because.prefix", language)).lstrip()
    return rest[:1].upper() + rest[1:]


def _dose(dose: Dose, candidate: int | None, language: str) -> str:
    facts = [dose.injected_on, dose.vaccine, dose.lot_number]
    facts += [say("review.dose.number", language, number=dose.dose_number)] if dose.dose_number else []
    facts += [say("review.dose.facility", language, facility=dose.facility_id)] if dose.facility_id else []
    told = ", ".join(fact for fact in facts if fact) or say("review.dose.unknown", language)
    if dose.in_case:
        return told
    if dose.citizen_id is None:
        state = say("review.dose.other", language)
    elif candidate:
        state = say("review.dose.candidate", language, number=candidate)
    else:
        state = say("review.dose.citizen", language, citizen_id=dose.citizen_id)
    return f"{told} ({state})"


def _relative(relative: Relative, language: str) -> str:
    facts = (relative.full_name, relative.date_of_birth, relative.sex, relative.citizen_id)
    return say(f"review.household.{relative.why}", language, who=", ".join(fact for fact in facts if fact))
