"""Names and text inside SQL, quoted in one place."""


def quoted(identifier: str) -> str:
    """The name of a table or column as SQL writes it."""
    return '"' + identifier.replace('"', '""') + '"'


def text_literal(text: str) -> str:
    """A text as SQL writes it, for the few places that take no parameter."""
    return "'" + text.replace("'", "''") + "'"
