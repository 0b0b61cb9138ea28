"""`vend-tap`: MQTT traffic as files (docs/captures.md).

Data on stdout, talk on stderr; 0 ok, 1 trouble, 2 usage.
"""

import click

from shared.tap import files, live, shrinking


@click.group()
@click.version_option(package_name="vendlink")
def main() -> None:
    """Record MQTT traffic, look at it, change it, play it again."""


COMMANDS = (
    *(live.record, live.tail, files.show, files.diff, files.cut, files.rename, files.check),
    *(live.replay, shrinking.shrink_command),
)
for command in COMMANDS:
    main.add_command(command)

if __name__ == "__main__":
    main()
