"""The MDB adapters that are known, by the name that settings give them."""

from collections.abc import Callable, Mapping
from typing import Final

from edge.mdb.adapter import Adapter
from edge.mdb.qibixx import QibixxAdapter
from edge.mdb.wafer import WaferAdapter

ADAPTERS: Final[Mapping[str, Callable[[], Adapter]]] = {
    "qibixx": QibixxAdapter,
    "wafer": WaferAdapter,
}
