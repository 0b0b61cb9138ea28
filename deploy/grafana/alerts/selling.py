"""What keeps a machine from selling, or its sales from being right."""

from typing import Final

from deploy.grafana.alerts.rule import ADMIN, OFFICE, TECHNICIAN, M, Rule, V, last_of
from deploy.grafana.parts import each_last

UNUSUAL: Final = 7.0  # sales that are usual in that time and did not come: less than 1 in 1,000 by chance

SELLING: Final = (
    Rule(
        "vend-machine-silent",
        "Machine silent",
        last_of("silent_s"),
        15 * 60,
        "0s",
        f"{M} has not been heard for {V} s. It may sell on; its records come later.",
        "Is the site without power or network? Else restart the machine's modem, then look at the machine.",
        TECHNICIAN,
        "vend-machine",
        critical=True,
    ),
    Rule(
        "vend-no-sale",
        "No sale for unusually long",
        last_of("missed_sales"),
        UNUSUAL,
        "5m",
        f"{M} would usually have sold {V} products since its last sale, by its own hours of the week.",
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
        f"{V} of 100 vends of {M} failed in the last 24 hours, at least three.",
        "See which slots fail in One machine; run their motors with the self-test, clear what is stuck.",
        TECHNICIAN,
        "vend-machine",
    ),
    Rule(
        "vend-jam",
        "Jam",
        last_of("jams"),
        0,
        "5m",
        f"Something is stuck at {M}: {V} slots or devices are jammed.",
        "One machine says which: clear the slot, the coin mechanism or the note path.",
        TECHNICIAN,
        "vend-machine",
        critical=True,
    ),
    Rule(
        "vend-price-disagreement",
        "Another price than wanted",
        last_of("disagreements"),
        0,
        "30m",
        f"{V} slots of {M} ask another price than is wanted.",
        "`vend-cloud disagreements` says which and why; correct the plan, or bring the machine online.",
        OFFICE,
        "vend-machines",
    ),
    Rule(
        "vend-records-missing",
        "Records missing",
        last_of("missing"),
        0,
        "15m",
        f"{V} records of {M} are missing between others that arrived.",
        "`vend-cloud books` names them; `vend-cloud rebuild --from-machines` asks the machine again.",
        ADMIN,
        "vend-machine",
        critical=True,
    ),
)
