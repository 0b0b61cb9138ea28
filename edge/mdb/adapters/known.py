"""The MDB adapters that are known, by the name that settings give them."""

from collections.abc import Callable, Mapping
from typing import Final

from edge.mdb.adapters.adapter import Adapter
from edge.mdb.adapters.qibixx import QibixxAdapter
from edge.mdb.adapters.wafer import WaferAdapter

ADAPTERS: Final[Mapping[str, Callable[[], Adapter]]] = {
    "qibixx": QibixxAdapter,
    "wafer": WaferAdapter,
}
