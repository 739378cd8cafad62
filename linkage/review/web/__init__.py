"""The page: log-in, my queue, one case at a time, and what supervisors and administrators need."""
