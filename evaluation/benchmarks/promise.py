"""``python -m evaluation.benchmarks.promise``: does the promised error rate hold, training after training?

From one synthetic population many samples of labelled doses are drawn, each like a clerical sample (by stratum, with
weights); of each a model is learned with its thresholds proven, and its false links are counted on all doses of persons
whose labels it has not seen. The realised rate may exceed the tolerance in 5 % of the trainings. Both the shipped
specification and the same without its cautions are tried: without them more errors come near the thresholds.

What the samples share: the population, its comparison vectors, random pairs and reach. Of each dose the
candidates kept are the five best by a model that all trainings share.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from evaluation.intervals import share
from evaluation.population import synthesise
from linkage.scoring import compared_tables
from linkage.standardise import standardise
from linkage.tables import CITIZENS, DOSES, TRUTH, read_table
from models import CAUTION, Registry, load
from training import Tolerances, TrainJob, train
from training.arrays import find_pairs, read_candidates, score_candidates
from training.calibration import Scored, outcomes
from training.learning import LabelledPairs, learn
from training.thresholds import Outcomes, choose_thresholds
from training.vectors import Bools, Candidates, Floats, Ints, match_weights, strata

KEPT = 5
"""Candidates of a dose."""

SHARES = (0.45, 0.20, 0.17, 0.14, 0.0, 0.04)
"""Of the labels, by stratum of the shipped specification: as `evaluation.population.labels` draws them."""


@dataclass(frozen=True, slots=True)
class Ground:
    """A population of which everything is known: every dose labelled, in the order of ``dose_keys``."""

    pairs: LabelledPairs
    candidates: Candidates
    dose_keys: Ints
    stratum: Ints


def lay(data: Path, out: Path, memory: str) -> Ground:
    """Read the population, and find the vectors of every dose's candidates."""
    specification = load("dose_citizen")
    doses, citizens = str(data / "doses.parquet"), str(data / "citizens.parquet")
    job = TrainJob(doses, citizens, str(data / "labels.parquet"), specification, out / "model", 2, memory, force=True)
    model = train(job)
    with duckdb.connect() as connection:
        connection.execute("SET memory_limit = ?", [memory])
        connection.execute("SET enable_progress_bar = false")
        connection.execute("SET temp_directory = ?", [str(out / "temporary")])
        for schema, path in ((DOSES, doses), (CITIZENS, citizens), (TRUTH, str(data / "truth.parquet"))):
            read_table(connection, schema, path)
        standardise(connection, {"doses": "doses_standardised", "citizens": "citizens_standardised"})
        compared_tables(connection, specification)
        connection.execute("""
        CREATE TABLE labelled_doses AS SELECT d.key AS dose_key, 1.0 AS weight, c.key IS NOT NULL AS has_citizen,
          t.person_id AS person, c.key AS citizen_key
        FROM doses AS d JOIN truth AS t USING (dose_id) LEFT JOIN citizens AS c ON c.citizen_id = t.citizen_id
        """)
        connection.execute("CREATE TABLE random_doses AS SELECT key FROM doses")
        score_candidates(connection, model, Registry(**model.evidence["registry"]))
        connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE scored AS SELECT * FROM scored
        QUALIFY row_number() OVER (PARTITION BY dose_key ORDER BY match_weight DESC, citizen_key) <= {KEPT}
        """)
        connection.execute("""
        CREATE TABLE labelled AS
        SELECT dose_key, citizen_key, bool_or(is_match) AS is_match, 1.0 AS weight, any_value(person) AS person FROM (
          SELECT dose_key, citizen_key, true AS is_match, person FROM labelled_doses WHERE has_citizen
          UNION ALL SELECT dose_key, s.citizen_key, false, person FROM scored AS s JOIN labelled_doses USING (dose_key)
        ) GROUP BY dose_key, citizen_key
        """)
        pairs = find_pairs(connection, specification, seed=1)
        candidates, dose_keys = read_candidates(connection, specification)
    weights = match_weights(model, pairs.registry, candidates.vectors)
    stratum = strata(specification, candidates.vectors, candidates.dose, weights, len(dose_keys))
    return Ground(pairs, candidates, dose_keys, stratum)


def draw(ground: Ground, labels: int, rng: np.random.Generator) -> tuple[Bools, Floats]:
    """Which doses are labelled, and the weights of all of these: each stratum has its share of the labels."""
    chosen, weight = np.zeros(len(ground.dose_keys), dtype=bool), np.ones(len(ground.dose_keys))
    for place, part in zip((*range(len(SHARES) - 1), -1), SHARES, strict=True):
        members = np.flatnonzero(ground.stratum == place)
        if place == -1:
            # doses without a candidate, and those with a caution, are one stratum of the draw
            members = np.flatnonzero((ground.stratum == -1) | (ground.stratum == len(SHARES) - 1))
        drawn = rng.permutation(members)[: min(round(part * labels), len(members) // 2)]
        chosen[drawn] = True
        weight[drawn] = len(members) / max(1, len(drawn))
    return chosen, weight


def trainings(ground: Ground, labels: int, count: int, tolerances: tuple[float, ...]) -> Iterator[dict[str, Any]]:
    """Train ``count`` times; of each and of each tolerance, what was proven and what is true.

    Yields ``tolerance``, ``refused`` (nothing could be proven), ``accepted`` (share of the doses of other persons),
    ``realised`` (false links among these accepts) and ``bound`` (what the labels proved).
    """
    specification = ground.pairs.specification
    names = specification.stratum_names
    for seed in range(count):
        chosen, weight = draw(ground, labels, np.random.default_rng(seed))
        of_pair = chosen[np.searchsorted(ground.dose_keys, ground.pairs.labelled["dose_key"])]
        place = np.searchsorted(ground.dose_keys, ground.pairs.labelled["dose_key"][of_pair])
        labelled = {name: column[of_pair] for name, column in ground.pairs.labelled.items()}
        pairs = replace(
            ground.pairs,
            labelled=labelled | {"weight": weight[place]},
            levels={name: levels[of_pair] for name, levels in ground.pairs.levels.items()},
        )
        candidates = replace(ground.candidates, weight=weight).of(chosen)
        learned = learn(pairs, candidates, ground.dose_keys[chosen], Tolerances(), seed)
        others = ~np.isin(ground.candidates.person, ground.candidates.person[chosen])
        held = ground.candidates.of(others)
        weights = match_weights(learned.model, pairs.registry, held.vectors)
        stratum = strata(specification, held.vectors, held.dose, weights, len(held.weight))
        unseen = outcomes(Scored(held, weights, stratum), names, learned.model.calibration, learned.model.in_registry)
        for tolerance in tolerances:
            yield {"tolerance": tolerance, "seed": seed, **_realised(learned.outcomes, unseen, names, tolerance)}


def _realised(seen: Outcomes, unseen: Outcomes, names: tuple[str, ...], tolerance: float) -> dict[str, Any]:
    found = choose_thresholds(seen, names, CAUTION, max_false_link_rate=tolerance, max_missed_link_rate=0.02)
    threshold = np.array([*(found.thresholds.accept[name] for name in names), 2.0])[unseen.stratum]
    accepted = unseen.probability >= threshold
    accepts, wrong = int(accepted.sum()), int((accepted & ~unseen.right).sum())
    return {
        "refused": "" in found.lacking,
        "accepted": accepts / len(accepted),
        "realised": wrong / max(1, accepts),
        "bound": found.evidence["false_links"]["bound"],
    }


def as_markdown(results: dict[str, Any]) -> str:
    """The results as a table a person reads."""
    lines = [
        f"{results['trainings']} trainings of each kind, each on {results['labels']:,} labelled doses, drawn from",
        f"{results['doses']:,} doses and {results['citizens']:,} citizens (synthetic, seed {results['seed']}).",
        "",
        "| specification | tolerated | unproven | exceeded | 95 % interval | realised, mean | largest | accepted |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for kind, rows in results["kinds"].items():
        for tolerance in results["tolerances"]:
            of_one = [row for row in rows if row["tolerance"] == tolerance]
            proven = [row for row in of_one if not row["refused"]]
            exceeded = share(sum(row["realised"] > tolerance for row in proven), len(of_one))
            realised = [row["realised"] for row in proven] or [0.0]
            accepted = np.mean([row["accepted"] for row in proven]) if proven else 0.0
            lines.append(
                f"| {kind} | 1 in {1 / tolerance:,.0f} | {len(of_one) - len(proven)} of {len(of_one)} |"
                f" {exceeded.count} ({exceeded.value:.1%}) | {exceeded.low:.1%} – {exceeded.high:.1%} |"
                f" {np.mean(realised):.4%} | {max(realised):.4%} | {accepted:.2%} |"
            )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Train many times; print the table, and keep it as ``results.json`` and ``results.md``."""
    parser = argparse.ArgumentParser(prog="python -m evaluation.benchmarks.promise", description=__doc__)
    parser.add_argument("--citizens", type=int, default=100_000)
    parser.add_argument("--doses", type=int, default=200_000)
    parser.add_argument("--labels", type=int, default=20_000)
    parser.add_argument("--trainings", type=int, default=200)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--memory", default="4GB")
    parser.add_argument("--out", type=Path, default=Path("promise"))
    flags = parser.parse_args()
    data = flags.out / "data"
    synthesise(flags.citizens, flags.doses, flags.seed, data, file_format="parquet", force=True)
    ground = lay(data, flags.out, flags.memory)
    without = replace(ground.pairs.specification, cautions=())
    bare = replace(ground, pairs=replace(ground.pairs, specification=without))
    tolerances = (1 / 500, 1 / 1000, 1 / 2500, 1 / 4000)
    results: dict[str, Any] = {
        **{name: getattr(flags, name) for name in ("citizens", "doses", "labels", "trainings", "seed")},
        "tolerances": tolerances,
        "kinds": {},
    }
    for kind, of in (("as shipped", ground), ("without cautions", bare)):
        rows = results["kinds"][kind] = []
        for row in trainings(of, flags.labels, flags.trainings, tolerances):
            rows.append(row)
            if len(rows) % (10 * len(tolerances)) == 0:
                print(f"{kind}: {len(rows) // len(tolerances)} of {flags.trainings}", flush=True)
        (flags.out / "results.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    text = as_markdown(results)
    (flags.out / "results.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
