"""Settings: where the database and the bars live, from the environment, ``.env`` or `configure`."""

from __future__ import annotations

import os
import re
import stat
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError, field_serializer, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from mismartera_analytics.errors import ConfigurationError, as_given, suggestion
from mismartera_analytics.given_files import NO_HOME

__all__ = [
    "HiddenText",
    "Settings",
    "configure",
    "home",
    "settings",
    "sqlite_url",
    "without_password",
]

PREFIX = "MISMARTERA_"
PROJECT_NAME = "mismartera-analytics"
ADDRESSES = {"bar_store", "database_url"}
"""Settings that may hold a password."""
_LONGEST = 1_000_000
_DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*\Z", re.ASCII)

_overrides: dict[str, Any] = {}
_current: Settings | None = None


class HiddenText(str):
    """A secret: used like any text, but its representation, as in tracebacks and logs, is hidden."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


class _Address(str):
    """A URL whose representation has no password."""

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(without_password(self))


def home() -> Path:
    """Return the folder against which relative paths and ``.env`` resolve.

    ``MISMARTERA_HOME`` when set; else the nearest folder, from the current one upwards, that holds a
    ``.env`` or this project's ``pyproject.toml``; else the current folder.

    Returns
    -------
    pathlib.Path
        An absolute folder. It need not exist.

    Raises
    ------
    ConfigurationError
        If it is that of a user whom nobody knows, or the current folder is gone.

    Examples
    --------
    >>> home().is_absolute()
    True
    """
    try:
        if named := os.environ.get(PREFIX + "HOME"):
            return _expanded(named).absolute()
        here = Path.cwd()
    except ValueError as error:
        raise ConfigurationError(f"setting home={as_given(named)}: {error}.") from None
    except FileNotFoundError:
        raise ConfigurationError("the current folder is gone; go to another.") from None
    for folder in (here, *here.parents):
        is_ours = os.path.isfile(folder / ".env")  # noqa: PTH113 - false where nobody may look
        if is_ours or _names_this_project(folder / "pyproject.toml"):
            return folder
    return here


def _names_this_project(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            project = tomllib.load(file).get("project", {})
    except (OSError, tomllib.TOMLDecodeError):
        return False
    return bool(project.get("name") == PROJECT_NAME)


class Settings(BaseSettings):
    """The settings in force, immutable; `configure` replaces them.

    Each field is read from the environment variable ``MISMARTERA_<FIELD>``, else from ``.env`` in
    `home`, else its default is taken. Relative paths are made absolute against `home`.

    Attributes
    ----------
    home
        Folder against which relative paths resolve.
    database_url
        SQLAlchemy URL of the database of records.
    bar_store
        Folder or ``s3://`` URI of the bar store.
    reports
        Folder into which reports are written.
    cache_mb
        Upper bound of the cache of decoded bars [MiB].
    bcrypt_rounds
        Cost of new password hashes [log2 of iterations].
    strategy_packages
        Modules and packages, beside the folder `strategies` of the home, from which strategies that
        a database names may be imported: dotted names, with commas between them.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="ignore", validate_default=True, env_ignore_empty=True,
        hide_input_in_errors=True,
    )  # fmt: skip

    home: Path = Field(default_factory=home)
    database_url: str = "sqlite:///data/mismartera.db"
    bar_store: str = "data/bars"
    reports: Path = Path("reports")
    cache_mb: int = Field(default=512, ge=0)
    bcrypt_rounds: int = Field(default=12, ge=4, le=18)
    strategy_packages: str = ""

    @field_validator("*", mode="before")
    @classmethod
    def _text(cls, given: Any) -> Any:
        """Refuse bytes that are no UTF-8, which drivers and libraries of files do not take."""
        try:
            str(given).encode()
        except UnicodeEncodeError:
            raise ValueError("it is no UTF-8 text") from None
        return given

    @field_validator("home")
    @classmethod
    def _absolute_home(cls, folder: Path) -> Path:
        return _under(home(), folder)

    @field_validator("database_url")
    @classmethod
    def _absolute_database(cls, url: str, info: Any) -> str:
        scheme, separator, rest = url.partition("://")
        if not separator or not scheme:
            raise ValueError(
                "expected an SQLAlchemy URL such as 'sqlite:///data/mismartera.db' "
                "or 'postgresql://user@host/name'"
            )
        if scheme == "postgres":
            scheme = "postgresql"
        path, question, query = rest.partition("?")
        is_relative_file = (
            scheme.split("+")[0] == "sqlite"
            and path.startswith("/")
            and not path.startswith("//")
            and path != "/:memory:"
            and not path.startswith("/file:")
            and len(path) > 1
        )
        if is_relative_file:
            named = _expanded(path[1:])
            above = str(info.data.get("home", ""))  # a home that was refused is what will be told
            folder = "" if named.is_absolute() else f"{_escaped(above)}{os.sep}"
            path = f"/{folder}{named}"
        return _Address(f"{scheme}://{path}{question}{query}")

    @field_validator("strategy_packages", mode="before")
    @classmethod
    def _dotted_names(cls, listed: Any) -> Any:
        if not isinstance(listed, str | list | tuple):
            raise ValueError("expected dotted names with commas between them, or a list of them")
        several = listed.split(",") if isinstance(listed, str) else listed
        names = [name.strip() if isinstance(name, str) else name for name in several]
        for name in names:
            if not isinstance(name, str) or (name and not _DOTTED.match(name)):
                shown = without_password(name) if isinstance(name, str) else name
                raise ValueError(
                    f"{as_given(shown)} is no dotted name of a module such as 'my_rules'"
                )
        return ",".join(name for name in names if name)

    @field_validator("bar_store", mode="before")
    @classmethod
    def _text_of_path(cls, where: Any) -> Any:
        return str(where) if isinstance(where, Path) else where

    @field_validator("bar_store")
    @classmethod
    def _absolute_store(cls, uri: str, info: Any) -> str:
        return _Address(uri) if "://" in uri else str(_under(Path(info.data.get("home", "")), uri))

    @field_validator("reports")
    @classmethod
    def _absolute_reports(cls, path: Path, info: Any) -> Path:
        return _under(Path(info.data.get("home", "")), path)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Rank the sources: arguments, environment, ``.env``."""
        return init_settings, env_settings, dotenv_settings

    @field_serializer("database_url", "bar_store", when_used="json")
    def _shown(self, address: str) -> str:
        return without_password(address)

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        """Yield what rich and other printers show."""
        for name in type(self).model_fields:
            yield name, without_password(str(getattr(self, name)))

    def __repr__(self) -> str:
        shown = self.__repr_args__()
        return (
            "Settings(\n" + "".join(f"  {name}={as_given(value)},\n" for name, value in shown) + ")"
        )

    __str__ = __repr__


def _under(folder: Path, path: str | Path) -> Path:
    expanded = _expanded(path)
    return expanded if expanded.is_absolute() else folder / expanded


def _expanded(path: str | Path) -> Path:
    """Return a path with the home of a user in the place of ``~``; a ValueError if there is none."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise ValueError(f"it {NO_HOME}") from None


def _escaped(path: str) -> str:
    """Return a path as a URL holds it; in URLs two of its characters mean something else."""
    return path.replace("%", "%25").replace("?", "%3F")


def sqlite_url(path: Path) -> str:
    """Return the URL of a SQLite file, whatever characters its path has.

    Examples
    --------
    >>> sqlite_url(Path("/data/50%/what?.db"))
    'sqlite:////data/50%25/what%3F.db'
    """
    return f"sqlite:///{_escaped(str(path))}"


def without_password(url: str) -> str:
    """Return a URL as it may be shown.

    Examples
    --------
    >>> without_password("postgresql://ada:secret@db.example/desk?sslpassword=hush")
    'postgresql://ada:***@db.example/desk?sslpassword=***'
    """
    hidden = re.sub(r"^([\w+.-]+:/*[^:@]*):.*@", r"\1:***@", str(url))
    return re.sub(r"([?&](?:ssl)?password=)[^&]*", r"\1***", hidden)


def _check_names(names: list[str], *, prefix: str, where: str) -> None:
    allowed = [prefix + (field.upper() if prefix else field) for field in Settings.model_fields]
    for name in names:
        if name not in allowed:
            raise ConfigurationError(
                f"unknown setting {name!r} in {where}{suggestion(name, allowed) or '.'} "
                f"Allowed: {', '.join(sorted(allowed))}."
            )


def _dotenv() -> Path:
    """Return ``.env`` of the home, which need not be there, once it can be read quickly."""
    file = home() / ".env"
    try:
        found = file.stat()
    except (FileNotFoundError, NotADirectoryError):
        return file
    except OSError as error:
        raise ConfigurationError(f"cannot read {as_given(str(file))} ({error.strerror}).") from None
    if stat.S_ISFIFO(found.st_mode):  # one that nobody writes to would be waited for without end
        raise ConfigurationError(f"{file} is a pipe; set what it says in the environment instead.")
    if found.st_size > _LONGEST:
        raise ConfigurationError(f"{file} is longer than {_LONGEST} bytes; correct it.")
    return file


def _load() -> Settings:
    from dotenv import dotenv_values

    file = _dotenv()
    try:
        in_file = [n for n in dotenv_values(file) if n.upper().startswith(PREFIX)]
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"cannot read {file} as UTF-8 text ({error}).") from None
    _check_names([n.upper() for n in in_file], prefix=PREFIX, where=str(file))
    in_environment = [n for n in os.environ if n.upper().startswith(PREFIX)]
    _check_names([n.upper() for n in in_environment], prefix=PREFIX, where="the environment")
    # In the environment a relative home starts at the current folder, and home() has followed it.
    followed = {"home": home()} if os.environ.get(PREFIX + "HOME") else {}
    try:
        return Settings(_env_file=file, **{**followed, **_overrides})  # type: ignore[call-arg]
    except ValidationError as error:
        first = error.errors()[0]
    name = ".".join(str(part) for part in first["loc"])
    reason = first["msg"].removeprefix("Value error, ")
    given = first["input"]
    shown = without_password(given if isinstance(given, str) else as_given(given))
    # Raised here, so that the error drags no frames along in which the environment lies open.
    raise ConfigurationError(f"setting {name}={as_given(shown)}: {reason}.")


def settings() -> Settings:
    """Return the settings in force, reading them when first asked.

    Returns
    -------
    Settings
        Immutable; paths are absolute. A password in ``database_url`` is not shown when printed.

    Raises
    ------
    ConfigurationError
        If a ``MISMARTERA_`` variable is unknown or its value cannot be used.

    Examples
    --------
    >>> settings().reports.is_absolute()
    True
    """
    global _current
    if _current is None:
        _current = _load()
    return _current


def configure(**changes: Any) -> Settings:
    """Change settings for this process, for instance the database in a notebook.

    Parameters
    ----------
    **changes
        Fields of `Settings`. ``None`` returns a field to the environment's value. Without arguments
        the environment and ``.env`` are read again and earlier changes are dropped.

    Returns
    -------
    Settings
        The settings now in force.

    Raises
    ------
    ConfigurationError
        If a name is unknown or a value cannot be used; the former settings stay in force.

    Examples
    --------
    >>> configure(cache_mb=64).cache_mb
    64
    >>> configure().cache_mb
    512
    """
    global _current, _overrides
    _check_names(list(changes), prefix="", where="configure()")
    for name in ADDRESSES & changes.keys():
        if isinstance(changes[name], str):
            changes[name] = _Address(changes[name])
    previous = _overrides
    merged = {**previous, **changes} if changes else {}
    _overrides = {name: value for name, value in merged.items() if value is not None}
    try:
        _current = _load()
    except BaseException:  # whatever it is, the former settings stay in force
        _overrides = previous
        raise
    return _current
