"""Write the golden bytes that are missing: python -m deploy.contract.golden

`tests/golden/KIND.vN.msgpack.hex` has the bytes on the wire of one example, `KIND.vN.json` what they say;
where the wire is JSON itself there is only the latter. What is there is never written again: those bytes are
in journals and archives for years, and every version reads them.
"""

import json
import textwrap
from pathlib import Path
from typing import Final

from deploy.contract.kinds import KINDS, Kind
from shared import codec

FOLDER: Final = Path(__file__).parents[2] / "tests/golden"
_HEX: Final = ".msgpack.hex"


def files(kind: Kind) -> dict[str, str]:
    """Content by file name."""
    name, wire = f"{kind.name}.v{kind.version}", kind.encode()
    if kind.is_json:
        return {f"{name}.json": wire.decode() + "\n"}
    view = json.dumps(codec.unpack(wire), default=bytes.hex, indent=1, ensure_ascii=False)
    return {f"{name}{_HEX}": "\n".join(textwrap.wrap(wire.hex(), 64)) + "\n", f"{name}.json": view + "\n"}


def wires(folder: Path = FOLDER) -> list[tuple[str, int, bytes]]:
    """Kind, version and bytes of all that is there, of whatever version."""
    found = []
    for path in sorted(folder.glob("*.v*.json")):
        name, _, version = path.name.removesuffix(".json").rpartition(".v")
        packed = path.with_name(f"{name}.v{version}{_HEX}")
        if packed.exists():
            wire = bytes.fromhex(packed.read_text(encoding="ascii"))
        else:
            wire = path.read_text(encoding="utf-8").removesuffix("\n").encode()
        found.append((name, int(version), wire))
    return found


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for kind in KINDS:
        for name, text in files(kind).items():
            path = FOLDER / name
            if not path.exists():
                path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
