"""The grid: its cells, what names their results, the tasks that they need, and the runner of those."""
