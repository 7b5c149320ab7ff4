"""The command line: what the words ask for, and the help."""
