"""Files that are there whole or not at all, whenever the power goes.

What root writes belongs to whom the folder belongs to: a technician's sudo must not lock the program out.
"""

import os
from pathlib import Path


def write_whole(path: Path, data: bytes, mode: int, *, replace: bool = True) -> None:
    """On stable storage when it returns. Raises OSError; FileExistsError where nothing is to be replaced."""
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            if os.geteuid() == 0:
                folder = path.parent.stat()
                os.fchown(file.fileno(), folder.st_uid, folder.st_gid)
            os.fchmod(file.fileno(), mode)  # whatever the umask
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if replace:
            fresh.rename(path)
        else:
            path.hardlink_to(fresh)
    finally:
        fresh.unlink(missing_ok=True)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Names in it, made or changed, are on stable storage."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
