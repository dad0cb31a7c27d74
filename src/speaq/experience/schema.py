"""The tables of the experience store, and a database engine that keeps its word.

SQLite and PostgreSQL speak the same SQL here; what only one of them has is in `open_engine`.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    Float,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    create_engine,
    event,
    make_url,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from speaq.core.errors import SettingsError, StorageError
from speaq.core.files import storage_errors

VERSION = 1
"""Of the tables; a store with another one is refused rather than misread."""

WRITE = {"speaq_write": True}
"""Execution option of a connection whose transactions write."""

_BUSY_SECONDS = 60.0
"""How long one process waits for another's transaction."""

metadata = MetaData()

about = Table("speaq_store", metadata, Column("version", Integer, nullable=False))

episodes = Table(
    "episodes",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("id", String, nullable=False, unique=True),
    Column("time", Float, nullable=False),
    Column("subject", String, index=True),
    Column("record", Text, nullable=False),
)
"""One row per episode, never changed; `record` is its JSON without feedback."""

feedback = Table(
    "feedback",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    # No foreign key: feedback may arrive before the episode it is about.
    Column("episode", String, nullable=False),
    Column("key", String, nullable=False),
    Column("record", Text, nullable=False),
    UniqueConstraint("episode", "key"),
)
"""One row per event, only ever added; `key` makes a second copy of an event change nothing."""


def url_of(where: str | Path) -> URL:
    """The database address of a path or a URL.

    Raises:
        SettingsError: not an address, or a database in memory, which keeps nothing.
    """
    text = str(where)
    try:
        url = make_url(text) if "://" in text else URL.create("sqlite", database=text)
    except ArgumentError as error:
        raise SettingsError(
            f"store: '{text}' is neither a path nor a database address such as "
            "postgresql+psycopg://host/name.",
            f"store：“{text}”既不是路径，也不是 postgresql+psycopg://host/name 这样的数据库地址。",
        ) from error
    if url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:"):
        raise SettingsError(
            "store: a database in memory keeps nothing; give the path of a file.",
            "store：内存数据库不保存任何内容；请给出文件路径。",
        )
    if url.get_backend_name() not in ("sqlite", "postgresql"):
        raise SettingsError(
            f"store: cannot use {url.get_backend_name()}; use a path (SQLite) or PostgreSQL.",
            f"store：不支持 {url.get_backend_name()}；请使用路径（SQLite）或 PostgreSQL。",
        )
    return url


def open_engine(url: URL) -> Engine:
    """An engine whose commits are on disk, with the tables made.

    Raises:
        SettingsError: the database's driver is not installed.
        StorageError: it cannot be opened, or is not a store of this version.
    """
    lite = url.get_backend_name() == "sqlite"
    if lite:
        parent = Path(str(url.database)).absolute().parent
        with storage_errors(parent):
            parent.mkdir(parents=True, exist_ok=True)
    try:
        # pysqlite counts this timeout itself; other drivers would not know the word.
        options: dict[str, Any] = {"connect_args": {"timeout": _BUSY_SECONDS}} if lite else {}
        engine = create_engine(url, pool_pre_ping=not lite, **options)
    except (ModuleNotFoundError, NoSuchModuleError) as error:
        raise SettingsError(
            f"store: the driver for {url.drivername} is not installed ({error}).",
            f"store：未安装 {url.drivername} 的驱动（{error}）。",
        ) from error
    if lite:
        event.listen(engine, "connect", _prepare)
        event.listen(engine, "begin", _begin)
    try:
        _make_tables(engine)
    except StorageError:
        engine.dispose()
        raise
    return engine


def _prepare(connection: Any, _record: Any) -> None:
    # pysqlite must not open transactions of its own: `_begin` says which kind.
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA secure_delete = ON")


def _begin(connection: Connection) -> None:
    # A transaction that reads first and writes later can fail where waiting would have done.
    writes = connection.get_execution_options().get("speaq_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _make_tables(engine: Engine) -> None:
    with database_errors(engine.url), engine.connect().execution_options(**WRITE) as connection:
        with connection.begin():
            metadata.create_all(connection)
            found = connection.execute(select(about.c.version)).scalars().first()
            if found is None:
                connection.execute(about.insert().values(version=VERSION))
        if found not in (None, VERSION):
            raise StorageError(
                f"{shown(engine.url)} has tables of version {found}, this speaq knows {VERSION}; "
                "use the speaq that wrote it to export the episodes.",
                f"{shown(engine.url)} 的表版本为 {found}，当前 speaq 只认识 {VERSION}；"
                "请用写入它的 speaq 导出片段。",
            )


def add_new(connection: Connection, table: Table, rows: list[dict[str, Any]]) -> set[Any]:
    """Insert the rows whose key is not yet there, in one statement; the keys of the new rows."""
    if not rows:
        return set()
    insert = insert_new(connection.dialect.name, table)
    return {tuple(row) for row in connection.execute(insert, rows)}


def insert_new(dialect: str, table: Table) -> Any:
    """The statement that inserts a row unless its key is there, and returns the key if it did."""
    insert = sqlite.insert(table) if dialect == "sqlite" else postgresql.insert(table)
    key = (table.c.id,) if table is episodes else (table.c.episode, table.c.key)
    return insert.on_conflict_do_nothing(index_elements=key).returning(*key)


def empty_log(engine: Engine) -> bool:
    """Move SQLite's write-ahead log into the file and cut it to nothing.

    Returns:
        Whether that was done; False if a reader needs what is in the log.
    """
    connection = engine.raw_connection()
    try:
        cursor = connection.cursor()
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return cursor.fetchone() == (0, 0, 0)
    except sqlite3.Error as error:
        raise refused(engine.url, error) from error
    finally:
        connection.close()


@contextmanager
def database_errors(url: URL) -> Iterator[None]:
    """Turn a refusal of the database into a `StorageError`."""
    try:
        yield
    except SQLAlchemyError as error:
        raise refused(url, error) from error


def refused(url: URL, error: Exception) -> StorageError:
    """The `StorageError` that says what the database said."""
    reason = str(error.args[0] if error.args else error).splitlines()[0]
    reason = reason.rsplit(") ", 1)[-1]
    return StorageError(
        f"The store {shown(url)} refused ({reason}); nothing of this was kept. Make sure that the "
        "disk has space and the file is a store that may be written, then try again.",
        f"数据存储 {shown(url)} 拒绝了操作（{reason}）；本次内容均未保存。"
        "请确认磁盘有空间、该文件是可写的数据存储，然后重试。",
    )


def shown(url: URL) -> str:
    """The address for messages: a path, or a URL without its password."""
    return str(url.database) if url.get_backend_name() == "sqlite" else url.render_as_string()
