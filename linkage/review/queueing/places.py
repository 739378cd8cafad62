"""The order of the queue, who reads a case twice, and to whom it is dealt."""

from collections.abc import Mapping, Sequence
from typing import Literal

import duckdb
import pyarrow as pa

from linkage.review.accounts import EVERYWHERE, Account, unit_column

__all__ = ["FORLORN", "ORDERS", "WORTH", "Order", "deal", "place_cases"]

FORLORN = 1e-6
"""The probability that stands for that of a case without candidates, whose pairs were all given up: it comes last."""

WORTH = f"(doses + 1) * coalesce(probability, {FORLORN!r})"
"""What a decision is worth: the doses and passports that it is expected to free.

With P the probability that one of the candidates is the one, an answer frees the n doses of the case and one vaccine
passport with probability P, and nothing else: (n + 1) P. The doses are of one person, so P is not combined over them:
it is that of the dose whose candidates' probabilities have the largest sum.
"""

Order = Literal["worth", "probability", "random"]

ORDERS: Mapping[Order, str] = {
    "worth": "worth DESC, waiting_since NULLS LAST",
    "probability": "probability DESC NULLS LAST, waiting_since NULLS LAST",
    "random": "md5($seed || '/order/' || case_id)",
}
"""By worth, then oldest first; the others are what it is compared with."""

_UNIFORM = "(md5_number_lower($seed || '/{name}/' || case_id) + 0.5) / 18446744073709551616.0"


def place_cases(connection: duckdb.DuckDBPyConnection, order: Order, double: float, seed: int) -> None:
    """Make ``placed`` (case_id, place, readings) of ``cases``.

    Places count from 1; a hidden case has one drawn at random among them. Of the others a share of ``double`` is read
    twice. Both depend on nothing but the id of the case and the seed.
    """
    connection.execute(
        f"""
    CREATE TABLE placed AS
    SELECT case_id, CASE WHEN hidden THEN 1 + floor({_UNIFORM.format(name="hidden")} * count(*) FILTER (NOT hidden)
        OVER ())::BIGINT ELSE row_number() OVER (PARTITION BY hidden ORDER BY {ORDERS[order]}, case_id) END AS place,
      CASE WHEN NOT hidden AND {_UNIFORM.format(name="double")} < $double THEN 2 ELSE 1 END AS readings
    FROM cases
    """,
        {"seed": str(seed), "double": double},
    )


def deal(connection: duckdb.DuckDBPyConnection, accounts: Sequence[Account]) -> None:
    """Make ``dealt`` (case_id, reviewer): every case that a reviewer covers, to one of those, by their capacity.

    Each case goes to the one with the largest -c / ln u, where c is the capacity and u a number in (0, 1) that the case
    and the name give: the shares are proportional to the capacities, and when reviewers come or go, nobody else's
    cases move (weighted rendezvous hashing; Schindelhauer & Schomaker 2005, logarithmic method).
    """
    rows = [
        (one.name, one.capacity, *(("all", "") if unit == EVERYWHERE else unit_column(unit)))
        for one in accounts
        if one.active and one.role == "reviewer"
        for unit in one.units
    ]
    names = ("name", "capacity", "kind", "value")
    columns = dict(zip(names, zip(*rows, strict=True), strict=True)) if rows else dict.fromkeys(names, ())
    kinds = (pa.string(), pa.int64(), pa.string(), pa.string())
    units = pa.table({name: pa.array(columns[name], kind) for name, kind in zip(names, kinds, strict=True)})
    connection.register("units", units)
    covering = " UNION ".join(
        f"SELECT t.place, u.name, u.capacity FROM spots AS t JOIN units AS u ON u.kind = '{column}' AND u.value = {key}"
        for column, key in (
            *((column, f"t.{column}") for column in ("province", "district", "commune", "facility")),
            ("all", "''"),
        )
    )
    connection.execute(f"""
    CREATE TABLE dealt AS
    WITH spots AS (
      SELECT row_number() OVER () AS place, * FROM (SELECT DISTINCT province, district, commune, facility FROM cases)
    ), covering AS ({covering})
    SELECT case_id, arg_max(name, (weight, name)) AS reviewer FROM (
      SELECT case_id, name,
        -capacity / ln((md5_number_lower(case_id || '/' || name) + 0.5) / 18446744073709551616.0) AS weight
      FROM cases AS c
      JOIN spots AS s ON s.province IS NOT DISTINCT FROM c.province AND s.district IS NOT DISTINCT FROM c.district
        AND s.commune IS NOT DISTINCT FROM c.commune AND s.facility IS NOT DISTINCT FROM c.facility
      JOIN covering USING (place)
    ) GROUP BY case_id
    """)
    connection.unregister("units")
