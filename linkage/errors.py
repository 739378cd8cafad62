"""The one error a user can mend."""

from linkage.messages import say


class UserError(Exception):
    """Something the user can mend: the command prints one message and exits with 2.

    Args:
        key: the entry of ``linkage/messages/*.toml`` that says what was found, what was expected and what to do.
        facts: the names in that text: file, column, row, flag.
    """

    def __init__(self, key: str, **facts: object) -> None:
        self.key = key
        self.facts = facts
        super().__init__(key, facts)

    def __str__(self) -> str:
        return self.in_language("en")

    def in_language(self, language: str) -> str:
        """The message in ``en`` or ``vi``."""
        return say(self.key, language, **self.facts)
