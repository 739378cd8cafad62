"""The page: log-in, my queue, one case at a time, and what supervisors and administrators need."""

from linkage.review.web.app import create_app
from linkage.review.web.serving import serve

__all__ = ["create_app", "serve"]
