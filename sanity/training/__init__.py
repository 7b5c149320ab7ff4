"""Trains networks: the loop, one step of it, several networks side by side, checkpoints."""
