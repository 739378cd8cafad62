"""Nationality, as far as the registry of citizens asks."""

import re

from linkage.vietnamese.text import fold

_VIETNAMESE = re.compile("(?:.* )?viet ?nam.*|viet|vn|vnm|vie|kinh|khong.*|chua.*|")


def is_foreign(text: str) -> bool:
    """Whether a nationality as typed names another country than Viet Nam; codes in digits name none."""
    return _VIETNAMESE.fullmatch(fold(text)) is None
