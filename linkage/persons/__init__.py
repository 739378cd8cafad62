"""One human being: grouping, golden record, stable ids, merge, unmerge, history."""
