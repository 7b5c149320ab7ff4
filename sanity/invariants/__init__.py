"""Proofs that anyone can run on a method or a check of their own, and that run on all registered ones by themselves.

    pytest --pyargs sanity.invariants --method package.module:Class --check package.module:Class

Without either option, every registered method and check is proven, those of installed packages included, and the
laws of the built-in ones besides.
"""
