"""How two entries of injections stand to each other, if they are of one person; as SQL.

They fit, that is, may be of one injection, when
- both days are known and no farther apart than ``same_injection_days`` of their vaccine (vaccines.toml). That is always
  less than the least interval between two doses: a real next dose never fits, whatever else agrees;
- the vaccines are equal, or one is blank (then the other tells the window; with none known they fit on one day only);
- the lots are equal, or one is blank;
- the facilities differ; or the day is the same: a form sent twice; or both state the same number: who types a late list
  again may get the date wrong, but a facility that gives the next dose gives it the next number, and without numbers
  nothing tells the two apart. A blank facility may be the same one;
- the numbers stated do not differ. One exception: a facility that does not see the earlier doses begins to count anew.
  Different numbers are passed over where everything else is stated and agrees: on the same day, at different
  facilities, with the same vaccine and lot. Nobody gets two doses of one lot at two places on one day.

They are too close when two doses of one person may not be so near: by ``least_days`` within a vaccine, by that of the
earlier to another vaccine of the same disease; of vaccines against different diseases nothing is said.
"""

from linkage.persons.vaccines import read_vaccines
from linkage.tables.sql import text_literal

__all__ = ["pair_columns", "reach", "rules"]


def rules() -> str:
    """A relation of what vaccines.toml says: code, disease, same_days, least_days, least_other."""
    rows = ", ".join(
        f"({text_literal(each.code)}, {text_literal(each.disease)}, {each.same_injection_days}, {each.least_days},"
        f" {each.least_days_to_other})"
        for each in read_vaccines().known.values()
    )
    return f"(SELECT * FROM (VALUES {rows}) AS of_vaccines(code, disease, same_days, least_days, least_other))"


def reach(rule: str) -> str:
    """Days within which an entry, whose vaccine has the given rule, must be compared with others of its person."""
    unknown = read_vaccines().unknown_least_days
    return f"coalesce(greatest({rule}.least_days, {rule}.least_other), {unknown}) - 1"


def pair_columns() -> str:
    """Columns of a pair of entries ``l`` and ``r``, rows of ``injections``; ``lr`` and ``rr`` are their rules or NULL.

    days (apart; NULL when a day is not known), fits, too_close, same_number_apart (the same number on days that one
    injection cannot explain), numbers_against_days (the later day has the lower number): BOOLEAN, never NULL;
    evidence: code words for two entries that fit.
    """
    vaccines = read_vaccines()
    unknown_same, unknown_least = vaccines.unknown_same_injection_days, vaccines.unknown_least_days
    return f"""
    abs(l.day - r.day) AS days,
    coalesce(CASE WHEN l.vaccine = r.vaccine THEN coalesce(lr.same_days, {unknown_same})
                  WHEN l.vaccine IS NULL THEN coalesce(rr.same_days, {unknown_same})
                  WHEN r.vaccine IS NULL THEN coalesce(lr.same_days, {unknown_same}) END, -1) AS same_within,
    CASE WHEN l.vaccine IS NOT DISTINCT FROM r.vaccine THEN coalesce(lr.least_days, {unknown_least})
         WHEN lr.disease = rr.disease THEN if(l.day <= r.day, lr.least_other, rr.least_other)
         WHEN l.vaccine IS NULL THEN least(rr.least_days, rr.least_other)
         WHEN r.vaccine IS NULL THEN least(lr.least_days, lr.least_other) END AS least_apart,
    coalesce(l.vaccine = r.vaccine OR lr.disease = rr.disease, l.vaccine IS NULL OR r.vaccine IS NULL) AS one_series,
    coalesce(l.dose_number = r.dose_number, l.booster_number = r.booster_number, false) AS numbers_equal,
    coalesce(l.dose_number <> r.dose_number, l.booster_number <> r.booster_number,
             (l.dose_number = 1 AND r.booster_number > 0) OR (r.dose_number = 1 AND l.booster_number > 0), false)
      AS numbers_differ,
    coalesce(l.facility <> r.facility, false) AS other_facility,
    coalesce(days <= same_within, false)
      AND coalesce(l.lot = r.lot, true)
      AND (other_facility OR days = 0 OR numbers_equal)
      AND (NOT numbers_differ
           OR coalesce(days = 0 AND other_facility AND l.vaccine = r.vaccine AND l.lot = r.lot, false)) AS fits,
    coalesce(days < least_apart, false) AS too_close,
    numbers_equal AND one_series AND coalesce(days > greatest(same_within, 0), false) AS same_number_apart,
    one_series AND coalesce((l.day - r.day) * (l.dose_number - r.dose_number) < 0, false)
      AND coalesce(days > same_within, false) AS numbers_against_days,
    concat_ws(';',
      if(days = 0, 'same_day', 'days_apart:' || days),
      CASE WHEN other_facility THEN 'other_facility' WHEN l.facility = r.facility THEN 'same_facility'
           ELSE 'facility_blank' END,
      if(l.vaccine = r.vaccine, 'same_vaccine', 'vaccine_blank'),
      if(l.lot = r.lot, 'same_lot', 'lot_blank'),
      CASE WHEN numbers_equal THEN 'same_number' WHEN numbers_differ THEN 'numbers_differ' ELSE 'number_unknown' END)
      AS evidence"""
