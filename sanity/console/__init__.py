"""Prints legibly on any console, and refuses files that would hide the suite's packages."""
