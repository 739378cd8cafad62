"""What humans answered in clerical review, for a run that is to respect it."""

import os
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from linkage.cli.flags import Flag
from linkage.cli.stores import text
from linkage.errors import UserError
from linkage.messages import say
from linkage.reports.pages import count
from linkage.review.standing import standing_answers
from linkage.store import open_store

__all__ = ["RESPECTED", "answers_in", "respected"]

RESPECTED = Flag("--store", {"type": text, "metavar": "URL"})


def answers_in(named: str | None) -> pa.Table | None:
    """The answers in the store of ``--store``, else in that of LINKAGE_STORE; None where neither names a store.

    Raises:
        UserError: the store cannot be read, or there is none under ``--store``.
    """
    url = os.environ.get("LINKAGE_STORE") if named is None else named
    if named is None and not url:
        return None
    try:
        store = open_store(url or "", create=False)
    except UserError as error:
        if named is None and error.key == "store.missing":
            # whoever names a store for all commands may score before there is one
            return None
        raise
    with store:
        return standing_answers(store)


def respected(manifest: Mapping[str, Any], language: str) -> str:
    """What a run did with answers."""
    answers = manifest["answers"]
    if answers["known"] is None:
        return say("score.no_store", language)
    found = {
        "known": answers["known"],
        "respected": sum(answers["respected"].values()),
        "contradictions": sum(answers["contradictions"].values()),
    }
    return say("score.answers", language, **{name: count(number, language) for name, number in found.items()})
