"""The console of every command: legible output, and files that would hide the suite."""
