"""Points of what a machine says of itself on retained topics: `status`, `health` and `tube`.

Pure. Heard again from the broker's memory, a health is the same points again. A status has no time of its own
for what changed in it: its time is when it came.
"""

from influxdb_client.client.write.point import Point
from influxdb_client.domain.write_precision import WritePrecision

from shared.messages import Health, Status

SWITCHED = ("cash", "card", "wallet")


def status_line(machine: str, status: Status, arrived_ns: int) -> str:
    point = Point("status").tag("machine", machine)
    point.field("online", int(status.online)).field("owed", status.owed).field("parked", status.parked)
    for tender in SWITCHED:
        available, why = tender_of(status, tender)
        point.field(tender, available).field(f"{tender}_why", why)
    return line(point, arrived_ns)


def tender_of(status: Status, tender: str) -> tuple[int, str]:
    """1 or 0 and why not; a tender that the machine does not have is not available."""
    said = {str(name): one for name, one in status.tenders.items()}.get(tender)
    if said is None:
        return 0, "not fitted"
    return int(said.available), "" if said.available else said.reason or "no reason given"


def health_lines(machine: str, health: Health) -> list[str]:
    """Line protocol of one health: the machine's point and one a coin. What is not known has no field."""
    point = Point("health").tag("machine", machine)
    for name, value in {
        "temperature_c": warmest(health),
        "cashbox_minor": health.cashbox_minor,
        "stacker_minor": health.stacker_minor,
        "stacker_notes": health.stacker_notes,
        "recycler_minor": health.recycler_minor,
        "tubes_minor": health.tubes_minor,
        "change_low": None if health.change_low is None else int(health.change_low),
        "door_open": None if health.door_open is None else int(health.door_open),
        "lockouts": len(health.lockouts),
        "clock": health.clock,
        "clock_offset_ms": health.clock_offset_ms,
        "reconnects_24h": health.link.reconnects_24h if health.link else None,
        "round_trip_ms": health.link.round_trip_ms if health.link else None,
        "faults": len(health.faults),
        "disk_free_mb": health.disk_free_mb,
    }.items():
        point.field(name, value)  # None is left out
    tubes = [
        Point("tube")
        .tag("machine", machine)
        .tag("coin", str(tube.coin_minor))
        .field("count", tube.count)
        .field("capacity", tube.capacity)
        for tube in health.tubes
    ]
    return [line(one, health.at_ns) for one in (point, *tubes)]


def warmest(health: Health) -> float | None:
    """The highest of its sensors, in degrees Celsius."""
    return max((float(c) for c in health.temperatures.values()), default=None)


def line(point: Point, at_ns: int) -> str:
    return str(point.time(at_ns, WritePrecision.NS).to_line_protocol())
