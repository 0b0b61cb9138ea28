"""The motor board that the settings name, as the link that speaks with it."""

from edge.config import EdgeSettings
from edge.motors.board import BoardLink
from edge.motors.modbus import ModbusLink
from edge.motors.modbus_rest import Wiring
from edge.motors.xy import XyLink


def board_link(settings: EdgeSettings) -> BoardLink:
    selections = {slot.slot: slot.selection for slot in settings.slots}
    if settings.board == "xy":
        return XyLink(selections, **settings.xy.model_dump())
    return ModbusLink(selections, Wiring(**settings.modbus.model_dump()))
