"""A file store of which one folder cannot be removed."""

from pytest import MonkeyPatch

from shared.files.store import FileStore


def refuse(files: FileStore, path: str, patch: MonkeyPatch) -> None:
    """Until `patch` is undone."""
    removing = files.delete_tree

    def delete_tree(asked: str) -> None:
        if asked == path:
            raise PermissionError(path)
        removing(asked)

    patch.setattr(files, "delete_tree", delete_tree)
