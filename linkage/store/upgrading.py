"""The tables of a store brought to the newest version."""

from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, inspect

from linkage.errors import UserError
from linkage.store.schema import VERSION, version_of
from linkage.store.store import begin_writing

__all__ = ["scripts", "upgrade"]


@cache
def scripts() -> ScriptDirectory:
    """The migrations."""
    return ScriptDirectory(str(Path(__file__).with_name("migrations")))


def upgrade(engine: Engine, shown: str, *, create: bool) -> None:
    """Make the tables of an empty database, or what later versions have of those that are there.

    Args:
        engine: of the database.
        shown: its URL as messages show it.
        create: make the tables where there are none.

    Raises:
        UserError: there are none and they are not to be made, they are somebody else's, or of a newer version.
    """
    with begin_writing(engine) as connection:
        found = version_of(connection)
        if found == VERSION:
            return
        known = {script.revision for script in scripts().walk_revisions()}
        if found is not None and found not in known:
            raise UserError("store.newer", store=shown)
        if found is None and not create:
            raise UserError("store.missing", store=shown)
        if found is None and inspect(connection).has_table("entry"):
            raise UserError("store.foreign", store=shown)
        config = Config(attributes={"connection": connection})
        config.set_main_option("script_location", scripts().dir.replace("%", "%%"))
        command.upgrade(config, "head")
