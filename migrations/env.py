"""Alembic's environment: one connection, one transaction, one lock, whichever way it is started."""

from __future__ import annotations

import sys
from typing import Any

from alembic import context
from alembic.util import CommandError

from mismartera_analytics.config import settings
from mismartera_analytics.errors import MismarteraError
from mismartera_analytics.models import database, load_mappings, revisions
from mismartera_analytics.models.migration_lock import migrating
from mismartera_analytics.models.types import SecretText, UTCDateTime

load_mappings()


def is_ours(name: str | None, kind: str, _parents: Any) -> bool:
    """Leave tables alone that our mappings do not know."""
    return kind != "table" or name in database.Base.metadata.tables


def render(kind: str, item: Any, _autogenerate: Any) -> str | bool:
    """Write plain column types into new revisions, which must not depend on ours."""
    if kind == "type" and isinstance(item, UTCDateTime):
        return "sa.DateTime(timezone=True)"
    if kind == "type" and isinstance(item, SecretText):
        return f"sa.String({item.impl.length})"
    return False


OPTIONS: dict[str, Any] = {
    "target_metadata": database.Base.metadata,
    "compare_type": True,
    "compare_server_default": True,
    "include_name": is_ours,
    "render_item": render,
    "render_as_batch": True,
    "transactional_ddl": True,
}


def run_offline() -> None:
    """Write SQL instead of running it (``alembic upgrade head --sql``)."""
    context.configure(url=settings().database_url, literal_binds=True, **OPTIONS)
    with context.begin_transaction():
        context.run_migrations()


def run_online() -> None:
    """Run on the connection that our functions have opened, or on one of our own."""
    given = context.config.attributes.get("connection")
    if given is not None:
        run_on(given)
        return
    try:
        with migrating(database.engine) as connection:
            revisions.require_managed(connection, revisions.scripts_of())
            run_on(connection, on_version_apply=say)
    except MismarteraError as error:
        raise CommandError(str(error)) from error


def say(*, step: Any, **_: Any) -> None:
    """Tell somebody who typed the command which revision was run."""
    direction = "up" if step.is_upgrade else "down"
    sys.stderr.write(f"{direction} {step.up_revision_id}: {step.up_revision.doc}\n")


def run_on(connection: Any, **options: Any) -> None:
    """Run inside the transaction of `connection`."""
    context.configure(connection=connection, **OPTIONS, **options)
    with context.begin_transaction():
        context.run_migrations()


if context.is_offline_mode():
    run_offline()
else:
    run_online()
