"""Clerical review: the queue of what the machine could not decide, its spreadsheet, its page, and what humans said."""
