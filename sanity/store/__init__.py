"""Stores records, masks and weights on disk, each under a hash of all that determines it."""

from sanity.store.identity import FORMAT, differing, identity
from sanity.store.packed import PACKED
from sanity.store.records import has_ended, load_records, pack, rows
from sanity.store.store import Store

__all__ = ["FORMAT", "PACKED", "Store", "differing", "has_ended", "identity", "load_records", "pack", "rows"]
