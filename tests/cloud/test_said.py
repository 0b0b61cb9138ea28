"""Points of what machines say on retained topics: what is not known has no field, and no zero."""

from cloud.said import health_lines, status_line
from shared.messages import Health, Status


def test_a_status_says_which_tenders_can_be_used_and_why_not() -> None:
    status = Status.model_validate(
        {
            "online": True,
            "since_ns": 1,
            "epoch": "0123456789ab",
            "software": "x",
            "tenders": {
                "cash": {"available": True},
                "card": {"available": False, "reason": "reader offline"},
            },
            "owed": 3,
            "parked": 1,
        }
    )
    assert status_line("m1", status, 9) == (
        'status,machine=m1 card=0i,card_why="reader offline",cash=1i,cash_why="",online=1i,owed=3i,parked=1i,'
        'wallet=0i,wallet_why="not fitted" 9'
    )


def test_a_health_says_only_what_the_machine_knows() -> None:
    assert health_lines("m1", Health(at_ns=5)) == [
        'health,machine=m1 clock="unknown",faults=0i,lockouts=0i 5'
    ]


def test_a_health_in_full_is_a_point_of_the_machine_and_one_a_coin() -> None:
    health = Health.model_validate_json(
        '{"at_ns": 5, "temperatures": {"top": 4, "milk": 6.5}, "lockouts": ["milk"], "door_open": false,'
        ' "tubes": [{"coin_minor": 50, "count": 3, "capacity": 70, "full": false}], "change_low": true,'
        ' "cashbox_minor": 1200, "stacker_minor": 5000, "stacker_notes": 7, "recycler_minor": 0,'
        ' "tubes_minor": 150, "clock": "synced", "clock_offset_ms": -12,'
        ' "link": {"reconnects_24h": 2, "up_since_ns": 4, "round_trip_ms": 80},'
        ' "faults": [{"device": "coin", "code": "jam", "since_ns": 4}], "disk_free_mb": 900}'
    )
    assert health_lines("m1", health) == [
        (
            'health,machine=m1 cashbox_minor=1200i,change_low=1i,clock="synced",clock_offset_ms=-12i,'
            "disk_free_mb=900i,door_open=0i,faults=1i,lockouts=1i,reconnects_24h=2i,recycler_minor=0i,"
            "round_trip_ms=80i,stacker_minor=5000i,stacker_notes=7i,temperature_c=6.5,tubes_minor=150i 5"
        ),
        "tube,coin=50,machine=m1 capacity=70i,count=3i 5",
    ]


def test_a_temperature_is_a_float_also_where_it_is_whole() -> None:
    (line,) = health_lines("m1", Health.model_validate_json('{"at_ns": 5, "temperatures": {"top": 4}}'))
    assert ",temperature_c=4 " in line, "without the i of an integer"
