"""The plan as a file: every mistake with its key, the difference in words, and what looks like a mistake."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cloud.__main__ import main
from cloud.store import Store
from cloud.wanted import file
from cloud.wanted.resolve import Known, resolve
from shared import topics
from shared.messages import PriceList
from tests.cloud.wanted.rig import config, keep, messages, opened, reported, stocked, wanted

PLAN = """\
[products]
cola = "Cola 0.33 l"
"milk.low" = "Milk \\"low\\""

[planograms.std]
A1 = { product = "cola", capacity = 10, par = 8 }
B2 = { product = "milk.low", capacity = 8, par = 6, group = "fresh" }

[fleet]
currency = "EUR"
time_zone = "Europe/Berlin"
planogram = "std"
largest_note = 20
without_change = "owe"
[fleet.prices]
cola = 1.60
"milk.low" = "0.90"
[fleet.card_prices]
cola = "1.65"
[[fleet.schedules]]
name = "happy hour"
days = ["mon", "fri"]
start = "17:00"
end = "19:00"
first = 2026-07-01
products = ["cola"]
percent_off = 20
round_down_to = 0.05

[groups.station]
prices = { cola = 2.50 }
tenders_off = { card = "the reader is being changed" }

[groups.swiss]
currency = "CHF"
prices = { cola = 3.10, "milk.low" = 2 }

[machines.m2]
groups = ["station"]
slot_prices = { B2 = 1.10 }
[machines.m3]
groups = ["swiss", "station"]
tenders_on = ["card"]
"""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with opened(tmp_path) as store:
        (tmp_path / "cloud.toml").write_text(f'data_dir = "{tmp_path}"\n')
        keep(
            store,
            *(reported(m, A1=150, B2=90) for m in ("m1", "m2", "m4", "m5", "m6", "m7")),
            reported("m3", 4, "CHF", A1=300, B2=200),
            *(stocked(m, A1="cola", B2="milk.low") for m in ("m1", "m2", "m3")),
        )
        yield store


def call(folder: Path, *words: str) -> Result:
    command = ["--config", str(folder / "cloud.toml"), *words]
    return CliRunner(env={"COLUMNS": "200"}).invoke(main, command)


def saved(folder: Path, text: str) -> str:
    (folder / "plan.toml").write_text(text)
    return str(folder / "plan.toml")


def test_everybody_gets_what_is_nearest(store: Store, tmp_path: Path) -> None:
    path = saved(tmp_path, PLAN)
    done = call(tmp_path, "apply", path, "--who", "anna")
    assert done.stdout == "change 1: 7 machines will get something new\n", done.stderr
    m1, m2, m3 = (wanted(store.db, machine) for machine in ("m1", "m2", "m3"))
    assert m1 is not None
    assert (m1.prices, m1.card_prices, m1.time_zone) == ({"A1": 160, "B2": 90}, {"A1": 165}, "Europe/Berlin")
    assert [(s.name, s.slots, s.step_minor) for s in m1.schedules] == [("happy hour", ("A1",), 5)]
    assert m2 is not None
    assert (m2.prices, m2.card_prices) == ({"A1": 250, "B2": 110}, {}), "the group's price is the card's too"
    assert m3 is not None
    assert (m3.version, m3.currency, m3.prices, m3.card_prices) == (5, "CHF", {"A1": 310, "B2": 200}, {})
    got = config(store.db, "m2")
    assert got is not None
    assert got.slots is not None
    assert (got.largest_note_minor, got.without_change) == (2_000, "owe")
    assert (got.tenders_off, got.slots["B2"].group) == ({"card": "the reader is being changed"}, "fresh")
    on = config(store.db, "m3")
    assert on is not None
    assert on.tenders_off == {}
    assert (on.largest_note_minor, m3.schedules) == (None, ()), "the fleet's are in euros"


def test_what_is_exported_is_no_difference(store: Store, tmp_path: Path) -> None:
    call(tmp_path, "apply", saved(tmp_path, PLAN))
    call(tmp_path, "prices", "set", "--machine", "m1", "A1=1.80")
    exported = call(tmp_path, "export-plan").stdout
    assert call(tmp_path, "plan", saved(tmp_path, exported)).stdout == "no difference\n"
    assert call(tmp_path, "apply", saved(tmp_path, exported)).stdout == "no difference\n"
    assert file.written(file.read(tmp_path / "plan.toml")) == exported


def test_machines_that_change_alike_are_told_together(store: Store, tmp_path: Path) -> None:
    call(tmp_path, "apply", saved(tmp_path, PLAN))
    dearer = PLAN.replace("cola = 1.60", "cola = 1.75").replace("largest_note = 20", "largest_note = 10")
    done = call(tmp_path, "plan", saved(tmp_path, dearer))
    assert done.exit_code == 0
    assert done.stdout == (
        "m1, m4, m5, m6, m7:\n"
        "  A1: 1.60 EUR becomes 1.75 EUR\n"
        "  largest note: 20.00 EUR becomes 10.00 EUR\n"
        "m2:\n"
        "  largest note: 20.00 EUR becomes 10.00 EUR\n"
    )
    (first, *_) = json.loads(call(tmp_path, "plan", saved(tmp_path, dearer), "--json").stdout)["changes"]
    assert first["machines"] == ["m1", "m4", "m5", "m6", "m7"]
    assert len(json.loads(call(tmp_path, "history", "--json").stdout)) == 1, "nothing was changed"


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("cola = 1.60", "cola = 16.00", "m1, m4, m5, m6, m7: A1: 1.60 EUR becomes 16.00 EUR"),
        ("cola = 1.60", "cola = 0.16", "A1: 1.60 EUR becomes 0.16 EUR"),
        ('product = "cola"', 'product = "colla"', "planograms.std.A1: colla is not among the products"),
        ('product = "cola"', 'product = "colla"', "no price for colla (slot A1): it keeps"),
        ("capacity = 10, par = 8", "capacity = 0, par = 0", "std.A1: a capacity of 0 holds nothing"),
        ("cola = 2.50", "rum = 2.50", "groups.station.prices: rum is not among the products"),
        ("percent_off = 20", "percent_off = 95", "happy hour asks 0.05 EUR for cola instead of 1.60 EUR"),
        ('planogram = "std"\n', "", "it has no planogram any more"),
        ("B2 = { product", "C9 = { product", "its slot B2 is not in the planogram: it will refuse that"),
        ('card = "the', 'cash = "no", card = "the', "m2: neither cash nor cards are taken"),
    ],
)
def test_what_looks_like_a_mistake_is_refused_without_force(
    store: Store, tmp_path: Path, old: str, new: str, says: str
) -> None:
    """T24: the operator's own hand."""
    call(tmp_path, "apply", saved(tmp_path, PLAN))
    before = {**messages(store.db), **messages(store.db, topics.CONFIG)}
    assert old in PLAN
    path = saved(tmp_path, PLAN.replace(old, new, 1))
    planned = call(tmp_path, "plan", path)
    assert planned.exit_code == 1
    assert says in planned.stdout
    refused = call(tmp_path, "apply", path)
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert says in refused.stderr
    assert {**messages(store.db), **messages(store.db, topics.CONFIG)} == before
    assert "change 2" in call(tmp_path, "apply", path, "--force").stdout
    assert "change 3 undoes change 2" in call(tmp_path, "undo").stdout
    again = {**messages(store.db), **messages(store.db, topics.CONFIG)}
    assert {m: _content(message.payload) for m, message in again.items()} == {
        m: _content(message.payload) for m, message in before.items()
    }
    assert call(tmp_path, "plan", saved(tmp_path, PLAN)).stdout == "no difference\n"


def _content(payload: str) -> dict[str, object]:
    return {**json.loads(payload), "version": 0}


def test_a_wiped_plan_is_refused_and_taken_back(store: Store, tmp_path: Path) -> None:
    call(tmp_path, "apply", saved(tmp_path, PLAN))
    refused = call(tmp_path, "apply", saved(tmp_path, ""))
    assert refused.exit_code == 1
    for words in ("no longer in the plan: machines m2, m3", "groups station, swiss", "no planogram any more"):
        assert words in refused.stderr
    call(tmp_path, "apply", saved(tmp_path, ""), "--force")
    back = wanted(store.db, "m1")
    assert back is not None
    assert (back.version, back.prices, back.schedules) == (2, {"A1": 150, "B2": 90}, ()), "as it was before"
    call(tmp_path, "undo")
    assert call(tmp_path, "plan", saved(tmp_path, PLAN)).stdout == "no difference\n"


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("cola = 1.60", "cola = 0", "cola (slot A1) costs nothing"),
        ('currency = "EUR"\n', "", "fleet.prices.cola: in which currency? Set fleet.currency"),
        ("cola = 1.60", "cola = 1.605", "fleet.prices.cola: '1.605' is no whole number of EUR"),
        ("cola = 1.60", "cola = true", "fleet.prices.cola: True is not an amount"),
        ("cola = 1.60", "cola = -1.60", "fleet.prices.cola: Input should be greater than or equal to 0"),
        (
            "round_down_to = 0.05",
            "round_down_to = []",
            "schedules.0.round_down_to: [] is not an amount",
        ),
        ('start = "17:00"', "start = 17:00:00", "is nothing that a plan has"),
        ('start = "17:00"', 'start = "17.00"', "fleet.schedules.0.start"),
        ('days = ["mon", "fri"]', 'days = ["monday"]', "fleet.schedules.0.days.0"),
        (
            'time_zone = "Europe/Berlin"',
            'time_zone = "Europe/Berln"',
            "Europe/Berln is not known here",
        ),
        ('time_zone = "Europe/Berlin"\n', "", "schedules need a time_zone"),
        ('planogram = "std"', 'planogram = "big"', "fleet.planogram: there is no planogram big"),
        ('groups = ["station"]', 'groups = ["statoin"]', "machines.m2.groups: there is no group statoin"),
        ("par = 8 }", "par = 80 }", "planograms.std.slots.A1: par 80 is more than the capacity 10"),
        ("[machines.m2]", "[machines.M2]", "machines.M2"),
        ("[groups.swiss]", "[groups.swiss]\nprice = 1", "groups.swiss.price: is no key of a plan"),
        ("[products]", "[products", "not TOML"),
    ],
)
def test_what_cannot_be_is_refused_with_its_key(
    store: Store, tmp_path: Path, old: str, new: str, says: str
) -> None:
    assert old in PLAN
    path = saved(tmp_path, PLAN.replace(old, new, 1))
    for words in (("plan", path), ("apply", path, "--force")):
        done = call(tmp_path, *words)
        assert done.exit_code == 1
        assert says in done.output, done.output
    assert messages(store.db) == {}


def test_the_sample_is_a_plan_that_gives_every_slot_its_price(tmp_path: Path) -> None:
    plan = file.read(Path(__file__).parents[3] / "deploy/samples/plan.toml")
    prices = resolve(plan, "lobby-1", Known()).prices
    assert prices is not None
    assert prices.prices == {"A1": 220, "A2": 100, "B1": 450}
    assert prices.of("A1", "cash", (0,)) == 175
    (tmp_path / "again.toml").write_text(file.written(plan))
    assert file.read(tmp_path / "again.toml") == plan


def test_a_file_that_is_not_there(store: Store, tmp_path: Path) -> None:
    done = call(tmp_path, "plan", str(tmp_path / "none.toml"))
    assert (done.exit_code, done.stdout) == (1, "")
    assert "none.toml: cannot be read" in done.stderr


def test_undo_does_not_walk_over_somebody_elses_work(store: Store, tmp_path: Path) -> None:
    call(tmp_path, "apply", saved(tmp_path, PLAN))
    call(tmp_path, "prices", "set", "--machine", "m1", "A1=1.80", "--who", "bert")
    call(tmp_path, "prices", "set", "--machine", "m1", "A1=1.90")
    done = call(tmp_path, "undo", "2")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "change 3 changed machine m1 again since" in done.stderr
    assert "there is no change 9" in call(tmp_path, "undo", "9").stderr
    call(tmp_path, "undo", "1")
    now = wanted(store.db, "m1")
    assert now is not None
    assert now.prices == {"A1": 190, "B2": 90}, "the single price stays"
    assert [row["who"] for row in json.loads(call(tmp_path, "history", "--json").stdout)][2] == "bert"


def test_disagreements_are_told_by_the_exit_status(store: Store, tmp_path: Path) -> None:
    assert call(tmp_path, "disagreements").exit_code == 0
    call(tmp_path, "apply", saved(tmp_path, PLAN))
    done = call(tmp_path, "disagreements", "--machine", "m1")
    assert done.exit_code == 1
    assert "not applied yet" in done.stdout
    in_force = wanted(store.db, "m1")
    assert isinstance(in_force, PriceList)
    keep(store, reported("m1", prices=in_force, config_version=1))
    assert call(tmp_path, "disagreements", "--machine", "m1", "--json").stdout == "[]\n"
