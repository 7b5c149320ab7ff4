"""Audits a ticket from a file before any training: counts, dead parts, paths, likeness to known methods."""
