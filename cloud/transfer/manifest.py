"""What is in an export: every file with its SHA-256, every table's rows, every kind's records and amounts."""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field, StringConstraints, ValidationError

from cloud.database import StoreError
from shared.fields import Count, Frozen, explain

NAME: Final = "manifest.json"
_BLOCK_BYTES: Final = 1024 * 1024
# A name below the folder, and nothing that leads out of it.
FileName = Annotated[
    str, StringConstraints(pattern=r"^([a-z]+/)?[A-Za-z0-9_][A-Za-z0-9_.-]*$", max_length=255)
]
Tell = Callable[[int], None]


class FileFacts(Frozen):
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    size_bytes: Count


class KindFacts(Frozen):
    kind: str
    currency: str
    count: Count
    minor: int


class Manifest(Frozen):
    """`schema_version`: of the database. `absent`: records that InfluxDB had and the archive had not."""

    format: Literal["vendlink-export"] = "vendlink-export"
    version: Literal[1] = 1
    made_at: str
    schema_version: Count
    tables: dict[str, Count]
    messages: Count
    records: Count
    dead_letters: Count
    damaged_lines: Count
    absent: Count
    kinds: Annotated[tuple[KindFacts, ...], Field(strict=False)]
    files: dict[FileName, FileFacts]


def facts(path: Path, tell: Tell) -> FileFacts:
    """Raises OSError."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
            size += len(block)
            tell(len(block))
    return FileFacts(sha256=digest.hexdigest(), size_bytes=size)


def read(folder: Path) -> Manifest:
    """Raises StoreError."""
    path = folder / NAME
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except OSError as error:
        raise StoreError(f"{path} cannot be read ({error.strerror}): name the folder of an export") from None
    except ValidationError as error:
        raise StoreError(f"{path} is no manifest that this version reads ({explain(error)})") from None


def troubles(folder: Path, manifest: Manifest, tell: Tell) -> Iterator[str]:
    """What is not as the manifest says, a sentence each."""
    for name, said in manifest.files.items():
        try:
            if facts(folder / name, tell) != said:
                yield f"{name} is not the file that was exported: copy it again"
        except OSError as error:
            yield f"{name} cannot be read ({error.strerror}): copy it again"
