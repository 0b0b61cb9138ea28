"""MQTT 5 properties of a message, between paho and a capture file.

Names are the standard's as paho spells them; user properties stay a list, for their order counts and names
may repeat; bytes are base64, under a name that says so. Subscription identifiers and topic aliases belong to
one connection and are left out.
"""

import base64
from collections.abc import Mapping
from typing import Any, Final

from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

_PLAIN: Final[dict[str, type]] = {
    "PayloadFormatIndicator": int,
    "MessageExpiryInterval": int,
    "ContentType": str,
    "ResponseTopic": str,
}
_CORRELATION: Final = "CorrelationData_b64"
_USER: Final = "UserProperty"


def from_paho(properties: Properties | None) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    if properties is None:
        return kept
    for name in _PLAIN:
        if hasattr(properties, name):
            kept[name] = getattr(properties, name)
    if hasattr(properties, "CorrelationData"):
        kept[_CORRELATION] = base64.b64encode(properties.CorrelationData).decode("ascii")
    if hasattr(properties, _USER):
        kept[_USER] = [list(pair) for pair in properties.UserProperty]
    return kept


def to_paho(kept: Mapping[str, Any]) -> Properties | None:
    """None where there are none. Raises ValueError, TypeError or MQTTException for what is no property of a
    message.
    """
    if not kept:
        return None
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    for name, value in kept.items():
        if name in _PLAIN:
            setattr(properties, name, _PLAIN[name](value))
        elif name == _CORRELATION:
            properties.CorrelationData = base64.b64decode(value, validate=True)
        elif name == "CorrelationData":  # in hex: archives of before had all values as text
            properties.CorrelationData = bytes.fromhex(value)
        elif name == _USER:
            for key, text in value:
                properties.UserProperty = (str(key), str(text))
        else:
            raise ValueError(f"{name} is no property of a message")
    return properties
