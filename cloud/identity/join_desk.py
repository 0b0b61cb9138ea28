"""The join desk: HTTPS for machines that have no certificate yet. It trusts nobody but who has an invitation.

GET /authority: the authority's certificate, which the machine compares with the fingerprint in its code.
POST /join: a JoinRequest; answered with a JoinAnswer, or {"error", "code"} and 400, 403 or 429. Asking again
with the same key and code gets the same certificate. Tries are limited for all together: checking one is slow
on purpose and holds up this process.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Final

from aiohttp import web
from pydantic import ValidationError

from cloud.identity.issue import Desk, JoinRequest, RefusedError
from shared.fields import explain

_log = logging.getLogger(__name__)
_BODY_LIMIT_BYTES: Final = 16 * 1024
TRIES: Final = 60
TRIES_S: Final = 60.0
_STATUS: Final = {"bad_request": 400, "not_invited": 403, "busy": 429}


class Pace:
    """So many tries in so many seconds, whoever makes them."""

    def __init__(self, tries: int, in_s: float) -> None:
        self._tries, self._in_s = tries, in_s
        self._times_s: deque[float] = deque(maxlen=tries)

    def allows(self, now_s: float) -> bool:
        full = len(self._times_s) == self._tries
        if full and now_s - self._times_s[0] < self._in_s:
            return False
        self._times_s.append(now_s)
        return True


def application(
    desk: Desk,
    wall_ns: Callable[[], int],
    monotonic_s: Callable[[], float],
    welcome: Callable[[], None],
) -> web.Application:
    """`welcome`: give a machine that was revoked its rights back, now that it has a certificate again."""
    pace = Pace(TRIES, TRIES_S)

    async def authority(_request: web.Request) -> web.Response:
        return web.Response(body=desk.authority.pem, content_type="application/x-pem-file")

    async def join(request: web.Request) -> web.Response:
        try:
            if not pace.allows(monotonic_s()):
                raise RefusedError("busy", "too many machines ask at once; try again in a minute")
            wanted = _read(await request.read())
            was_denied = wanted.machine in desk.register.denied()
            answer = desk.join(wanted, wall_ns())
        except RefusedError as error:
            _log.warning("join refused to %s: %s", request.remote, error)
            return web.json_response({"error": str(error), "code": error.code}, status=_STATUS[error.code])
        _log.info("%s joined from %s", wanted.machine, request.remote)
        if was_denied:
            await asyncio.to_thread(welcome)
        return web.json_response(text=answer.model_dump_json())

    built = web.Application(client_max_size=_BODY_LIMIT_BYTES)
    built.add_routes([web.get("/authority", authority), web.post("/join", join)])
    return built


def _read(body: bytes) -> JoinRequest:
    try:
        return JoinRequest.model_validate_json(body)
    except ValidationError as error:
        raise RefusedError("bad_request", explain(error)) from None
