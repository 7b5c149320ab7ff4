"""Reads tickets and weights that somebody else's code wrote, and writes ours in the forms that others read."""
