"""Whether the money is right, hardware against journal against state, and whether each drop is one sale.

Four doubts are allowed, because the power may fail at any moment, and each must have its own record: a motor
that may have run (a doubtful sale), a reader that may have charged (authorisation_in_doubt), and a card that
may have what is then owed, given back (refund_in_doubt) or put on it (revalue_in_doubt). What is in doubt
about charges stands in the line.
"""

from typing import Any

from edge.sim.validator import value_minor
from shared import codec
from tests.scenarios.bench import Bench
from tests.scenarios.words import money


class Books:
    """The journal's records alone."""

    def __init__(self, bench: Bench) -> None:
        records = [codec.unpack(body) for _, _, body in bench.journal.records()]
        self._records: list[dict[str, Any]] = [record for record in records if isinstance(record, dict)]
        sales = [record for record in self._records if record["kind"] == "sale"]
        self.numbers = [record["seq"] for record in self._records]
        self.sales = len(sales)
        self.doubtful = sum(sale["outcome"] == "doubtful" for sale in sales)
        self.sold = sum(sale["paid_minor"] for sale in sales)
        self.sold_by_card = sum(s["paid_minor"] for s in sales if s["tenders"][0]["tender"] == "card")
        self.cash_in = self._sum("cash_in", "value_minor")
        self.paid_out = self._sum("payout", "paid_minor")
        self.refunded = self._sum("refund", "amount_minor")
        self.owed = self._sum("owed", "amount_minor")
        self.owed_to_cards = self._sum("owed", "amount_minor", reason="refund_failed") + self._sum(
            "owed", "amount_minor", reason="refund_impossible"
        )
        self.refund_in_doubt = self._sum("owed", "amount_minor", reason="refund_in_doubt")
        self.revalued = self._sum("revalue", "amount_minor")
        self.revalue_in_doubt = self._sum("owed", "amount_minor", reason="revalue_in_doubt")
        self.redeemed = self._sum("claim_used", "amount_minor")
        self.by_hand = [
            *self._all("tubes_corrected")[1:],  # the first is the float that a new journal finds
            *self._all("recycler_corrected")[bool(bench.fitted.recycler) :],
        ]
        self.charge_in_doubt = any(r.get("code") == "authorisation_in_doubt" for r in self._records)

    def _all(self, kind: str) -> list[dict[str, Any]]:
        return [record for record in self._records if record["kind"] == kind]

    def _sum(self, kind: str, field: str, **match: str) -> int:
        wanted = {"kind": kind, **match}
        return sum(record[field] for record in self._records if wanted.items() <= record.items())


def check(bench: Bench) -> str:
    """Raises AssertionError where money or a product is lost, made or counted twice. Returns the balance."""
    books, state, totals = Books(bench), bench.core.state, bench.core.state.totals
    assert books.numbers == list(range(1, len(books.numbers) + 1))

    coins, notes, board = bench.changer.truth(), bench.validator.truth(), bench.board.truth()
    assert books.cash_in == coins.taken_minor() + notes.taken_minor()
    assert books.paid_out == coins.paid_minor() + value_minor(notes.paid)
    assert not books.by_hand, "nobody touched tubes and recycler"
    assert state.changer or state.tubes == coins.tubes

    charged = books.sold_by_card + books.refunded + books.owed_to_cards + books.refund_in_doubt
    assert (
        charged + (state.vend.paid_minor if state.vend and state.vend.reader else 0) == totals.card_in_minor
    )
    # An approval that crosses a cancel is given back by the reader's driver, and the sale never hears of it.
    in_doubt = sum(reader.truth().paid for reader in bench.readers.values()) - (charged - books.refunded)
    assert in_doubt in {0, -books.refund_in_doubt} or books.charge_in_doubt, f"{in_doubt} in doubt"

    on_cards = sum(sum(reader._books.revalued) for reader in bench.readers.values())
    assert on_cards - books.revalued in {0, books.revalue_in_doubt}
    assert totals.revalued_minor == books.revalued

    said = (totals.sales, totals.sold_minor, totals.cash_in_minor, totals.paid_out_minor)
    assert said == (books.sales, books.sold, books.cash_in, books.paid_out)
    said = (totals.refunded_minor, totals.owed_minor, totals.redeemed_minor, sum(state.claims.values()))
    assert said == (books.refunded, books.owed, books.redeemed, books.owed - books.redeemed)
    kept = state.credit_minor + state.held_minor
    left = {"cash in": books.cash_in, "charged": charged, "codes used": books.redeemed}
    right = {
        "sold": books.sold,
        "paid out": books.paid_out,
        "refunded": books.refunded,
        "put on cards": books.revalued,
        "owed": books.owed,
        "credit": kept,
    }
    assert sum(left.values()) == sum(right.values())

    runs, drops = sum(board.runs.values()), sum(board.drops.values())
    assert books.sales - books.doubtful <= drops <= books.sales, f"{drops} drops, {books.sales} sales"
    doubts = f", {books.doubtful} of them doubtful" if books.doubtful else ""
    doubts += f"; cards in doubt {money(in_doubt)}" if in_doubt else ""
    return f"{_side(left)} = {_side(right)}; motor runs {runs}, drops {drops}, sales {books.sales}{doubts}"


def _side(amounts: dict[str, int]) -> str:
    return " + ".join(f"{name} {money(amount)}" for name, amount in amounts.items() if amount) or "0"
