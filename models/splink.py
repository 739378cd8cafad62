"""The same Fellegi–Sunter model as a Splink 5 settings object: the specification others can read, and the oracle."""

from typing import Any

from models.model import Model, Registry
from models.specification import BlockingRule, Comparison


def to_splink(model: Model, registry: Registry) -> dict[str, Any]:
    """Settings that Splink loads and that give the same match weights, calibration aside.

    The left input holds dose records, the right one citizens; both have the columns of
    ``Specification.compared_columns`` and of the blocking rules, ``unique_id``, and the citizens' frequencies are
    registered for every column of ``Specification.frequency_columns``.

    Args:
        model: the trained model.
        registry: what it is run against: the prior, u of unique levels and interactions follow from it.
    """
    probability = model.in_registry / registry.citizens
    return {
        "link_type": "link_only",
        "unique_id_column_name": "unique_id",
        "probability_two_random_records_match": probability,
        "blocking_rules_to_generate_predictions": [_blocking(rule) for rule in model.specification.blocking],
        "comparisons": [_comparison(model, comparison, registry) for comparison in model.specification.comparisons],
        "retain_intermediate_calculation_columns": False,
        "retain_matching_columns": False,
    }


def _blocking(rule: BlockingRule) -> dict[str, Any]:
    data: dict[str, Any] = {
        "blocking_rule": " AND ".join(f"l.{column} = r.{column}" for column in rule.on),
        "sql_dialect": "duckdb",
    }
    if rule.any_of:
        data["arrays_to_explode"] = list(rule.on)
    return data


def _comparison(model: Model, comparison: Comparison, registry: Registry) -> dict[str, Any]:
    levels: list[dict[str, Any]] = [
        {
            "sql_condition": model.specification.inlined(comparison.missing),
            "label_for_charts": "missing",
            "is_null_level": True,
        }
    ]
    for level in comparison.levels:
        m, u = model.m_u(comparison, level, registry)
        data: dict[str, Any] = {
            "sql_condition": "ELSE" if level.when is None else model.specification.inlined(level.when),
            "label_for_charts": level.name,
            "m_probability": m,
            "u_probability": u,
        }
        if level.frequency:
            data["tf_adjustment_column"] = level.frequency
            data["tf_adjustment_weight"] = 1.0
            data["disable_tf_exact_match_detection"] = True
        levels.append(data)
    return {"output_column_name": comparison.name, "comparison_levels": levels}
