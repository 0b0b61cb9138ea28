"""Every identity in one row: its newest certificate, or its invitation, and what is to be done about it."""

from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

from cloud.identity.register import Issued, Register

State = Literal["good", "expiring", "expired", "revoked", "invited"]
_PROOF: Final = "proof"


@dataclass(frozen=True, slots=True)
class Identity:
    """`until_ns`: of the certificate, or of the invitation of a machine that has none."""

    name: str
    state: State
    until_ns: int
    serial: str = ""
    how: str = ""
    who: str = ""
    reason: str = ""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def overview(register: Register, now_ns: int) -> list[Identity]:
    invited = {i.machine: i for i in register.invitations(now_ns)}
    rows = {name: _row(register.of(name), now_ns) for name in register.everybody()}
    for name, invitation in invited.items():
        if name not in rows or rows[name].state in {"expired", "revoked"}:
            rows[name] = Identity(name, "invited", invitation.expires_at_ns, who=invitation.who)
    return [rows[name] for name in sorted(rows)]


def _row(issued: list[Issued], now_ns: int) -> Identity:
    """`issued`: of one name, the newest first. Proofs of a revocation are nobody's."""
    theirs = [c for c in issued if c.how != _PROOF]
    newest = next((c for c in theirs if c.revoked_at_ns is None), theirs[0])
    return Identity(
        newest.name,
        _state(newest, now_ns),
        newest.not_after_ns,
        newest.serial,
        newest.how,
        newest.who,
        newest.reason,
    )


def _state(issued: Issued, now_ns: int) -> State:
    if issued.revoked_at_ns is not None:
        return "revoked"
    if now_ns >= issued.not_after_ns:
        return "expired"
    # A machine renews at two thirds; a tenth of the life later something keeps it from that.
    late_ns = (issued.not_after_ns - issued.not_before_ns) // 10
    return "expiring" if now_ns >= issued.certificate.renew_at_ns + late_ns else "good"
