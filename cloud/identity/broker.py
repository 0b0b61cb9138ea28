"""What the broker reads of us, telling it to read again, and proof that it did.

Mosquitto takes a new revocation list and new rights at SIGHUP (measured with 2.0.11): the list keeps a
revoked certificate from connecting again, resumed TLS sessions included; the rights silence a connection that
is there already. Neither ends that connection; coming in under its name does, as one name is one client.
"""

import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Final

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from cloud.identity import rights
from cloud.identity.issue import Desk
from shared import certificates as certs
from shared.files import write_whole
from shared.settings import MqttSettings
from shared.topics import CERTIFICATE_REQUEST

AUTHORITY, RIGHTS, REVOKED = "ca.crt", "acl", "crl.pem"
CERTIFICATE, KEY = "broker.crt", "broker.key"
_PROOF_LIFE: Final = timedelta(minutes=10)
_HOOK_LIMIT_S: Final = 30.0
_ANSWER_LIMIT_S: Final = 5.0
_DENIED: Final = 0x87


class BrokerTroubleError(Exception):
    """The broker could not be told, or does not obey; the text says what to do."""


def write_rights(desk: Desk, folder: Path, now_ns: int) -> None:
    """Revocation list and rights as the register has them now, each file whole. Raises OSError.

    In a transaction: of two programs that write, the later one has seen what the earlier one knew.
    """
    register = desk.register
    with register.transaction():
        write_whole(folder / AUTHORITY, desk.authority.pem, 0o644)
        write_whole(folder / REVOKED, desk.authority.revocation_list(register.revoked(now_ns), now_ns), 0o644)
        write_whole(folder / RIGHTS, rights.text(register.denied()).encode(), 0o644)


def tell(command: Sequence[str]) -> None:
    """Run the operator's command that makes the broker read again, if there is one.

    Raises BrokerTroubleError.
    """
    if not command:
        return
    words = " ".join(command)
    try:
        subprocess.run(  # noqa: S603  # the operator's own settings name it
            command, check=True, capture_output=True, text=True, timeout=_HOOK_LIMIT_S
        )
    except subprocess.CalledProcessError as error:
        why = error.stderr.strip() or f"exit status {error.returncode}"
        raise BrokerTroubleError(f"`{words}` failed ({why}); the broker goes by its old rights") from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BrokerTroubleError(
            f"`{words}` cannot be run ({error}); check [identity] broker_reload"
        ) from None


def denies(desk: Desk, name: str, mqtt_settings: MqttSettings, now_ns: int) -> bool:
    """Come in under a revoked name, which ends its connection, and see that it may do nothing any more.

    The certificate for it is revoked as it is made; only a list that is written later keeps it out.
    Raises BrokerTroubleError when the broker cannot be asked.
    """
    key = certs.new_key()
    with desk.register.transaction():
        made = desk.issue(
            name, key.public_key(), "proof", "vend-cloud", now_ns, life=_PROOF_LIFE, revoked_at_ns=now_ns
        )
    with tempfile.TemporaryDirectory() as folder:
        own, authority = Path(folder, "own.pem"), Path(folder, "ca.crt")
        write_whole(own, made.pem.encode() + certs.key_pem(key), 0o600)
        write_whole(authority, desk.authority.pem, 0o600)
        client = _client(name, own, authority)
    answers: SimpleQueue[int] = SimpleQueue()
    client.on_connect = lambda _client, _data, _flags, reason, _props: answers.put(reason.value)
    client.on_publish = lambda _client, _data, _mid, reason, _props: answers.put(reason.value)
    try:
        client.connect(mqtt_settings.host, mqtt_settings.port, clean_start=True)
        client.loop_start()
        with closing(_Ending(client)):
            if refused := answers.get(timeout=_ANSWER_LIMIT_S):
                raise BrokerTroubleError(f"the broker does not let us in as {name}: MQTT reason {refused}")
            client.publish(CERTIFICATE_REQUEST.of(name), b"", qos=1)
            return answers.get(timeout=_ANSWER_LIMIT_S) == _DENIED
    except (OSError, ValueError, Empty) as error:
        place = f"{mqtt_settings.host}:{mqtt_settings.port}"
        why = str(error) or "no answer"
        raise BrokerTroubleError(f"{place}: the broker could not be asked whether it obeys ({why})") from None


class _Ending:
    def __init__(self, client: mqtt.Client) -> None:
        self._client = client

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def _client(name: str, own: Path, authority: Path) -> mqtt.Client:
    """MQTT 5, whatever the settings say: only there a refused publication is told."""
    client = mqtt.Client(
        CallbackAPIVersion.VERSION2, client_id=name, protocol=mqtt.MQTTv5, reconnect_on_failure=False
    )
    client.tls_set(str(authority), str(own), str(own))
    return client
