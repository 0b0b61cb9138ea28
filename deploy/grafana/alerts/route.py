"""What a driver, a technician or the site has to look after."""

from typing import Final

from deploy.grafana.alerts.rule import DRIVER, OFFICE, TECHNICIAN, M, Rule, V, last_of

WARM_C: Final = 8.0

ROUTE: Final = (
    Rule(
        "vend-slot-empty",
        "Slot empty",
        last_of("slots_empty"),
        0,
        "10m",
        f"{V} slots of {M} are empty.",
        "Put it on the next tour; Inventory and route says what to bring.",
        DRIVER,
        "vend-inventory",
    ),
    Rule(
        "vend-slot-low",
        "Slot low",
        'SELECT last("slots_low") - last("slots_empty") FROM "machine_now" '
        'WHERE $timeFilter GROUP BY "machine"',
        0,
        "10m",
        f"{V} slots of {M} are low: a quarter of what they should hold or less, and not empty yet.",
        "Plan the tour by days left; Inventory and route says what to bring.",
        DRIVER,
        "vend-inventory",
    ),
    Rule(
        "vend-change-low",
        "Change low",
        last_of("change_low"),
        0,
        "10m",
        f"{M} takes the exact price only: it has too few coins for change.",
        "Bring coins on the next tour; Inventory and route says which.",
        DRIVER,
        "vend-inventory",
    ),
    Rule(
        "vend-temperature",
        "Too warm",
        last_of("temperature_c"),
        WARM_C,
        "30m",
        f"It is {V} °C at the warmest place of {M}. The machine locks what spoils by its own limits.",
        "Door shut? Fan and compressor running, grille free? Move the goods if it stays warm.",
        TECHNICIAN,
        "vend-machine",
        critical=True,
    ),
    Rule(
        "vend-lockout",
        "Products locked",
        last_of("lockout"),
        0,
        "0s",
        f"{M} does not sell all: too warm for too long, a motor that fails, or the operator's word.",
        "Throw away what was warm, repair, then `vend-edge release` at the machine.",
        TECHNICIAN,
        "vend-machine",
        critical=True,
    ),
    Rule(
        "vend-door",
        "Door open",
        last_of("door_s"),
        15 * 60,
        "0s",
        f"The door of {M} has been open for {V} s.",
        "Is somebody at work there? Else call the site: it may be open for everybody, and it gets warm.",
        OFFICE,
        "vend-machine",
        critical=True,
    ),
)
