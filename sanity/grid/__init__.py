"""Defines the cells of a grid, names their results, splits cells into tasks and runs the tasks."""
