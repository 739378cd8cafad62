"""Why a dose was decided as it was: each candidate's comparisons in bits, the posterior, and the reason in words."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import duckdb

from linkage.errors import UserError
from linkage.messages import catalogue, say, word
from linkage.reports.reading import read_manifest
from linkage.scoring import bits_column
from models import NEVER, Model, ModelError

__all__ = ["FIELDS", "CandidateExplanation", "Explanation", "evidence", "explain", "level_words", "why", "worded"]

Reason = tuple[str, dict[str, Any]]
"""The key of a message and its facts."""

FIELDS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "name": (("full_name",), ("full_name",)),
    "birth_date": (("date_of_birth",), ("date_of_birth",)),
    "id": (("national_id",), ("citizen_id", "previous_ids")),
    "id_prefix": (("national_id",), ("citizen_id",)),
    "sex": (("sex",), ("sex",)),
    "place": (("address", "commune", "district", "province"), ("address", "commune", "district", "province")),
    "phone": (("phone",), ("phone",)),
    "insurance_no": (("health_insurance_no",), ("health_insurance_no",)),
    "life": (("injected_on",), ("deceased_on",)),
    "number": (("national_id",), ("citizen_id", "previous_ids")),
    "address": (("address", "commune", "district", "province"), ("address", "commune", "district", "province")),
}
"""What a comparison looks at, as typed: the dose's columns and the citizen's."""

SHOWN = 5
TIE_BITS = 0.05
CLOSE_BITS, UNLIKELY = 7.0, 0.001
"""A runner-up within this many bits (odds under 128 to 1) is named as the reason for a review, unless improbable."""


@dataclass(frozen=True, slots=True)
class Line:
    """One comparison of one candidate: its level, its bits, and what the two sides say as typed."""

    comparison: str
    level: str
    bits: float
    recorded: str
    registry: str


@dataclass(frozen=True, slots=True)
class CandidateExplanation:
    """One candidate: probability, match weight in bits (``prior_bits`` included), and its comparisons."""

    citizen_id: str
    probability: float
    match_weight: float
    prior_bits: float
    comparisons: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Correction:
    """What an accepted dose says otherwise than the registry, as typed, and the kind of the difference."""

    field: str
    kind: str
    recorded: str | None
    registry: str | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a dose was decided so."""

    dose_id: str
    decision: str
    outcome: str
    rule: str | None
    probability_of_none: float
    candidates: tuple[CandidateExplanation, ...]
    reasons: tuple[Reason, ...]
    corrections: tuple[Correction, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)

    def as_text(self, language: str) -> str:
        """What a person reads."""
        lines = [f"{self.dose_id}: {say(f'outcome.{self.outcome}', language)}"]
        lines += [say(key, language, **worded(facts, language)) for key, facts in self.reasons]
        if self.corrections:
            lines += ["", say("explain.corrections", language)]
            lines += [_correction(correction, language) for correction in self.corrections]
        for number, candidate in enumerate(self.candidates, start=1):
            lines += ["", _heading(number, candidate, language)]
            lines += [_line(line, language) for line in candidate.comparisons]
        if self.candidates:
            share = f"{self.probability_of_none:.6f}"
            lines += ["", say("explain.none", language, probability=share)]
        return "\n".join(lines)


def explain(run: Path, dose_id: str) -> Explanation:
    """Explain a decision from the folder RUN alone.

    Raises:
        UserError: the folder is no run of this version, or has no such dose.
    """
    read_manifest(run)
    try:
        with duckdb.connect() as connection:
            return _explained(connection, run, dose_id)
    except (OSError, ModelError, AttributeError, IndexError, KeyError, TypeError, duckdb.Error) as error:
        raise UserError("explain.no_run", path=run) from error


def _explained(connection: duckdb.DuckDBPyConnection, run: Path, dose_id: str) -> Explanation:
    model = Model.read(run)
    decisions = _rows(connection, run, "decisions", dose_id)
    candidates = _rows(connection, run, "candidates", dose_id)
    doses = _rows(connection, run, "doses", dose_id)
    quarantine = _rows(connection, run, "quarantine", dose_id)
    corrections = _rows(connection, run, "corrections", dose_id)
    contradictions = _rows(connection, run, "contradictions", dose_id)
    if not decisions:
        raise UserError("explain.no_dose", path=run, dose_id=dose_id)
    # a repeated dose_id has one decided row and others in quarantine: the decided one is explained
    decision = min(decisions, key=lambda row: row["decision"] == "quarantine")
    explained = tuple(
        _candidate(connection, run, model, doses[0], candidate)
        # first the one it was decided for: a human may have taken any
        for candidate in sorted(candidates, key=lambda row: (row["citizen_id"] != decision["citizen_id"], row["rank"]))
    )
    none = max(0.0, 1 - sum(candidate.probability for candidate in explained))
    problems = [row["problem"] for row in quarantine if row["table"] == "doses"]
    return Explanation(
        dose_id=dose_id,
        decision=decision["decision"],
        outcome=decision["outcome"],
        rule=decision["rule"],
        probability_of_none=none if explained else 1.0,
        candidates=explained[:SHOWN],
        reasons=(
            *_reasons(decision, explained, model, problems),
            *(_contradiction(row) for row in contradictions),
            *_set_aside(decision, problems),
        ),
        corrections=tuple(
            Correction(row["field"], row["kind"], row["recorded"], row["registry"]) for row in corrections
        ),
    )


def _rows(connection: duckdb.DuckDBPyConnection, run: Path, name: str, dose_id: str) -> list[dict[str, Any]]:
    result = connection.execute("FROM read_parquet(?) WHERE dose_id = ?", [str(run / f"{name}.parquet"), dose_id])
    columns = [column[0] for column in result.description or ()]
    return [dict(zip(columns, row, strict=True)) for row in result.fetchall()]


def _candidate(
    connection: duckdb.DuckDBPyConnection, run: Path, model: Model, dose: dict[str, Any], candidate: dict[str, Any]
) -> CandidateExplanation:
    result = connection.execute(
        "FROM read_parquet(?) WHERE citizen_id = ?", [str(run / "citizens.parquet"), candidate["citizen_id"]]
    )
    columns = [column[0] for column in result.description or ()]
    citizen = dict(zip(columns, result.fetchall()[0], strict=True))
    lines = []
    for comparison in model.specification.comparisons:
        recorded, registry = FIELDS.get(comparison.name, ((), ()))
        lines.append(
            Line(
                comparison=comparison.name,
                level=candidate[comparison.name],
                bits=candidate[bits_column(comparison)],
                recorded=", ".join(dose[column] for column in recorded if dose[column]),
                registry=", ".join(citizen[column] for column in registry if citizen[column]),
            )
        )
    return CandidateExplanation(
        citizen_id=candidate["citizen_id"],
        probability=candidate["probability"],
        match_weight=candidate["match_weight"],
        prior_bits=candidate["match_weight"] - sum(line.bits for line in lines),
        comparisons=tuple(lines),
    )


def _reasons(
    decision: dict[str, Any], candidates: tuple[CandidateExplanation, ...], model: Model, problems: list[str]
) -> list[Reason]:
    if decision["decision"] == "quarantine":
        return [("explain.quarantine", {"problem": problem}) for problem in problems]
    if decision["answered"] is not None:
        return _answered(decision, candidates, model)
    if decision["outcome"] == "foreigner":
        return [("explain.foreigner", {})]
    if not candidates:
        return [("explain.forgone" if decision["decision"] == "review" else "explain.no_candidate", {})]
    accept = model.thresholds.accept
    thresholds = {
        "accept": accept[decision["stratum"]],
        "lowest_accept": min(accept.values()),
        "review": model.thresholds.review,
    }
    reasons = why(decision | thresholds, [candidate.probability for candidate in candidates])
    return [*reasons, *_evidence(candidates[0], model)]


def _evidence(candidate: CandidateExplanation, model: Model) -> list[Reason]:
    # an interaction corrects other weights: in a list of what speaks for or against, a clerk would misread it
    plain = {comparison.name for comparison in model.specification.comparisons if not comparison.is_interaction}
    return evidence((x.comparison, x.level, x.bits) for x in candidate.comparisons if x.comparison in plain)


def _answered(decision: dict[str, Any], candidates: tuple[CandidateExplanation, ...], model: Model) -> list[Reason]:
    """What a human decided; and of an accepted citizen who is a candidate, what speaks for and against."""
    gone = decision["answer"] == "citizen" and decision["decision"] == "review"
    key = "explain.answered.citizen_gone" if gone else f"explain.answered.{decision['answer']}"
    reason = (key, {"entry": decision["answered"]})
    if decision["decision"] != "accept" or not candidates or candidates[0].citizen_id != decision["citizen_id"]:
        return [reason]
    return [reason, *_evidence(candidates[0], model)]


def _contradiction(row: dict[str, Any]) -> Reason:
    probability = f"{row['machine_probability'] or 0.0:.6f}"
    facts = {"entry": row["entry"], "citizen_id": row["machine_citizen_id"], "probability": probability}
    return f"explain.contradiction.{row['reason']}", facts


def why(decision: Mapping[str, Any], probabilities: Sequence[float]) -> list[Reason]:
    """Why a dose with candidates was decided as it was: the reason, and after another one the model's caution.

    Args:
        decision: ``decision``, ``margin`` (bits), ``caution``, and the thresholds ``accept`` (of the stratum),
            ``lowest_accept`` (of all strata) and ``review``.
        probabilities: of the candidates, best first.
    """
    reasons = [_reason(decision, probabilities)]
    if decision["decision"] == "review" and decision["caution"] and (caution := _caution(decision)) not in reasons:
        reasons.append(caution)
    return reasons


def evidence(comparisons: Iterable[tuple[str, str, float]]) -> list[Reason]:
    """What speaks for a candidate and what against it, the heaviest first.

    Args:
        comparisons: comparison, level, bits; interactions are to be left out.
    """
    said = [(bits, comparison, level) for comparison, level, bits in comparisons if bits]
    for_it = sorted((line for line in said if line[0] > 0), key=lambda line: -line[0])
    against = sorted((line for line in said if line[0] < 0), key=lambda line: line[0])
    keyed = (("explain.for", for_it), ("explain.against", against))
    return [
        (key, {"levels": tuple((comparison, level) for _, comparison, level in lines)}) for key, lines in keyed if lines
    ]


def _caution(decision: Mapping[str, Any]) -> Reason:
    key = f"caution.{decision['caution']}"
    return (key, {}) if key in catalogue() else ("explain.caution", {"caution": decision["caution"].replace("_", " ")})


def _reason(decision: Mapping[str, Any], probabilities: Sequence[float]) -> Reason:
    margin, accept, lowest = decision["margin"], decision["accept"], decision["lowest_accept"]
    # what a caution keeps from being accepted is told apart
    facts = {"probability": f"{probabilities[0]:.6f}", "threshold": f"{min(accept, lowest):.6f}"}
    if decision["decision"] == "accept":
        return "explain.accept", facts
    if decision["decision"] == "no_match":
        return "explain.no_match", {"threshold": f"{decision['review']:.4f}"}
    if decision["caution"] is not None and probabilities[0] >= lowest:
        return _caution(decision)
    if margin is not None and margin < TIE_BITS:
        return "explain.tie", facts
    if margin is not None and margin < CLOSE_BITS and max(probabilities[1:2], default=0) > UNLIKELY:
        return "explain.close", facts | {"margin": f"{margin:.1f}"}
    unproven = decision["caution"] is None and accept == NEVER
    return "explain.unproven" if unproven else "explain.not_enough", facts


def _set_aside(decision: dict[str, Any], problems: list[str]) -> tuple[Reason, ...]:
    if decision["decision"] == "quarantine" or not problems:
        return ()
    return (("explain.also_set_aside", {"rows": len(problems)}),)


def worded(facts: Mapping[str, Any], language: str) -> dict[str, Any]:
    """The facts of a reason, with levels and problems as sentences of the language."""
    worded = dict(facts)
    if "levels" in facts:
        worded["levels"] = "; ".join(level_words(comparison, level, language) for comparison, level in facts["levels"])
    if "problem" in facts:
        worded["problem"] = say(f"problem.{facts['problem']}", language)
    return worded


def level_words(comparison: str, level: str, language: str) -> str:
    """A level of a comparison, as a sentence."""
    if level == "missing":
        return say("level.missing", language, comparison=word(f"comparison.{comparison}", language))
    key = f"level.{comparison}.{level}"
    if key not in catalogue():
        return f"{word(f'comparison.{comparison}', language)}: {word(key, language)}"
    return word(key, language)


def _heading(number: int, candidate: CandidateExplanation, language: str) -> str:
    return say(
        "explain.candidate",
        language,
        number=number,
        citizen_id=candidate.citizen_id,
        probability=f"{candidate.probability:.6f}",
        match_weight=f"{candidate.match_weight:+.1f}",
        prior=f"{candidate.prior_bits:+.1f}",
    )


def _line(line: Line, language: str) -> str:
    text = f"  {line.bits:+7.1f}  {level_words(line.comparison, line.level, language)}"
    if line.recorded or line.registry:
        text += f"  [{line.recorded or '–'} | {line.registry or '–'}]"
    return text


def _correction(correction: Correction, language: str) -> str:
    field, kind = say(f"field.{correction.field}", language), say(f"kind.{correction.kind}", language)
    return f"  {field}: {kind}  [{correction.recorded or '–'} | {correction.registry or '–'}]"
