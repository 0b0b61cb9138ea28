"""Certificate authorities and certificates of one test run, made with the openssl command."""

import subprocess
from pathlib import Path


def _openssl(folder: Path, *words: str) -> None:
    subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True, timeout=30)


_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


def make_authority(folder: Path, name: str) -> None:
    """`name`.crt and `name`.key: signs certificates with `sign`."""
    _openssl(
        folder,
        *("req", "-x509", *_KEY, "-days", "2", "-subj", f"/CN={name}"),
        *("-keyout", f"{name}.key", "-out", f"{name}.crt"),
    )


def sign(folder: Path, authority: str, common_name: str, file: str) -> None:
    """`file`.crt and `file`.key for this common name; good for 127.0.0.1 too, if it is a server's."""
    request, extensions = f"{file}.csr", folder / "extensions"
    extensions.write_text("subjectAltName = IP:127.0.0.1\n")
    _openssl(folder, "req", *_KEY, "-subj", f"/CN={common_name}", "-keyout", f"{file}.key", "-out", request)
    _openssl(
        folder,
        *("x509", "-req", "-days", "2", "-in", request, "-out", f"{file}.crt", "-extfile", "extensions"),
        *("-CA", f"{authority}.crt", "-CAkey", f"{authority}.key", "-CAcreateserial"),
    )
