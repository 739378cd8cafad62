"""The engine's distances work on bytes: on folded names, where a byte is a letter, they are those of the reference."""

import duckdb
import jellyfish
from hypothesis import given
from hypothesis import strategies as st

from linkage.vietnamese import fold

NAMES = st.lists(
    st.sampled_from(["nguyễn", "trần", "thị", "văn", "hưng", "hương", "đức", "lê", "ơ", "y", "h'hen"]),
    min_size=1,
    max_size=4,
)
TYPED = st.one_of(NAMES.map(" ".join), st.text(alphabet="nguyễđhtư ", max_size=12))


@given(TYPED, TYPED)
def test_distances_of_folded_names_are_those_of_characters(left: str, right: str) -> None:
    one, other = fold(left), fold(right)
    [distances] = duckdb.execute(
        "SELECT levenshtein($one, $other), damerau_levenshtein($one, $other)", {"one": one, "other": other}
    ).fetchall()
    assert distances == (
        jellyfish.levenshtein_distance(one, other),
        jellyfish.damerau_levenshtein_distance(one, other),
    )
