"""Seconds and memory of whole jobs, and of the linker beside plain Splink 5 on the same records and rules."""
