"""For every history: versions only go up, and each machine gets what a plain model says."""

import tempfile
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from cloud.database import StoreError
from cloud.wanted import book, desk
from cloud.wanted.plan import Plan, Planogram, ProductEntry, Scope, assembled
from shared import topics
from shared.messages import PlannedSlot
from tests.cloud.wanted.rig import (
    config,
    keep,
    messages,
    opened,
    reported,
    set_prices,
    stocked,
    undo,
    want,
    wanted,
)

MACHINES = ("m1", "m2", "m3")
SLOTS = {"A1": "cola", "B2": "milk"}
OWN = {"A1": 150, "B2": 90}

prices = st.integers(1, 400)
tables = st.dictionaries(st.sampled_from(list(SLOTS.values())), prices, max_size=2)
slot_tables = st.dictionaries(st.sampled_from(list(SLOTS)), prices, max_size=2)
notes = st.none() | st.sampled_from([500, 1_000, 2_000])


@st.composite
def scopes(draw: st.DrawFn, *, with_groups: bool = False) -> Scope:
    groups = st.lists(st.sampled_from(["g1", "g2"]), unique=True).map(tuple)
    return Scope(
        groups=draw(groups) if with_groups else (),
        prices=draw(tables),
        slot_prices=draw(slot_tables),
        card_prices=draw(tables),
        largest_note_minor=draw(notes),
    )


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    planograms = {
        "std": Planogram(slots={s: PlannedSlot(product=p, capacity=9, par=9) for s, p in SLOTS.items()})
    }
    fleet = draw(scopes()).model_copy(update={"planogram": draw(st.sampled_from([None, "std"]))})
    return Plan(
        products={name: ProductEntry(name=name) for name in SLOTS.values()},
        planograms=planograms,
        fleet=fleet.model_copy(update={"currency": "EUR"}),
        groups={"g1": draw(scopes()), "g2": draw(scopes())},
        machines=draw(st.dictionaries(st.sampled_from(MACHINES), scopes(with_groups=True))),
    )


def model(plan: Plan, machine: str, slot: str, tender: str) -> int:
    """Nearest first: the machine, its groups, the fleet, itself. A slot goes before its product."""
    own = plan.machines.get(machine, Scope())
    for scope in (own, *(plan.groups[g] for g in own.groups), plan.fleet):
        if tender == "card":
            for key, table in ((slot, scope.card_slot_prices), (SLOTS[slot], scope.card_prices)):
                if key in table:
                    return table[key]
        for key, table in ((slot, scope.slot_prices), (SLOTS[slot], scope.prices)):
            if key in table:
                return table[key]
    return OWN[slot]


def note(plan: Plan, machine: str) -> int | None:
    own = plan.machines.get(machine, Scope())
    chain = (own, *(plan.groups[g] for g in own.groups), plan.fleet)
    return next((s.largest_note_minor for s in chain if s.largest_note_minor is not None), None)


class Desk(RuleBasedStateMachine):
    @initialize()
    def machines_speak(self) -> None:
        self.stack = ExitStack()
        folder = self.stack.enter_context(tempfile.TemporaryDirectory())
        store = self.stack.enter_context(opened(Path(folder)))
        keep(store, *(reported(machine, A1=OWN["A1"], B2=OWN["B2"]) for machine in MACHINES))
        keep(store, *(_stock(machine) for machine in MACHINES))
        self.store, self.db = store, store.db
        self.plans = [Plan()]  # as of each change
        self.versions: dict[tuple[str, str], int] = {}

    @rule(plan=plans())
    def apply(self, plan: Plan) -> None:
        if plan != self.plans[-1]:
            assert want(self.db, plan, force=True) == len(self.plans)
            self.plans.append(plan)

    @rule(machine=st.sampled_from(MACHINES), slot=st.sampled_from(list(SLOTS)), price=prices)
    def edit(self, machine: str, slot: str, price: int) -> None:
        before = self.plans[-1]
        own = before.machines.get(machine, Scope())
        changed = own.model_copy(update={"slot_prices": {**own.slot_prices, slot: price}})
        if before.fleet.currency is None:
            changed = changed.model_copy(update={"currency": "EUR"})
        if changed != own:
            set_prices(self.db, [machine], {slot: f"{price / 100:.2f}"})
            self.plans.append(before.model_copy(update={"machines": {**before.machines, machine: changed}}))

    @rule(data=st.data())
    def undo(self, data: st.DataObject) -> None:
        if len(self.plans) == 1:
            with pytest.raises(StoreError, match="nothing was ever changed"):
                undo(self.db)
            return
        number = data.draw(st.integers(1, len(self.plans) - 1))
        before, after, now = self.plans[number - 1], self.plans[number], self.plans[-1]
        touched = {k for k in before.entries() | after.entries() if _entry(before, k) != _entry(after, k)}
        later = self.plans[number:]
        again = any(_entry(a, k) != _entry(b, k) for k in touched for a, b in pairwise(later))
        if again:
            with pytest.raises(StoreError, match="again since"):
                undo(self.db, number)
            return
        entries: dict[Any, str] = {k: v for k, v in now.entries().items() if k not in touched}
        entries |= {k: v for k, v in before.entries().items() if k in touched}
        try:
            back = assembled(entries)
        except ValueError:  # a group that something else needs by now
            with pytest.raises(ValueError, match="there is no"):
                undo(self.db, number)
            return
        assert undo(self.db, number) == len(self.plans)
        self.plans.append(back)

    @rule(machine=st.sampled_from(MACHINES))
    def machine_applies(self, machine: str) -> None:
        in_force = wanted(self.db, machine)
        if in_force is not None:
            keep(self.store, reported(machine, prices=in_force))

    @invariant()
    def every_machine_gets_what_the_model_says(self) -> None:
        assert book.last_change(self.db) == len(self.plans) - 1
        assert desk.current(self.db)[1].entries() == self.plans[-1].entries()
        for machine in MACHINES:
            prices_now = wanted(self.db, machine)
            for slot in SLOTS if prices_now else ():
                assert prices_now is not None
                for tender in ("cash", "card"):
                    assert prices_now.of(slot, tender) == model(self.plans[-1], machine, slot, tender)
            limits = config(self.db, machine)
            assert (limits.largest_note_minor if limits else None) == note(self.plans[-1], machine)

    @invariant()
    def versions_only_go_up(self) -> None:
        for topic_messages in (messages(self.db), messages(self.db, topics.CONFIG)):
            for message in topic_messages.values():
                key = (message.topic, message.machine)
                assert message.version >= self.versions.get(key, 0)
                self.versions[key] = message.version

    def teardown(self) -> None:
        if hasattr(self, "stack"):
            self.stack.close()


def _stock(machine: str) -> Any:  # noqa: ANN401  # an arrived message
    return stocked(machine, A1=SLOTS["A1"], B2=SLOTS["B2"])


def _entry(plan: Plan, key: tuple[str, str]) -> str | None:
    return plan.entries().get(key)


TestDesk = Desk.TestCase
TestDesk.settings = settings(max_examples=25, stateful_step_count=12)
