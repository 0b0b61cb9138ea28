"""`vend-edge visit`, `refill`, `collect` and the like: ask the running machine, and say what it says."""

from edge.config import EdgeSettings
from edge.requests import Request
from edge.technician.client import Declined, NoAnswer, ask
from edge.technician.trouble import CommandError


def ask_for(settings: EdgeSettings, wanted: Request) -> None:
    """Returns when it is done. Raises CommandError with the reason why it is not."""
    try:
        ask(settings.technician_socket, "/request", wanted.model_dump_json())
    except Declined as error:
        raise CommandError(str(error)) from None
    except NoAnswer as error:
        raise CommandError(
            f"nobody answers at {settings.technician_socket} ({error}): is the machine running, "
            "and may this user use the socket?"
        ) from None
