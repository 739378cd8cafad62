"""Every sentence a user reads, in Vietnamese and English.

One TOML file per room: a table per message, with the keys ``en`` and ``vi``; ``{name}`` stands for a fact.
"""

import tomllib
from functools import cache
from importlib.resources import files

LANGUAGES = ("en", "vi")


@cache
def catalogue() -> dict[str, dict[str, str]]:
    """All messages: key → language → text."""
    entries: dict[str, dict[str, str]] = {}
    for file in sorted(files(__name__).iterdir(), key=lambda path: path.name):
        if file.name.endswith(".toml"):
            entries.update(tomllib.loads(file.read_text(encoding="utf-8")))
    return entries


def say(key: str, language: str, **facts: object) -> str:
    """The text of a message in one language, with its facts filled in.

    Raises:
        KeyError: there is no such message.
    """
    return catalogue()[key][language].format(**facts)


def word(key: str, language: str) -> str:
    """The text of a message without facts; of a name that has none, the last part of its key, in words.

    A specification of one's own has comparisons, levels, cautions and strata that no message knows.
    """
    texts = catalogue().get(key)
    return texts[language] if texts else key.rpartition(".")[2].replace("_", " ")
