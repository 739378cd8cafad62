"""The operational database: what humans and machines decided about persons, append-only, chained by hash."""

from linkage.store.opening import open_store
from linkage.store.reading import Reader
from linkage.store.records import Bond, Change, Draft, Entry, Event, Head, Kind, Place, Said, Standing, native_id, stamp
from linkage.store.store import Store
from linkage.store.verifying import Problem
from linkage.store.writing import Writer

__all__ = [
    "Bond",
    "Change",
    "Draft",
    "Entry",
    "Event",
    "Head",
    "Kind",
    "Place",
    "Problem",
    "Reader",
    "Said",
    "Standing",
    "Store",
    "Writer",
    "native_id",
    "open_store",
    "stamp",
]
