"""Plain Splink 5: what an analyst sets up in an afternoon, with Splink's own comparison and level library.

The standardised columns are ours, and so are the pairs. m comes from the labelled matches, repeated by their sampling
weight (Splink takes labels as equal), u from random pairs, or 1 / citizens where no random pair could show the level;
term frequencies are those of the registry, the prior is 1 / citizens.
"""

from typing import Any

import numpy as np
import splink.comparison_level_library as cll
import splink.comparison_library as cl
from splink import DuckDBAPI, Linker, SettingsCreator, block_on

from evaluation.benchmarks.rivals.ground import Ground, Weighed

COLUMNS = (
    *("name", "name_ascii", "born", "id", "sex", "province", "district", "commune", "phone", "insurance_no"),
    *("address", "list_distinct(list_prepend(id, former_ids)) AS all_ids"),
)
TERM_FREQUENCIES = ("name", "name_ascii", "born", "id", "commune", "district", "phone", "insurance_no")
RANDOM_PAIRS = 1e7
REPEATED_AT_MOST = 200
DOSES, CITIZENS = "a_doses", "b_citizens"
"""Of two datasets Splink puts the one whose name sorts first on the left."""


def weigh(ground: Ground) -> Weighed:
    """Make ``plain_splink_weights``."""
    connection = ground.connection
    for name, source in ((DOSES, "doses_standardised"), (CITIZENS, "citizens_standardised")):
        connection.execute(f"CREATE TABLE {name} AS SELECT key AS unique_id, {', '.join(COLUMNS)} FROM {source}")
    for column in TERM_FREQUENCIES:
        connection.execute(
            f"CREATE TABLE {column}_frequencies AS SELECT {column}, count(*) / {ground.citizens} AS tf_{column}"
            f" FROM {CITIZENS} WHERE {column} IS NOT NULL GROUP BY {column}"
        )
    untaught, _ = _linker(ground, _settings(ground.citizens))
    untaught.training.estimate_u_using_random_sampling(max_pairs=RANDOM_PAIRS, seed=ground.job.seed)
    settings = untaught.misc.save_model_to_json()
    model = _predict(ground, settings, taught="true", pairs="true", target="plain_splink_weights")
    apart = []
    for fold in np.unique(ground.fold).tolist():
        inside = f"dose_key IN (SELECT dose_key FROM labelled_doses WHERE fold = {fold})"
        _predict(ground, settings, taught=f"fold <> {fold}", pairs=inside, target=f"plain_splink_{fold}")
        apart.append(f"FROM plain_splink_{fold}")
    rows = connection.execute(f"{' UNION ALL '.join(apart)} ORDER BY dose_key, citizen_key").fetchnumpy()
    return Weighed(np.asarray(rows["match_weight"], dtype=float), {"model": model})


def _linker(ground: Ground, settings: SettingsCreator | dict[str, Any]) -> tuple[Linker, DuckDBAPI]:
    """A linker over the standardised records, with the registry's term frequencies."""
    # its own API object: two linkers on one share caches
    api = DuckDBAPI(connection=ground.connection)
    linker = Linker(
        [api.register(name, dataset_display_name=name) for name in (DOSES, CITIZENS)], settings, log_level=None
    )
    for column in TERM_FREQUENCIES:
        lookup = api.register(f"{column}_frequencies", dataset_display_name=f"{column}_frequencies")
        linker.table_management.register_term_frequency_lookup(lookup, column)
    return linker, api


def _predict(ground: Ground, settings: dict[str, Any], *, taught: str, pairs: str, target: str) -> dict[str, Any]:
    """Learn m from the labelled matches for which a condition holds, score pairs into a table; returns the model."""
    connection = ground.connection
    connection.execute(f"""
    CREATE OR REPLACE TABLE labelled_matches AS
    SELECT '{DOSES}' AS source_dataset_l, dose_key AS unique_id_l,
      '{CITIZENS}' AS source_dataset_r, citizen_key AS unique_id_r,
      unnest(range(least({REPEATED_AT_MOST}, round(weight / (SELECT min(weight) FROM labelled)))::BIGINT)) AS times
    FROM labelled WHERE is_match AND {taught}
    """)
    connection.execute(f"""
    CREATE OR REPLACE TABLE blocked AS SELECT '0' AS match_key, '{DOSES}-__-' || dose_key AS join_key_l,
      '{CITIZENS}-__-' || citizen_key AS join_key_r FROM pairs WHERE {pairs}
    """)
    linker, api = _linker(ground, settings)
    labels = api.register("labelled_matches", dataset_display_name="labelled_matches")
    linker.training.estimate_m_from_pairwise_labels(labels)  # type: ignore[no-untyped-call]
    linker.table_management.register_blocked_pairs_for_predict(api.register("blocked", dataset_display_name="blocked"))
    predicted = linker.inference.predict(warning_mode="never")
    connection.execute(
        f"CREATE TABLE {target} AS SELECT unique_id_l AS dose_key, unique_id_r AS citizen_key, match_weight"
        f" FROM {predicted.physical_name}"
    )
    connection.execute(f"DROP TABLE {predicted.physical_name}")
    model: dict[str, Any] = linker.misc.save_model_to_json()
    return model


def _settings(citizens: int) -> SettingsCreator:
    rare: dict[str, Any] = {"u_probability": 1 / citizens, "fix_u_probability": True}
    name = cl.CustomComparison(
        output_column_name="name",
        comparison_levels=[
            cll.NullLevel("name_ascii"),
            cll.ExactMatchLevel("name", term_frequency_adjustments=True),
            cll.ExactMatchLevel("name_ascii", term_frequency_adjustments=True),
            *(cll.JaroWinklerLevel("name_ascii", threshold) for threshold in (0.96, 0.92, 0.88, 0.7)),
            cll.ElseLevel(),
        ],
    )
    number = cl.CustomComparison(
        output_column_name="id",
        comparison_levels=[
            cll.NullLevel("id"),
            cll.ExactMatchLevel("id", term_frequency_adjustments=True).configure(**rare),
            cll.ArrayIntersectLevel("all_ids").configure(**rare),
            cll.LevenshteinLevel("id", 1).configure(**rare),
            cll.LevenshteinLevel("id", 2).configure(**rare),
            cll.ElseLevel(),
        ],
    )
    place = cl.CustomComparison(
        output_column_name="place",
        comparison_levels=[
            cll.NullLevel("province"),
            cll.ExactMatchLevel("commune", term_frequency_adjustments=True),
            cll.ExactMatchLevel("district", term_frequency_adjustments=True),
            cll.ExactMatchLevel("province"),
            cll.ElseLevel(),
        ],
    )
    return SettingsCreator(
        link_type="link_only",
        probability_two_random_records_match=1 / citizens,
        blocking_rules_to_generate_predictions=[block_on("unique_id")],  # never used: the pairs are registered
        comparisons=[
            name,
            cl.DateOfBirthComparison("born", input_is_string=True, invalid_dates_as_null=False),
            number,
            cl.ExactMatch("sex"),
            place,
            *(_rare_match(column, rare) for column in ("phone", "insurance_no")),
            cl.JaroWinklerAtThresholds("address", [0.95, 0.8]),
        ],
        retain_matching_columns=False,
        retain_intermediate_calculation_columns=False,
    )


def _rare_match(column: str, rare: dict[str, Any]) -> cl.CustomComparison:
    return cl.CustomComparison(
        output_column_name=column,
        comparison_levels=[
            cll.NullLevel(column),
            cll.ExactMatchLevel(column, term_frequency_adjustments=True).configure(**rare),
            cll.ElseLevel(),
        ],
    )
