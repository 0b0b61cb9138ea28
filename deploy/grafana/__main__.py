"""Write the provisioning files: python -m deploy.grafana --out FOLDER [--zone Europe/Berlin] [--digits 2]"""

import sys
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click

from deploy.grafana.files import files
from deploy.grafana.rows import Look


@click.command()
@click.option(
    "--out", required=True, type=click.Path(path_type=Path), help="Folder; it is made where missing."
)
@click.option("--zone", default="UTC", show_default=True, help="Whose days and hours: [reports] time_zone.")
@click.option("--digits", default=2, show_default=True, type=click.IntRange(0, 3), help="Of the currency.")
def main(out: Path, zone: str, digits: int) -> None:
    """Write Grafana's data source, dashboards and alerts as provisioning files."""
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise click.BadParameter(
            f"no time zone is called {zone}; try Europe/Berlin", param_hint="--zone"
        ) from None
    for path, text in files(Look(zone, digits)).items():
        target = out / path
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
        except OSError as error:
            click.echo(f"cannot write {target} ({error}); name another folder", err=True)
            sys.exit(1)
        click.echo(target)


if __name__ == "__main__":
    main()
