"""Health-insurance numbers."""

import re

from linkage.vietnamese.digits import is_placeholder, spreadsheet_text

_SEPARATORS = re.compile(r"[\s._-]+")
_CARD = re.compile("(?:[A-Z]{2}[0-9]{3})?([0-9]{10})")


def parse_insurance_number(text: str) -> str | None:
    """The ten digits of the holder: the last ten of a card's fifteen characters, or ten digits alone."""
    match = _CARD.fullmatch(_SEPARATORS.sub("", spreadsheet_text(text)).upper())
    return match[1] if match and not is_placeholder(match[1]) else None
