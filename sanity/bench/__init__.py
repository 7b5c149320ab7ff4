"""Measures our training loop beside a plain one, and the search for a mask beside its bare passes."""
