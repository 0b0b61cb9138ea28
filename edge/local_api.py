"""What is offered at the machine itself, network or not: to a screen, and to a technician's commands.

Reading costs the machine nothing: the status is the text that the loop published last. What is written, and
what only the loop can know, goes through the inbox without waiting; half of the inbox is kept for the
devices, so that no program here ever makes money wait. docs/local.md says it in examples.
"""

import json
import queue
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Final, TypeVar

from pydantic import StringConstraints, ValidationError

from edge.local_server import Answer, Refused, Routes
from edge.loop import Asked, Inbox, PictureAsked, RecordsAsked, Requested
from edge.requests import REQUEST
from edge.sale.events import ClaimEntered, SlotSelected
from edge.sale.selection import chosen
from edge.status_file import StatusFile
from edge.store.kept import Kept
from edge.support_file import Picture, SupportFile
from shared.fields import Frozen, explain

SCREEN_MODE: Final = 0o660
TECHNICIAN_MODE: Final = 0o600
MAX_RECORDS: Final = 500  # an answer: some milliseconds of the loop
MAX_MINUTES: Final = 1_440
LOOP_LIMIT_S: Final = 2.0
_T = TypeVar("_T")


class Selection(Frozen):
    text: Annotated[str, StringConstraints(min_length=1, max_length=16)]


def screen(status: StatusFile, inbox: Inbox, items: Mapping[str, int]) -> Routes:
    """`items`: the number of each slot."""

    def read(_query: Mapping[str, str], _body: bytes) -> Answer:
        if not status.text:
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, "the machine is starting; try again")
        return HTTPStatus.OK, status.text

    def select(_query: Mapping[str, str], body: bytes) -> Answer:
        try:
            typed = Selection.model_validate_json(body).text
        except ValidationError as error:
            raise Refused(HTTPStatus.BAD_REQUEST, f'{explain(error)}; send {{"text": "A1"}}') from None
        event = chosen(typed, items)
        if event is None:
            slot, item = next(iter(items.items()))
            raise Refused(
                HTTPStatus.UNPROCESSABLE_ENTITY,
                f"no such selection: type a slot such as {slot}, its number such as {item}, "
                "or a claim code of ten digits",
            )
        _post(inbox, event)
        accepted = {"slot": event.slot} if isinstance(event, SlotSelected) else {"claim": True}
        return HTTPStatus.ACCEPTED, json.dumps({"accepted": accepted})

    return {("GET", "/status"): read, ("POST", "/selection"): select}


def technician(inbox: Inbox, support: SupportFile, report_file: Path) -> Routes:
    def records(query: Mapping[str, str], _body: bytes) -> Answer:
        first, last = (_number(query, name) for name in ("from", "to"))
        if not first <= last < first + MAX_RECORDS:
            raise Refused(HTTPStatus.BAD_REQUEST, f"ask for 1 to {MAX_RECORDS} records, oldest first")
        answers = queue.SimpleQueue[list[Kept]]()
        _post(inbox, RecordsAsked(first, last, answers.put))
        return HTTPStatus.OK, json.dumps({"records": [row.as_json() for row in _answer(answers)]})

    def request(_query: Mapping[str, str], body: bytes) -> Answer:
        try:
            wanted = REQUEST.validate_json(body)
        except ValidationError as error:
            raise Refused(
                HTTPStatus.BAD_REQUEST, f"{explain(error)}; docs/local.md lists what can be asked for"
            ) from None
        answers = queue.SimpleQueue[str]()
        _post(inbox, Requested(wanted.event(), answers.put))
        refusal = _answer(answers)
        if refusal:
            raise Refused(HTTPStatus.CONFLICT, refusal)
        return HTTPStatus.OK, json.dumps({"done": wanted.kind})

    def report(query: Mapping[str, str], _body: bytes) -> Answer:
        minutes = _number(query, "minutes", "/support?minutes=10")
        if minutes > MAX_MINUTES:
            raise Refused(HTTPStatus.BAD_REQUEST, f"ask for 1 to {MAX_MINUTES} minutes")
        answers = queue.SimpleQueue[Picture]()
        _post(inbox, PictureAsked(answers.put))
        try:
            support.write(_answer(answers), minutes, report_file)
        except OSError as error:
            raise Refused(HTTPStatus.CONFLICT, f"the file cannot be written ({error})") from None
        return HTTPStatus.OK, json.dumps({"file": str(report_file)})

    return {("GET", "/records"): records, ("POST", "/request"): request, ("GET", "/support"): report}


def _answer(answers: "queue.SimpleQueue[_T]") -> _T:
    try:
        return answers.get(timeout=LOOP_LIMIT_S)
    except queue.Empty:
        raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, "the machine does not answer now; try again") from None


def _number(query: Mapping[str, str], name: str, example: str = "/records?from=1&to=100") -> int:
    text = query.get(name, "")
    if not (text.isascii() and text.isdigit() and len(text) < 19 and int(text) > 0):
        raise Refused(HTTPStatus.BAD_REQUEST, f"{name!r} is a number from 1: ask {example}")
    return int(text)


def _post(inbox: Inbox, event: SlotSelected | ClaimEntered | Asked) -> None:
    """Never waits."""
    try:
        if inbox.qsize() >= inbox.maxsize // 2:
            raise queue.Full
        inbox.put_nowait(event)
    except queue.Full:
        raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, "the machine is busy; try again") from None
