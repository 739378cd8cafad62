"""Who else has the phone of a record."""

import duckdb

__all__ = ["find_relatives"]

SHARED = 8
"""A phone of more subjects is nobody's: of a station, or of whoever entered the doses."""

SHOWN = 5

PHONE = r"nullif(regexp_extract(regexp_replace({}, '[^0-9]', '', 'g'), '[0-9]{{9}}$'), '')"
"""The last nine digits: 0912…, +84 912… and 912… are one phone."""


def find_relatives(connection: duckdb.DuckDBPyConnection) -> None:
    """Make ``relatives``: subject, and ``household``, a list of at most ``SHOWN`` others with a phone of its doses.

    An item has the fields of :class:`linkage.review.cases.Relative`: of the other subject's first dose by id with that
    phone, and the citizen that any of its doses was accepted to. Those with a citizen come first, then by subject.
    """
    phone = PHONE.format("phone")
    connection.execute(f"""
    CREATE TABLE phones AS
    SELECT {phone} AS number, keyed.subject, min(dose_id) AS dose_id
    FROM doses JOIN keyed USING (dose_id)
    WHERE {phone} IN (SELECT {phone} FROM case_doses)
    GROUP BY ALL
    """)
    connection.execute(f"""
    CREATE TABLE relatives AS
    WITH private AS (
      FROM phones WHERE number IN (SELECT number FROM phones GROUP BY number HAVING count(*) <= {SHARED})
    ), others AS (
      SELECT a.subject, o.subject AS other, min(o.dose_id) AS dose_id
      FROM private AS a SEMI JOIN asked USING (subject)
      JOIN private AS o ON o.number = a.number AND o.subject <> a.subject GROUP BY ALL
    ), accepted AS (
      SELECT subject, arg_min(citizen_id, dose_id) AS citizen_id FROM keyed JOIN decisions USING (dose_id)
      WHERE keyed.decision = 'accept' AND subject IN (SELECT other FROM others) GROUP BY subject
    ), ordered AS (
      SELECT o.*, c.citizen_id, row_number() OVER (PARTITION BY o.subject ORDER BY c.citizen_id IS NULL, other) AS place
      FROM others AS o LEFT JOIN accepted AS c ON c.subject = o.other
    )
    SELECT o.subject, list({{
        'why': 'phone', 'full_name': d.full_name, 'date_of_birth': d.date_of_birth, 'sex': d.sex,
        'citizen_id': o.citizen_id
      }} ORDER BY o.place) AS household
    FROM ordered AS o JOIN doses AS d USING (dose_id) WHERE o.place <= {SHOWN} GROUP BY o.subject
    """)
