"""What a technician's command cannot do, in a sentence and with the exit status it ends with."""

from typing import Final

EXIT_TROUBLE: Final = 1
EXIT_SETTINGS: Final = 2  # as click's own word for wrong usage
EXIT_RUNNING: Final = 3  # the machine runs, and this needs it stopped
EXIT_JOURNAL: Final = 4
EXIT_RESTART: Final = 5  # a command ended it; not 0, so that whatever supervises it starts it again


class CommandError(Exception):
    def __init__(self, text: str, exit_status: int = EXIT_TROUBLE) -> None:
        super().__init__(text)
        self.exit_status = exit_status
