"""`vend-edge support`: the running machine writes a bug report, and it comes to where it is wanted."""

import shutil
from pathlib import Path

from edge.config import EdgeSettings
from edge.technician.client import Declined, NoAnswer, ask
from edge.technician.trouble import CommandError


def fetch(settings: EdgeSettings, minutes: int, out: Path) -> None:
    """Raises CommandError."""
    if out.exists():
        raise CommandError(f"{out} is there already; name another file")
    try:
        written = ask(settings.technician_socket, f"/support?minutes={minutes}")
        shutil.copyfile(written["file"], out)
    except Declined as error:
        raise CommandError(str(error)) from None
    except NoAnswer as error:
        raise CommandError(
            f"nobody answers at {settings.technician_socket} ({error}): is the machine running, "
            "and may this user use the socket?"
        ) from None
    except OSError as error:
        raise CommandError(f"{out} cannot be written ({error})") from None
