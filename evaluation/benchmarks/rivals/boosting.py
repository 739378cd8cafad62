"""Gradient boosting from scikit-learn on the same pairs: our levels and bits, raw similarities, and the dose's others.

It learns from every candidate pair of the labelled doses that also gave our m and u, weighted as labels are; its log
odds in bits are its match weights. The grid is searched by cross-validation that keeps a person on one side.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import log_loss
from sklearn.model_selection import GroupKFold, ParameterGrid

from evaluation.benchmarks.rivals.ground import Ground

GRID = {
    "max_iter": [100, 300],
    "learning_rate": [0.05],
    "max_leaf_nodes": [15],
    "min_samples_leaf": [5, 20],
    "l2_regularization": [1.0],
    "monotonic_cst": [False, True],
}
MONOTONIC = ("match_weight", "bits_", "winkler_", "edits_", "over_best_other_")
"""Features, by how their names begin, of which more never speaks against a pair where ``monotonic_cst`` is True."""

FOLDS = 3
DOSES_AT_ONCE = 50_000

EDIT = ("name_ascii", "given_ascii", "surname_ascii", "middle_ascii", "id", "born", "phone", "insurance_no", "address")
EQUAL = (
    *("name", "given", "surname", "middle", "born_year", "born_month_day", "id", "sex", "province", "district"),
    *("commune", "phone", "insurance_no"),
)
KINDS = {"id_kind": ("cccd", "cmnd", "passport", "other"), "born_precision": ("year", "month", "day")}
ID_PARTS = {"first_three": ":3", "first_six": ":6", "first_nine": ":9", "last_six": "-6:"}
AGAINST_OTHERS = ("match_weight", "winkler_name_ascii", "edits_id", "edits_born", "winkler_address")
"""Features that are also given as the difference to the best other candidate of the dose; edits count downwards."""

RAW = {
    **{f"edits_{c}": f"-levenshtein(l.{c}, r.{c})" for c in EDIT},
    **{f"winkler_{c}": f"jaro_winkler_similarity(l.{c}, r.{c})" for c in ("name", *EDIT)},
    **{f"equal_{c}": f"(l.{c} = r.{c})::TINYINT" for c in EQUAL},
    **{f"kind_{c}": f"list_position({list(kinds)}, l.{c})" for c, kinds in KINDS.items()},
    "kind_born_precision_r": f"list_position({list(KINDS['born_precision'])}, r.born_precision)",
    "days_apart": "abs(date_diff('day', try_cast(l.born AS DATE), try_cast(r.born AS DATE)))",
    "years_apart": "abs(l.born_year - r.born_year)",
    "age": "2022 - r.born_year",
    "swapped": "(l.born_swapped = r.born)::TINYINT",
    "former": "(list_contains(r.former_ids, l.id) OR list_contains(l.former_ids, r.id))::TINYINT",
    "former_known": "len(r.former_ids)",
    "id_year_of_registry": "(l.id_birth_year = r.born_year)::TINYINT",
    "id_sex_of_registry": "(l.id_sex = r.sex)::TINYINT",
    "id_year_of_dose": "(l.id_birth_year = l.born_year)::TINYINT",
    "id_sex_of_dose": "(l.id_sex = l.sex)::TINYINT",
    **{f"same_id_{part}": f"(l.id[{cut}] = r.id[{cut}])::TINYINT" for part, cut in ID_PARTS.items()},
    "words_of_name": "length(string_split(l.name_ascii, ' ')) - length(string_split(r.name_ascii, ' '))",
    "plain_letters": "(l.name = l.name_ascii)::TINYINT",
    "names_of_id": "u.names",
    "doses_of_id": "u.doses",
    "citizens_of_phone": "h.citizens",
    "citizens_of_name": "n.citizens",
}


def weigh(ground: Ground) -> dict[str, Any]:
    """Make ``gradient_boosting_weights``; returns what it looked at and what the grid gave as plain data."""
    connection = ground.connection
    statement, features = _statement(ground)
    connection.execute(
        "CREATE TABLE id_use AS SELECT id, count(DISTINCT name_ascii) AS names, count(*) AS doses"
        " FROM doses_standardised WHERE id IS NOT NULL GROUP BY id"
    )
    for column in ("phone", "name_ascii"):
        connection.execute(
            f"CREATE TABLE {column}_use AS SELECT {column}, count(*) AS citizens FROM citizens_standardised"
            f" WHERE {column} IS NOT NULL GROUP BY {column}"
        )
    connection.execute(
        "CREATE TABLE taught AS SELECT dose_key, person, max(weight) AS weight FROM labelled WHERE NOT apart"
        " GROUP BY dose_key, person"
    )
    rows = connection.execute(
        "SELECT f.*, t.weight, t.person, coalesce(labelled.is_match, false) AS is_match"
        f" FROM ({statement} WHERE p.dose_key IN (SELECT dose_key FROM taught)) AS f"
        " JOIN taught AS t USING (dose_key) LEFT JOIN labelled USING (dose_key, citizen_key)"
        " ORDER BY dose_key, citizen_key"
    ).fetchnumpy()
    table, matches = _table(rows, features), np.asarray(rows["is_match"], dtype=bool)
    weight = np.asarray(rows["weight"], dtype=float)
    weight /= weight.mean()
    names = [*features, *(f"over_best_other_{name}" for name in AGAINST_OTHERS), "candidates", "rank"]
    monotonic = [int(name.startswith(MONOTONIC)) for name in names]

    def classifier(settings: Mapping[str, Any]) -> HistGradientBoostingClassifier:
        constraints = monotonic if settings["monotonic_cst"] else None
        constrained = {**settings, "monotonic_cst": constraints, "random_state": ground.job.seed}
        return HistGradientBoostingClassifier(**constrained, early_stopping=False)

    losses = _search(classifier, table, matches, weight, np.asarray(rows["person"], dtype=str))
    chosen, _ = min(losses, key=lambda found: found[1])
    taught = classifier(chosen).fit(table, matches, sample_weight=weight)
    _write(ground, taught, statement, features)
    return {"features": names, "rows": len(table), "chosen": chosen, "losses": losses}


def _statement(ground: Ground) -> tuple[str, list[str]]:
    """A SELECT of the features of pairs ``p``, without ORDER and WHERE, and their names."""
    specification = ground.model.specification
    ours = ["rule", "match_weight"]
    ours += [f"{kind}_{c.name}" for c in specification.comparisons for kind in ("level", "bits")]
    selected = [f"p.{name}" for name in ours]
    selected += [f"log2(c.frequency_{column}) AS log_frequency_{column}" for column in specification.frequency_columns]
    selected += [f"{sql} AS {name}" for name, sql in RAW.items()]
    features = [*ours, *(f"log_frequency_{column}" for column in specification.frequency_columns), *RAW]
    return (
        f"SELECT p.dose_key, p.citizen_key, {', '.join(selected)} FROM pairs AS p"
        " JOIN doses_standardised AS l ON l.key = p.dose_key"
        " JOIN citizens_standardised AS r ON r.key = p.citizen_key"
        " JOIN citizens_compared AS c ON c.key = p.citizen_key"
        " LEFT JOIN id_use AS u ON u.id = l.id LEFT JOIN phone_use AS h ON h.phone = l.phone"
        " LEFT JOIN name_ascii_use AS n ON n.name_ascii = l.name_ascii"
    ), features


def _table(rows: dict[str, Any], features: list[str]) -> NDArray[np.float32]:
    """The features of pairs sorted by dose, with NaN where unknown: shape (pairs, features)."""
    columns = [_floats(rows[name]) for name in features]
    dose = np.asarray(rows["dose_key"])
    start = np.flatnonzero(np.append(True, dose[1:] != dose[:-1])) if len(dose) else np.empty(0, dtype=int)
    which = np.repeat(np.arange(len(start)), np.diff(np.append(start, len(dose))))
    for name in AGAINST_OTHERS:
        columns.append(over_best_other(columns[features.index(name)], start, which))
    columns.append(np.bincount(which)[which].astype(np.float32))
    order = np.lexsort((-columns[features.index("match_weight")], which))
    rank = np.empty(len(dose), dtype=np.float32)
    rank[order] = np.arange(len(dose)) - start[which[order]]
    return np.column_stack([*columns, rank])


def _floats(column: NDArray[np.generic]) -> NDArray[np.float32]:
    floats: NDArray[np.float32] = np.ma.filled(np.ma.asarray(column, dtype=np.float32), np.nan)
    return floats


def over_best_other(
    values: NDArray[np.float32], start: NDArray[np.int64], which: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Value less the largest of the dose's other candidates; NaN where one is unknown or there is no other."""
    known = np.where(np.isnan(values), -np.inf, values)
    best = np.maximum.reduceat(known, start)
    is_best = known == best[which]
    alone = np.bincount(which, is_best)[which] == 1
    second = np.maximum.reduceat(np.where(is_best, -np.inf, known), start)
    other = np.where(is_best & alone, second[which], best[which])
    return np.where(np.isfinite(other), values - np.where(np.isfinite(other), other, 0), np.nan).astype(np.float32)


def _search(
    classifier: Callable[[Mapping[str, Any]], HistGradientBoostingClassifier],
    table: NDArray[np.float32],
    matches: NDArray[np.bool_],
    weight: NDArray[np.float64],
    persons: NDArray[np.str_],
) -> list[tuple[dict[str, Any], float]]:
    """Each setting of the grid with its weighted log loss on persons left out."""
    losses = []
    for settings in ParameterGrid(GRID):
        total = 0.0
        for train, test in GroupKFold(FOLDS).split(table, groups=persons):
            taught = classifier(settings).fit(table[train], matches[train], sample_weight=weight[train])
            guess = taught.predict_proba(table[test])[:, 1]
            total += log_loss(matches[test], guess, sample_weight=weight[test], normalize=False, labels=[False, True])
        losses.append((settings, float(total / weight.sum())))
    return losses


def _write(ground: Ground, classifier: HistGradientBoostingClassifier, statement: str, features: list[str]) -> None:
    connection = ground.connection
    connection.execute(
        "CREATE TABLE gradient_boosting_weights (dose_key BIGINT, citizen_key BIGINT, match_weight DOUBLE)"
    )
    [(end,)] = connection.execute("SELECT max(dose_key) + 1 FROM pairs").fetchall()
    for first in range(0, end, DOSES_AT_ONCE):
        rows = connection.execute(
            f"{statement} WHERE p.dose_key BETWEEN $first AND $last ORDER BY p.dose_key, p.citizen_key",
            {"first": first, "last": first + DOSES_AT_ONCE - 1},
        ).fetchnumpy()
        if len(rows["dose_key"]):
            bits = classifier.decision_function(_table(rows, features)) / np.log(2)
            scored = {"dose_key": rows["dose_key"], "citizen_key": rows["citizen_key"], "match_weight": bits}
            connection.register("scored_rows", scored)
            connection.execute("INSERT INTO gradient_boosting_weights FROM scored_rows")
            connection.unregister("scored_rows")
