"""Parses the command line and writes the help."""
