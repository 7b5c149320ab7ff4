"""Runs plain functions of other repositories as pruning methods."""
