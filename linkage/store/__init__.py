"""The operational database: what humans and machines decided about persons, append-only, chained by hash."""
