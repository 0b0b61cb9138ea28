"""One machine's books in words and figures: what `vend-cloud books` prints, and Grafana shows."""

from dataclasses import asdict, dataclass
from typing import Any

from cloud import proof
from cloud.books import Account
from cloud.proof import Difference, Proof
from cloud.ranges import Range, count
from cloud.twins import Query

_SHOWN = 5  # ranges in a sentence


@dataclass(frozen=True, slots=True)
class Report:
    """One journal. `proven_to`: complete to this record, and all totals agree; 0 without an audit."""

    account: Account
    proof: Proof

    @property
    def proven_to(self) -> int:
        return self.proof.to.seq if self.proof.to else 0

    def trouble(self) -> list[str]:
        """What is wrong, each with what to do about it; empty when nothing is."""
        account, words = self.account, []
        if account.missing:
            words.append(
                f"records missing: {count(account.missing)} ({spoken(account.missing)}): "
                + (
                    f"`vend-cloud rebuild --from-machines --machine {account.machine}` asks for them"
                    if account.current
                    else "the machine has another journal now; its old card may still have them"
                )
            )
        if account.refused:
            words.append(
                f"records refused: {count(account.refused)} ({spoken(account.refused)}; "
                f"{', '.join(account.codes)}): see `vend-cloud dead-letters`"
            )
        return words + [_sentence(difference) for difference in self.proof.differences]

    def as_json(self) -> dict[str, Any]:
        return {
            **asdict(self.account),
            "proven_to": self.proven_to,
            "differences": [
                {
                    "total": d.name,
                    "after": d.after.seq,
                    "to": d.to.seq,
                    "counted": d.counted,
                    "stored": d.stored,
                }
                for d in self.proof.differences
            ],
            "trouble": self.trouble(),
        }


def _sentence(difference: Difference) -> str:
    return (
        f"between records {difference.after.seq} and {difference.to.seq} the machine counted "
        f"{difference.name} {difference.counted}, InfluxDB holds {difference.stored}: "
        + (
            "points were lost there; rebuild it from the archive"
            if difference.stored < difference.counted
            else "points are there that the machine never made; look at these records one by one"
        )
    )


def spoken(ranges: tuple[Range, ...]) -> str:
    """Ranges as people write them."""
    shown = ", ".join(f"#{a}" if a == b else f"#{a} to #{b}" for a, b in ranges[:_SHOWN])
    more = len(ranges) - _SHOWN
    return shown if more <= 0 else f"{shown} and {more} more ranges"


async def report(query: Query, account: Account, day_ns: int | None = None) -> Report:
    """`day_ns`: the start of one day (UTC) that is looked at closely, instead of the whole history."""
    of = (query, account.machine, account.epoch, account.complete_to)
    return Report(account, await proof.history(*of) if day_ns is None else await proof.of_day(*of, day_ns))
