"""One machine's settings: who it is, its ports, its slots, its broker."""

from pathlib import Path
from typing import Annotated, Final, Literal, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import AfterValidator, Field, model_validator
from pydantic_settings import SettingsConfigDict

from edge.commands import Authority, Key
from edge.sale.state import SlotSetting
from edge.sale.step import Machine, Policy, ProductGroup
from shared.commands import KeyName, PublicKeyHex, Role
from shared.fields import Currency, MachineId, PriceMinor, Product, Slot
from shared.messages import PriceList
from shared.settings import MqttSettings, Section, Settings


class SlotConfig(Section):
    """`selection`: the motor board's number. The prices hold until the cloud sends a list."""

    slot: Slot
    selection: Annotated[int, Field(ge=1, le=0xFFFF)]
    product: Product
    price_minor: PriceMinor
    card_price_minor: PriceMinor | None = None
    capacity: Annotated[int, Field(ge=1, le=255)]
    par: Annotated[int, Field(ge=0, le=255)]


class CashConfig(Section):
    """The operator's choices about cash (edge/sale/step.py)."""

    largest_note_minor: Annotated[int, Field(ge=0)] = 2_000
    reserve: Annotated[int, Field(ge=0, le=50)] = 0
    without_change: Literal["refuse", "owe"] = "refuse"
    revalue_cards: bool = False


class ServiceConfig(Section):
    """The operator's choices about visits and motors (edge/sale/step.py)."""

    motor_failures: Annotated[int, Field(ge=1, le=100)] = 2
    closed_door_s: Annotated[float, Field(ge=10, le=86_400)] = 600.0


class GroupConfig(Section):
    """Products that spoil together, and what they bear (edge/sale/climate.py)."""

    name: Product
    slots: Annotated[tuple[Slot, ...], Field(min_length=1, max_length=1_000)]
    sensor: Literal["board"] = "board"
    min_decidegrees: Annotated[int, Field(ge=-1_000, le=1_000)]
    max_decidegrees: Annotated[int, Field(ge=-1_000, le=1_000)]
    limit_s: Annotated[float, Field(ge=60, le=86_400)]

    @model_validator(mode="after")
    def _range(self) -> Self:
        if self.min_decidegrees > self.max_decidegrees:
            raise ValueError(f"group {self.name}: min_decidegrees is above max_decidegrees")
        return self


class XyConfig(Section):
    """`machine_status`: ask the board for door and temperature. Check on the machine that it tells the truth:
    the protocol does not say how (edge/motors/xy_cabinet.py).
    """

    machine_status: bool = False


BAUDRATES: Final = (300, 600, 1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200)

Terminal = Annotated[int, Field(ge=1, le=8)]


class ModbusConfig(Section):
    """How motors and sensors hang on a Modbus relay board (edge/motors/modbus_rest.py)."""

    unit: Annotated[int, Field(ge=1, le=247)] = 1
    home_inputs: Annotated[tuple[Terminal, ...], Field(min_length=1, max_length=8)] = (1, 2, 3, 4, 5, 6, 7)
    drop_input: Terminal = 8
    home_level: bool = True
    drop_level: bool = True
    door_input: Terminal | None = None
    door_level: bool = True

    @model_validator(mode="after")
    def _one_use_each(self) -> Self:
        if self.door_input in {*self.home_inputs, self.drop_input}:
            raise ValueError(f"input {self.door_input} of the door has another use too")
        if self.drop_input in self.home_inputs:
            raise ValueError(f"input {self.drop_input} is both a home switch and the drop sensor")
        return self


class CommandKey(Section):
    """Who may command this machine (`vend-cloud command-key new` prints it), and what: shared/commands.py."""

    name: KeyName
    role: Role
    public_key: PublicKeyHex


class CommandsConfig(Section):
    """`own_clock`: this board's clock is right, although nothing synchronises it (edge/commands.py)."""

    own_clock: bool = False
    keys: Annotated[tuple[CommandKey, ...], Field(max_length=50)] = ()

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        for name in ("name", "public_key"):
            values = [getattr(key, name) for key in self.keys]
            if len(set(values)) != len(values):
                raise ValueError(f"two keys have the same {name}; each needs its own")
        return self

    def authority(self) -> Authority:
        keys = {
            key.name: Key(key.role, Ed25519PublicKey.from_public_bytes(bytes.fromhex(key.public_key)))
            for key in self.keys
        }
        return Authority(keys, self.own_clock)


def _usual(baudrate: int) -> int:
    """Another rate would open no port."""
    if baudrate not in BAUDRATES:
        raise ValueError(f"a serial line has one of {', '.join(map(str, BAUDRATES))}")
    return baudrate


class EdgeSettings(Settings):
    """`mdb_port`, `board_port`, `keypad_port`: stable paths, such as those below /dev/serial/by-id.

    `local_socket`: where screens and keypads ask (edge/local_api.py); by default beside the status file.

    A coin changer is always expected; `validator` and `readers` say what else is fitted. Reader 1 has the MDB
    address 10h, reader 2 60h.

    `clock_wait_s`: a board without a clock of its own learns the time when its network comes back. So long
    after the link is up, records with an estimated time wait for it; 0 where nothing sets the clock.
    """

    model_config = SettingsConfigDict(env_prefix="VEND_EDGE_")

    machine: MachineId
    currency: Currency
    data_dir: Path
    status_file: Path
    local_socket: Path | None = None
    mdb_port: str
    adapter: Literal["qibixx", "wafer"] = "qibixx"
    validator: bool = False
    readers: tuple[Literal[1, 2], ...] = ()
    board: Literal["xy", "modbus"] = "xy"
    board_port: str
    keypad_port: str | None = None
    keypad_baudrate: Annotated[int, AfterValidator(_usual)] = 9600
    clock_wait_s: Annotated[float, Field(ge=0, le=600)] = 10.0
    keep_days: Annotated[int, Field(ge=1)] = 400
    keep_records: Annotated[int, Field(ge=1_000)] = 500_000
    cash: CashConfig = CashConfig()
    service: ServiceConfig = ServiceConfig()
    groups: Annotated[tuple[GroupConfig, ...], Field(max_length=100)] = ()
    xy: XyConfig = XyConfig()
    modbus: ModbusConfig = ModbusConfig()
    mqtt: MqttSettings = MqttSettings()
    commands: CommandsConfig = CommandsConfig()
    slots: Annotated[list[SlotConfig], Field(min_length=1, max_length=1_000)]

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        for name in ("slot", "selection"):
            values = [getattr(slot, name) for slot in self.slots]
            if len(set(values)) != len(values):
                raise ValueError(f"two slots have the same {name}; each needs its own")
        if self.board == "modbus" and (high := max(s.selection for s in self.slots)) > (
            outputs := len(self.modbus.home_inputs)
        ):
            raise ValueError(f"selection {high}: a motor needs a home switch, and {outputs} are wired")
        return self

    @model_validator(mode="after")
    def _groups_can_be_watched(self) -> Self:
        if len({group.name for group in self.groups}) != len(self.groups):
            raise ValueError("two groups have the same name; each needs its own")
        known = {slot.slot for slot in self.slots}
        for group in self.groups:
            if missing := sorted(set(group.slots) - known):
                raise ValueError(f"group {group.name}: there is no slot {missing[0]}")
        if self.groups and not (self.board == "xy" and self.xy.machine_status):
            raise ValueError("groups need a temperature: board xy with machine_status")
        return self

    @property
    def screen_socket(self) -> Path:
        return self.local_socket or self.status_file.with_name("local.sock")

    @property
    def technician_socket(self) -> Path:
        return self.status_file.with_name("technician.sock")

    def machine_setting(self, software: str, claim_key: bytes) -> Machine:
        return Machine(
            products={s.slot: s.product for s in self.slots},
            software=software,
            items={s.slot: s.selection for s in self.slots},
            validator=self.validator,
            readers=self.readers,
            policy=Policy(**self.cash.model_dump(), **self.service.model_dump()),
            claim_key=claim_key,
            slots={setting.slot: setting for setting in self.slot_settings()},
            groups={g.name: ProductGroup(**g.model_dump(exclude={"name"})) for g in self.groups},
        )

    def slot_settings(self) -> list[SlotSetting]:
        return [SlotSetting(s.slot, s.product, s.capacity, s.par) for s in self.slots]

    def price_list(self) -> PriceList:
        """The prices of the settings file, as version 0."""
        prices = {s.slot: s.price_minor for s in self.slots}
        by_card = {s.slot: s.card_price_minor for s in self.slots if s.card_price_minor}
        return PriceList(version=0, currency=self.currency, prices=prices, card_prices=by_card)
