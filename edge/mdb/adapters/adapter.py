"""The contract between the bus dialogue and an MDB adapter.

An adapter file turns blocks into the adapter's own bytes and back. It does no I/O and keeps no clock.

- The dialogue sends one thing at a time, a start step or a block, and the adapter answers in the order asked.
  The first start step therefore works as a barrier: once it is answered, an earlier block's answer will not
  come any more. It must be a harmless question.
- The start steps run after each opening of the port, and again when an answer did not come, so each must be
  safe to repeat on an adapter that is already running.
- An adapter that knows no such question has no start steps. Its `answer_timeout_s` is the barrier instead,
  and must be so long that no answer comes after it.
- `encode` never fails for a block that fits the bus. `feed` never fails, whatever bytes come: what cannot be
  understood is `Noise`, counted by the dialogue. Nothing here blocks.
- The adapter itself acknowledges the peripheral's data. A BlockAnswer with data is thus the only copy: it is
  never thrown away while it is known which block it answers.
- An adapter that polls peripherals by itself says what it heard as Pushed, at any time, also between a block
  and its answer. These data too are the only copy.
- A block may have been executed though its answer is Silence or never comes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from edge.mdb.frame import Block, Reply


@dataclass(frozen=True, slots=True)
class StartStep:
    """One step of the adapter's own start: done when a StartAnswer with this key says ok."""

    key: str
    send: bytes


@dataclass(frozen=True, slots=True)
class StartAnswer:
    key: str
    ok: bool


@dataclass(frozen=True, slots=True)
class BlockAnswer:
    reply: Reply


@dataclass(frozen=True, slots=True)
class Pushed:
    """What a peripheral has just told the adapter's own POLL."""

    address: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Noise:
    """Bytes that answer nothing: garbage, or lines the adapter sends unasked."""

    data: bytes


AdapterValue = StartAnswer | BlockAnswer | Pushed | Noise


class Adapter(Protocol):
    @property
    def baudrate(self) -> int: ...

    @property
    def start_steps(self) -> Sequence[StartStep]: ...

    @property
    def answer_timeout_s(self) -> float:
        """From sending a block to giving its answer up."""

    def encode(self, block: Block) -> bytes: ...

    def feed(self, data: bytes) -> list[AdapterValue]: ...

    def forget(self) -> None:
        """The port was opened anew: half an answer from before is worthless."""
