"""Registers methods, checks, models and data sets by name, and hashes the source of users' own classes."""

from sanity.registry.registry import Registry

__all__ = ["Registry"]
