"""Removing folders of the file store for good: noted in the transaction that forgets them, done until it is done.

A process that dies between the row and the files leaves the note, and a reconciler does what notes say. A folder that
cannot be removed stays noted, behind all others.
"""

from datetime import datetime

from sqlalchemy import Connection, delete, insert, select, update

from shared.database.database import Database
from shared.database.tables import FileRemoval, utc_now
from shared.files.store import FileStore

C = FileRemoval.__table__.c
_MOST = 100  # at a time


def note(connection: Connection, path: str, now: datetime) -> None:
    """Within the transaction that forgets what the folder belonged to."""
    if connection.execute(select(C.path).where(C.path == path)).first() is None:
        connection.execute(insert(FileRemoval).values(path=path, requested_at=now))


class FileRemovals:
    """Does what was noted; any number of processes may, at the same time."""

    def __init__(self, database: Database, files: FileStore) -> None:
        self._db, self._files = database, files

    def remove(self, path: str) -> bool:
        """The folder is gone, and the note of it; False where it could not be removed, and stays noted."""
        removed = self._files.try_delete_tree(path)
        with self._db.write() as connection:
            if removed:
                connection.execute(delete(FileRemoval).where(C.path == path))
            else:
                connection.execute(update(FileRemoval).where(C.path == path).values(requested_at=utc_now()))
        return removed

    def sweep(self) -> int:
        """Remove what was noted and is still there, oldest first; how many folders."""
        with self._db.read() as connection:
            noted = connection.execute(select(C.path).order_by(C.requested_at).limit(_MOST)).scalars().all()
        return sum(self.remove(path) for path in noted)
