"""Alert rules: one row each, with what is so, what to do, who does it. Each resolves itself.

A query gives one value a series, of which the last one is compared. It reads gauges of what is so now. One
cause, one alert: all machines of a rule are one notification (`alerting.py`), and while the broker or the
cloud is away, gauges of machines stand still, so that only the rules of the system fire.
"""

from dataclasses import dataclass
from typing import Final

from deploy.grafana.parts import each_last

WARM_C: Final = 8.0
UNUSUAL: Final = 7.0  # sales that are usual in that time and did not come: less than 1 in 1,000 by chance

OFFICE, DRIVER, TECHNICIAN, ADMIN = "office", "driver", "technician", "administrator"
ROLES: Final = (OFFICE, DRIVER, TECHNICIAN, ADMIN)

_HOURS = 3 * 3_600  # an hourly gauge is surely in it


@dataclass(frozen=True, slots=True)
class Rule:
    """`above`: it fires where the value is greater. `window_s`: how far back the query looks.

    `silence_fires`: no data is the trouble itself. `error_fires`: so is a database that does not answer.
    """

    uid: str
    title: str
    query: str
    above: float
    hold: str
    so: str
    action: str
    who: str
    dashboard: str
    critical: bool = False
    window_s: int = _HOURS
    silence_fires: bool = False
    error_fires: bool = False


def _now(value: str, measurement: str = "machine_now") -> str:
    return f'SELECT {value} FROM "{measurement}" WHERE $timeFilter GROUP BY "machine"'


def _card(reasons: str, negated: str = "") -> str:
    """1 for each machine whose reader is off for one of these reasons, as the machine words them."""
    last = each_last(("card", "card_why"), "machine_now", "$timeFilter", "machine")
    other = f' AND "card_why" !~ /{negated}/' if negated else ""
    return f'SELECT 1 - "card" FROM {last} WHERE "card_why" =~ /{reasons}/{other} GROUP BY "machine"'


NO_NETWORK: Final = "^card reader has no network"
BROKEN: Final = "^card reader (is out of order|is jammed)"
NO_ANSWER: Final = "^card reader (does not answer|is not connected|was unplugged|cannot be reached)"
_KNOWN: Final = f"{NO_NETWORK}|{BROKEN}|{NO_ANSWER}"
_M: Final = "{{ .Labels.machine }}"
_V: Final = '{{ printf "%.0f" .Values.B.Value }}'

_SYSTEM: Final = (
    Rule(
        "vend-cloud-silent",
        "The cloud is silent",
        'SELECT (1 - min("ready")) * min("broker_connected") * min("influx_ok") '
        'FROM "cloud" WHERE $timeFilter',
        0,
        "2m",
        "No cloud process says anything, or one cannot work. Sales wait at the machines, none is lost.",
        "Look at `vend-cloud` on the server: does it run, what does /ready say, is the disk full?",
        ADMIN,
        "vend-system",
        critical=True,
        window_s=300,
        silence_fires=True,
    ),
    Rule(
        "vend-broker-away",
        "The broker is away",
        'SELECT 1 - max("broker_connected") FROM "cloud" WHERE $timeFilter',
        0,
        "2m",
        "The cloud does not reach the broker. Machines sell on; what is shown of them is as it was before.",
        "Start the broker; look at its log, its certificate and the network of its server.",
        ADMIN,
        "vend-system",
        critical=True,
        window_s=120,
    ),
    Rule(
        "vend-influx-away",
        "InfluxDB is away",
        'SELECT 1 - min("influx_ok") FROM "cloud" WHERE $timeFilter',
        0,
        "2m",
        "InfluxDB does not take or give data. Sales wait, none is lost; other alerts keep their last state.",
        "Start InfluxDB; look at its log, at the disk, and at user and secret in the settings.",
        ADMIN,
        "vend-system",
        critical=True,
        window_s=120,
        error_fires=True,
    ),
    Rule(
        "vend-cloud-lag",
        "Sales arrive slowly",
        'SELECT max("lag_p99_ms") FROM "cloud" WHERE $timeFilter',
        10_000,
        "10m",
        f"Of 100 sales that were just made, one takes more than {_V} ms until it is stored.",
        "Look at System: does the inbox grow, are writes to InfluxDB slow, is the server busy?",
        ADMIN,
        "vend-system",
        window_s=300,
    ),
    Rule(
        "vend-dead-letters",
        "Messages that cannot be used",
        'SELECT sum("more") FROM (SELECT non_negative_difference(max("dead_letters")) AS "more" FROM "cloud" '
        'WHERE $timeFilter GROUP BY time(1m), "process")',
        0,
        "0s",
        f"{_V} messages came within the last hour that could not be stored. They are kept, with the reason.",
        "`vend-cloud dead-letters` says which and why; a newer machine program needs a newer cloud.",
        ADMIN,
        "vend-system",
        window_s=3_600,
    ),
)

_SALES: Final = (
    Rule(
        "vend-machine-silent",
        "Machine silent",
        _now('last("silent_s")'),
        15 * 60,
        "0s",
        f"{_M} has not been heard for {_V} s. It may sell on; its records come later.",
        "Is the site without power or network? Else restart the machine's modem, then look at the machine.",
        TECHNICIAN,
        "vend-machine",
        critical=True,
    ),
    Rule(
        "vend-no-sale",
        "No sale for unusually long",
        _now('last("missed_sales")'),
        UNUSUAL,
        "5m",
        f"{_M} would usually have sold {_V} products since its last sale, by its own hours of the week.",
        "Is the site closed? Else try to buy: door, display, coin and card acceptance, empty slots.",
        TECHNICIAN,
        "vend-machine",
    ),
    Rule(
        "vend-failed-vends",
        "Many failed vends",
        'SELECT 100 * "failed_24h" / ("failed_24h" + "vends_24h") FROM '
        + each_last(("failed_24h", "vends_24h"), "machine_now", "$timeFilter", "machine")
        + ' WHERE "failed_24h" >= 3 GROUP BY "machine"',
        5,
        "0s",
        f"{_V} of 100 vends of {_M} failed in the last 24 hours, at least three.",
        "See which slots fail in One machine; run their motors with the self-test, clear what is stuck.",
        TECHNICIAN,
        "vend-machine",
    ),
    Rule(
        "vend-jam",
        "Jam",
        _now('last("jams")'),
        0,
        "5m",
        f"Something is stuck at {_M}: {_V} slots or devices are jammed.",
        "One machine says which: clear the slot, the coin mechanism or the note path.",
        TECHNICIAN,
        "vend-machine",
        critical=True,
    ),
    Rule(
        "vend-price-disagreement",
        "Another price than wanted",
        _now('last("disagreements")'),
        0,
        "30m",
        f"{_V} slots of {_M} ask another price than is wanted.",
        "`vend-cloud disagreements` says which and why; correct the plan, or bring the machine online.",
        OFFICE,
        "vend-machines",
    ),
    Rule(
        "vend-records-missing",
        "Records missing",
        _now('last("missing")'),
        0,
        "15m",
        f"{_V} records of {_M} are missing between others that arrived.",
        "`vend-cloud books` names them; `vend-cloud rebuild --from-machines` asks the machine again.",
        ADMIN,
        "vend-machine",
        critical=True,
    ),
)

_CARD: Final = (
    Rule(
        "vend-card-network",
        "Card reader offline: no network",
        _card(NO_NETWORK),
        0,
        "10m",
        f"The card reader of {_M} has no network of its own; cash is taken.",
        "Look at its SIM and antenna; if it stays, call its provider.",
        TECHNICIAN,
        "vend-machine",
    ),
    Rule(
        "vend-card-broken",
        "Card reader offline: out of order",
        _card(BROKEN),
        0,
        "5m",
        f"The card reader of {_M} says that it is out of order or jammed; cash is taken.",
        "Take out what is stuck, restart it; if it stays, have it exchanged.",
        TECHNICIAN,
        "vend-machine",
    ),
    Rule(
        "vend-card-no-answer",
        "Card reader offline: no answer",
        _card(NO_ANSWER),
        0,
        "5m",
        f"The card reader of {_M} does not answer at its cable; cash is taken.",
        "Look at its MDB cable, its power and the adapter.",
        TECHNICIAN,
        "vend-machine",
    ),
    Rule(
        "vend-card-other",
        "Card reader offline: another reason",
        _card("^card reader ", _KNOWN),
        0,
        "10m",
        f"The card reader of {_M} takes no cards; Machines says why.",
        "Read the reason in Machines; restart the reader.",
        TECHNICIAN,
        "vend-machines",
    ),
)

_ROUTE: Final = (
    Rule(
        "vend-slot-empty",
        "Slot empty",
        _now('last("slots_empty")'),
        0,
        "10m",
        f"{_V} slots of {_M} are empty.",
        "Put it on the next tour; Inventory and route says what to bring.",
        DRIVER,
        "vend-inventory",
    ),
    Rule(
        "vend-slot-low",
        "Slot low",
        _now('last("slots_low")'),
        0,
        "10m",
        f"{_V} slots of {_M} are at or below a quarter of what they should hold.",
        "Plan the tour by days left; Inventory and route says what to bring.",
        DRIVER,
        "vend-inventory",
    ),
    Rule(
        "vend-change-low",
        "Change low",
        _now('last("change_low")'),
        0,
        "10m",
        f"{_M} takes the exact price only: it has too few coins for change.",
        "Bring coins on the next tour; Inventory and route says which.",
        DRIVER,
        "vend-inventory",
    ),
    Rule(
        "vend-temperature",
        "Too warm",
        _now('last("temperature_c")'),
        WARM_C,
        "30m",
        f"It is {_V} °C at the warmest place of {_M}. The machine locks what spoils by its own limits.",
        "Door shut? Fan and compressor running, grille free? Move the goods if it stays warm.",
        TECHNICIAN,
        "vend-machine",
        critical=True,
    ),
    Rule(
        "vend-lockout",
        "Products locked",
        _now('last("lockout")'),
        0,
        "0s",
        f"{_M} does not sell all: too warm for too long, a motor that fails, or the operator's word.",
        "Throw away what was warm, repair, then `vend-edge release` at the machine.",
        TECHNICIAN,
        "vend-machine",
        critical=True,
    ),
    Rule(
        "vend-door",
        "Door open",
        _now('last("door_s")'),
        15 * 60,
        "0s",
        f"The door of {_M} has been open for {_V} s.",
        "Is somebody at work there? Else call the site: it may be open for everybody, and it gets warm.",
        OFFICE,
        "vend-machine",
        critical=True,
    ),
)

RULES: Final = (*_SYSTEM, *_SALES, *_CARD, *_ROUTE)
