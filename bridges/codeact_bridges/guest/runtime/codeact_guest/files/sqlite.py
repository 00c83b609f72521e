"""`sqlite3.connect` on a file in a mounted folder.

SQLite's own code cannot see mounted files. So a connection loads the database into memory and stores it at each commit
and when it is closed; the file is replaced as a whole. Between commits no other process sees a change, and a store
overwrites what another process has written to the file meanwhile.
"""

import atexit
import contextlib
import os
import sqlite3
import urllib.parse
import weakref
from collections.abc import Callable

from codeact_guest.files import file_io, mounts

_real_connect = sqlite3.connect
_Connection = sqlite3.Connection

_live: "weakref.WeakSet[_Stored]" = weakref.WeakSet()
"""Connections to files, whose committed changes are stored at the program's end."""

_JOURNAL_MODES = slice(18, 20)
"""The header's bytes for the journal mode: 2 is a write-ahead log, which a database in memory cannot have."""


class _Stored:
    """Mixed into the connection class: loads the database from a mounted file and stores it there."""

    _path: str | None = None
    _read_only = False
    _state: object = None

    def _attach(self, path: str, read_only: bool) -> None:
        """Load the file, if it exists."""
        self._path, self._read_only = path, read_only
        try:
            with file_io.open(path, "rb") as file:
                image = bytearray(file.read())
        except FileNotFoundError:
            image = bytearray()
        if image:
            if 2 in image[_JOURNAL_MODES] and _size_of(path + "-wal"):
                raise sqlite3.OperationalError(
                    f"{path} has a write-ahead log beside it ({path}-wal): checkpoint it first"
                )
            image[_JOURNAL_MODES] = b"\x01\x01"
            _Connection.deserialize(self, bytes(image))
        self._state = self._now()
        _live.add(self)

    def commit(self) -> None:
        super().commit()
        self._store()

    def __exit__(self, kind: object, exc: object, trace: object) -> object:
        result = super().__exit__(kind, exc, trace)
        self._store()
        return result

    def executescript(self, script: str, /) -> sqlite3.Cursor:
        cursor = super().executescript(script)
        self._store_if_committed()
        return cursor

    def close(self) -> None:
        if self._path is not None:
            if self.in_transaction:
                _Connection.execute(self, "ROLLBACK")
            self._store()
            self._path = None
        super().close()

    def _now(self) -> object:
        """A value that changes whenever the content does."""
        version = _Connection.execute(self, "PRAGMA schema_version").fetchone()
        return self.total_changes, version

    def _store_if_committed(self) -> None:
        if self._path is not None and not self.in_transaction:
            self._store()

    def _store(self) -> None:
        """Write the file if the content has changed. There must be no uncommitted changes."""
        if self._path is None:
            return
        state = self._now()
        if state == self._state:
            return
        if self._read_only:
            raise sqlite3.OperationalError("attempt to write a readonly database")
        image = _Connection.serialize(self)
        beside = f"{self._path}-{os.urandom(4).hex()}.tmp"
        try:
            with file_io.open(beside, "wb") as file:
                file.write(image)
            os.replace(beside, self._path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.remove(beside)
            raise
        self._state = state


def connect(database: object, *args: object, **options: object) -> sqlite3.Connection:
    """`sqlite3.connect`. A path in a mounted folder opens a database in memory that is loaded from and stored there."""
    path, mode = _path_of(database, bool(options.get("uri", args[6] if len(args) > 6 else False)))
    if path is None:
        return _real_connect(database, *args, **options)
    folder = os.path.dirname(path) or "."
    mounts.check_within(path)
    mount = mounts.mount_of(path)
    exists = os.path.isfile(path)
    if mount is None or not os.path.isdir(folder) or (not exists and mode in ("ro", "rw")) or os.path.isdir(path):
        raise sqlite3.OperationalError("unable to open database file")
    read_only = mode == "ro" or mounts.state.modes[mount] == "ro"
    if not exists:
        mounts.check_writable(path)
    for other in list(_live):
        if other._path == os.path.abspath(path):
            other._store_if_committed()  # so that a second connection sees the first one's commits
    args = list(args)
    factory = options.pop("factory", args.pop(4) if len(args) > 4 else sqlite3.Connection)
    if len(args) > 4:
        options.setdefault("cached_statements", args[4])
    options.pop("uri", None)
    connection = _real_connect(":memory:", *args[:4], factory=_with_storing(factory), **options)
    try:
        connection._attach(os.path.abspath(path), read_only)
    except BaseException:
        _Connection.close(connection)
        raise
    if not exists:
        file_io.open(path, "ab").close()  # SQLite, too, creates the file when it connects
    return connection


_classes: dict[type, type] = {}


def _with_storing(factory: Callable[..., object]) -> type:
    if not isinstance(factory, type):
        raise TypeError("sqlite3.connect: factory must be a class for a database in a mounted folder")
    if factory not in _classes:
        _classes[factory] = type(factory.__name__, (_Stored, factory), {"__module__": factory.__module__})
    return _classes[factory]


def _path_of(database: object, is_uri: bool) -> tuple[str | None, str | None]:
    """The file's path and its URI's `mode`; no path for a database in memory."""
    text = os.fsdecode(database)
    if is_uri and text.startswith("file:"):
        parts = urllib.parse.urlsplit(text)
        query = urllib.parse.parse_qs(parts.query)
        mode = query.get("mode", [None])[0]
        path = urllib.parse.unquote(parts.path)
        return (None, None) if mode == "memory" or path in ("", ":memory:") else (path, mode)
    return (None, None) if text in ("", ":memory:") else (text, None)


def _size_of(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


def _store_all() -> None:
    for connection in list(_live):
        try:
            connection._store_if_committed()
        except sqlite3.ProgrammingError:
            continue  # the connection is closed already


def install() -> None:
    """Replace `sqlite3.connect` with this one."""
    connect.__module__ = "sqlite3"
    sqlite3.connect = sqlite3.dbapi2.connect = connect


def begin() -> None:
    """Store at this program's end. In a session, connections of an earlier program may still be open."""
    atexit.unregister(_store_all)
    atexit.register(_store_all)
