"""The engine of the suite: it finds tickets, perturbs them, trains them and records what came of it."""

__version__ = "0.1.0"
