"""One question at a time to one Modbus RTU board, without I/O: when may be asked, and whose answer came.

- Answers carry no number. After one that did not come the line is `in_doubt`, and BARRIER must be asked until
  it is answered. A board answers in order: what is late comes before that answer, and is dropped and counted.
- A question may be asked SILENCE_S after the last bytes, by which RTU frames are told apart: never in the
  turn that brought them.
- Bytes are looked at before the time is: an answer that only waited in a buffer is not missing.
"""

from collections import Counter
from math import inf

from edge.motors.modbus_codes import READ_OUTPUTS, Answer, Question, Refusal, encode, find_answer

SILENCE_S = 0.004  # 3.5 characters at 9600 baud
ANSWER_TIMEOUT_S = 0.1  # without a byte: a question takes 8 ms on the wire, then come USB and the board
MAX_BUFFER_BYTES = 256
BARRIER = READ_OUTPUTS


class ModbusLine:
    def __init__(self, unit: int) -> None:
        self._unit = unit
        self._asked: Question | None = None
        self._asked_s = -inf
        self._heard_s = -inf
        self._buffer = b""
        self.in_doubt = False
        self.counts: Counter[str] = Counter()

    def forget(self) -> None:
        """The port was opened anew."""
        self._asked, self.in_doubt = None, True

    def may_ask(self, now_s: float) -> bool:
        return self._asked is None and now_s - self._heard_s >= SILENCE_S

    def ask(self, question: Question, now_s: float) -> bytes:
        self._asked, self._asked_s, self._buffer = question, now_s, b""
        return encode(question, self._unit)

    def feed(self, data: bytes, now_s: float) -> tuple[Question, Answer | Refusal | None] | None:
        """The question that is done with, and its answer, None where it is given up; never of a barrier."""
        if data:
            self._heard_s = now_s
        if self._asked is None:
            self.counts["bytes_stray"] += len(data)
            return None
        self._buffer = (self._buffer + data)[-MAX_BUFFER_BYTES:]
        question, answer = self._asked, find_answer(self._asked, self._unit, self._buffer)
        if answer is None and now_s - max(self._asked_s, self._heard_s) <= ANSWER_TIMEOUT_S:
            return None
        self._asked = None
        self.counts["answers_missing"] += answer is None
        was_barrier, self.in_doubt = self.in_doubt, answer is None
        return None if was_barrier else (question, answer)
