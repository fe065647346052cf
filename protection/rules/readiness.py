"""Whether a source server could be launched, as far as what DRS said of it tells."""

from dataclasses import dataclass

from protection.choices import Readiness

# Lag or a stall does not keep DRS from launching: it launches the last consistent point
# (DRS user guide). A first sync that is not finished does.
_BEHIND = {"BACKLOG", "STALLED", "RESCAN", "PAUSED", "CREATING_SNAPSHOT"}
_NOT_YET = {"INITIATING", "INITIAL_SYNC"}
_OFF = {"STOPPED", "DISCONNECTED"}


@dataclass(frozen=True, slots=True)
class Verdict:
    """A readiness, and the sentence that says why; the sentence is empty for READY."""

    readiness: Readiness
    reason: str = ""

    @property
    def launchable(self) -> bool:
        return self.readiness in {Readiness.READY, Readiness.LAGGING}


def verdict(
    *,
    replication_state: str,
    first_synced: bool,
    staging_status: str,
    staging_error: str,
    gone: bool,
) -> Verdict:
    """The readiness of a server with these facts. A state that we do not know is UNKNOWN."""
    word = replication_state.replace("_", " ").lower()
    if gone:
        return Verdict(Readiness.NOT_READY, "DRS no longer lists it")
    if staging_status == "EXTENSION_ERROR":
        return Verdict(Readiness.NOT_READY, f"its extension is broken: {staging_error}")
    if replication_state in _OFF:
        return Verdict(Readiness.NOT_READY, f"its replication is {word}")
    if replication_state in _NOT_YET or (replication_state in _BEHIND and not first_synced):
        return Verdict(Readiness.NOT_READY, f"its first sync has not finished ({word})")
    if replication_state in _BEHIND:
        return Verdict(Readiness.LAGGING, f"its replication is behind ({word})")
    if replication_state == "CONTINUOUS":
        return Verdict(Readiness.READY)
    return Verdict(Readiness.UNKNOWN, f"DRS reports {replication_state or 'no replication state'}")
