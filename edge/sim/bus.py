"""A virtual MDB bus: blocks in, replies out, and the wire's faults. No bytes, no clock, no thread.

The adapter in front of it answers the peripheral's data with an ACK by itself, as real adapters do; the
faults are those between adapter and peripheral.
"""

from collections import Counter
from collections.abc import Sequence
from enum import Enum, auto
from typing import Protocol

from edge.mdb.frame import Block, Data, Reply, Silence


class Fault(Enum):
    ANSWER_LOST = auto()  # the peripheral did it, the master hears nothing
    ACK_LOST = auto()  # the master has the data, the peripheral believes it has not
    COMMAND_LOST = auto()  # the peripheral heard nothing


class SimPeripheral(Protocol):
    address: int

    def answer(self, block: Block, now_s: float) -> Reply: ...

    def acknowledged(self) -> None:
        """The master's ACK arrived: what the last answer told may be forgotten."""


class VirtualBus:
    """fault_at plans a fault by exchange number (the first is 0), fault_next by the block's first byte."""

    def __init__(self, peripherals: Sequence[SimPeripheral]) -> None:
        self._peripherals = {peripheral.address: peripheral for peripheral in peripherals}
        self.fault_at: dict[int, Fault] = {}
        self.fault_next: dict[int, Fault] = {}
        self.silent = False
        self.exchanges = 0
        self.asked: Counter[int] = Counter()  # ground truth: blocks that reached a peripheral, by first byte

    def exchange(self, block: Block, now_s: float) -> Reply:
        planned = self.fault_at.get(self.exchanges)
        self.exchanges += 1
        fault = planned or self.fault_next.pop(block.head, None)
        peripheral = self._peripherals.get(block.address)
        if peripheral is None or self.silent or fault is Fault.COMMAND_LOST:
            return Silence()
        self.asked[block.head] += 1
        reply = peripheral.answer(block, now_s)
        if fault is Fault.ANSWER_LOST:
            return Silence()
        if isinstance(reply, Data) and fault is not Fault.ACK_LOST:
            peripheral.acknowledged()
        return reply
