"""The database: engine, sessions and the base of all mappings.

Nothing is opened when this module is imported: ``engine`` is made when it is first asked for, from
``settings().database_url``, and made anew after `configure` has named another database.
"""

from __future__ import annotations

import atexit
import contextlib
import threading
import weakref
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine, MetaData, event, inspect, text
from sqlalchemy.engine import Connection
from sqlalchemy.orm import DeclarativeBase, Mapper, Session, sessionmaker

from mismartera_analytics import config
from mismartera_analytics.errors import DatabaseNotReadyError, RetiredEngineError
from mismartera_analytics.models import bulk_reading, connections, revision_files
from mismartera_analytics.models.retrying import repeated

if TYPE_CHECKING:
    engine: Engine

__all__ = [
    "Base",
    "SessionLocal",
    "close_db",
    "engine",
    "get_db",
    "init_db",
    "is_own_reader",
    "read_session",
    "require_current",
    "session_scope",
]

_OWN_READER = "mismartera_own_reader"

NAMING_CONVENTION = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """Base of all mappings; constraints are named by one convention."""

    metadata = MetaData(naming_convention=NAMING_CONVENTION)


@event.listens_for(Mapper, "before_configured")
def _load_mappings() -> None:
    """Relationships name classes of other modules: have them all before mappers are configured."""
    from mismartera_analytics.models import load_mappings

    load_mappings()


_lock = threading.RLock()
_current: Engine | None = None
_current_url: str | None = None


def _current_engine() -> Engine:
    global _current, _current_url
    url = config.settings().database_url
    if _current is not None and _current_url == url:
        return _current
    with _lock:
        url = config.settings().database_url  # another thread may have switched meanwhile
        if _current is None or _current_url != url:
            new = connections.make_engine(url)
            _refuse_when_retired(new, url)
            if _current is None:
                atexit.register(close_db)  # SQLite folds its write-ahead log in on the last close
            else:
                _current.dispose()
            _current, _current_url = new, url
        return _current


def _refuse_when_retired(engine: Engine, url: str) -> None:
    @event.listens_for(engine, "engine_connect")
    def refuse(connection: Connection) -> None:
        if config.settings().database_url != url:
            raise RetiredEngineError(
                f"this engine belongs to {connection.engine.url!r}, but configure() has switched "
                f"to another database; take 'engine' from mismartera_analytics.models.database anew."
            )


def __getattr__(name: str) -> Any:
    if name == "engine":
        return _current_engine()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


class _BoundSession(Session):
    """A Session that takes the current engine unless it is given another."""

    def __init__(self, bind: Engine | Connection | None = None, **options: Any) -> None:
        super().__init__(bind=bind if bind is not None else _current_engine(), **options)


SessionLocal = sessionmaker(class_=_BoundSession, autoflush=False, expire_on_commit=False)
"""Factory of database sessions. It does not commit by itself; `session_scope` does."""


@contextlib.contextmanager
def session_scope() -> Iterator[Session]:
    """Give a database session that commits on success, rolls back on error and always closes.

    On SQLite the transaction takes the write lock at its start, so a read followed by a write never
    fails because another process wrote in between.

    Yields
    ------
    sqlalchemy.orm.Session

    Raises
    ------
    DatabaseBusyError
        If another writer holds the database for longer than the busy timeout.
    DatabaseNotReadyError
        If tables are missing.

    Examples
    --------
    >>> from mismartera_analytics.models import SessionConfig
    >>> with ma.session_scope() as db_session:
    ...     db_session.add(SessionConfig(name="morning", config_json="{}"))
    >>> with ma.SessionLocal() as db_session:
    ...     db_session.query(SessionConfig).all()
    [SessionConfig(id=1, name='morning')]
    """
    db_session = SessionLocal(bind=connections.for_writing(_current_engine()))
    try:
        yield db_session
        db_session.commit()
    except BaseException:
        db_session.rollback()
        raise
    finally:
        db_session.close()


def get_db() -> Generator[Session, None, None]:
    """Yield one database session for use in a ``for`` loop; the same promises as `session_scope`.

    Leaving the loop early rolls back.

    Yields
    ------
    sqlalchemy.orm.Session

    Raises
    ------
    DatabaseBusyError, DatabaseNotReadyError
        As in `session_scope`.

    Examples
    --------
    >>> from mismartera_analytics.models import User
    >>> ma.init_db()
    >>> for db_session in get_db():
    ...     db_session.query(User.username).all()
    [('demo',)]
    """
    with session_scope() as db_session:
        yield db_session


@repeated
def require_current() -> None:
    """Refuse a database that this version cannot work with; nothing is created.

    Raises
    ------
    DatabaseNotReadyError
        If the database has no tables, or is at another revision.
    DatabaseUnreachableError
        If it cannot be opened.
    """
    _require_current(_current_engine())


_seen_current: weakref.WeakSet[Engine] = weakref.WeakSet()


def _require_current(engine: Engine) -> None:
    """Refuse to read a database of another revision; asked once an engine.

    Alembic, whose import takes a tenth of a second, is asked only where something is amiss.
    """
    is_missing = connections.is_missing_file(engine)
    if not is_missing and (engine in _seen_current or _is_newest(engine)):
        _seen_current.add(engine)
        return
    from mismartera_analytics.models import migrate

    found = migrate.Status("fresh", None, "", ()) if is_missing else migrate.status(engine)
    if found.state in ("fresh", "outdated", "newer"):
        raise DatabaseNotReadyError(f"{engine.url!r} {found.advice}.")
    _seen_current.add(engine)


def _is_newest(engine: Engine) -> bool:
    """Tell whether a database bears the newest revision and no other."""
    with connections.read_only(engine) as connection:
        if not inspect(connection).has_table("alembic_version"):
            return False
        found = connection.execute(text("SELECT version_num FROM alembic_version")).scalars().all()
    return found == [revision_files.newest()]


@contextlib.contextmanager
def read_session() -> Iterator[Session]:
    """Give a database session on a connection that cannot write.

    Yields
    ------
    sqlalchemy.orm.Session

    Raises
    ------
    DatabaseNotReadyError
        If the database has no tables, or is at another revision than this version works with.
    """
    _require_current(_current_engine())
    with (
        connections.read_only(_current_engine()) as connection,
        SessionLocal(bind=connection) as db_session,
    ):
        db_session.info[_OWN_READER] = True
        try:
            yield db_session
        except Exception:  # two states that do not fit may be all that is wrong: then read again
            bulk_reading.require_one_state(db_session)
            raise
        bulk_reading.require_one_state(db_session)


def is_own_reader(db_session: Session) -> bool:
    """Tell whether a database session comes from `read_session`, so that nothing in it is unsaved."""
    return bool(db_session.info.get(_OWN_READER))


@repeated
def init_db() -> None:
    """Create the tables of a fresh database and bring them to the newest revision.

    Tables that no revision owns (models of your own on `Base`) are created after that. Running it
    again changes nothing.

    Raises
    ------
    DatabaseNotReadyError
        If the database is at an older revision, or comes from a newer version.
    DatabaseUnreachableError
        If the database cannot be opened.

    Examples
    --------
    >>> ma.configure(database_url="sqlite:///mine.db").database_url.endswith("/mine.db")
    True
    >>> ma.init_db()
    """
    from mismartera_analytics.models import load_mappings, migrate

    load_mappings()
    migrate.initialise(_current_engine())


def close_db() -> None:
    """Close all pooled connections; the next use opens new ones.

    Examples
    --------
    >>> close_db()
    """
    with _lock:
        if _current is not None:
            _current.dispose()
