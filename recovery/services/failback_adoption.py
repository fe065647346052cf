"""Taking failbacks up again after a restore: what the mirror tells may be older than the truth.

So one that was under way carries `restored_at`: no launch back of it is asked for before it has
been looked whether DRS did it already.
"""

from django.db import transaction
from django.utils import timezone

from recovery.errors import ServersHeld
from recovery.failback_states import FAILBACK, RETURN
from recovery.models import Failback
from recovery.services import executions
from recovery.services.events import note


def take_up_again() -> None:
    """Let failbacks that had not ended hold their servers again, and go on."""
    live = Failback.objects.filter(state__in=sorted(FAILBACK.active))
    for failback in live.select_related("execution"):
        now = timezone.now()
        Failback.objects.filter(pk=failback.pk).update(restored_at=now, due_at=now)
        _hold(failback)
        note(failback.execution, "failback.restored", "Failback: restored from the mirror.")


def _hold(failback: Failback) -> None:
    """Should somebody else say that they hold one of the servers, they held it later."""
    rows = failback.instances.filter(state__in=sorted(RETURN.active))
    for row in rows.select_related("server"):
        mine = failback.execution.servers.filter(pk=row.server_id)
        try:
            with transaction.atomic():
                executions.claim(failback.execution, mine)
        except ServersHeld as error:
            said = f"{row.server} is not held for the failback: {error.detail}"
            note(failback.execution, "failback.not_held", said, server=row.server)
