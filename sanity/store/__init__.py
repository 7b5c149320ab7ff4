"""Results on disk: records, masks and weights, each under a name that is a hash of what determines it."""

from sanity.store.identity import FORMAT, differing, identity
from sanity.store.packed import PACKED
from sanity.store.records import Store, has_ended, load_records, pack, rows

__all__ = ["FORMAT", "PACKED", "Store", "differing", "has_ended", "identity", "load_records", "pack", "rows"]
