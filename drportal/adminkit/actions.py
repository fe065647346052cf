"""Actions on the ticked rows of a list."""

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from django.contrib import messages
from django.db.models import Model, QuerySet
from django.http import HttpRequest

from drportal.access import allowed
from drportal.errors import DomainError

if TYPE_CHECKING:
    from drportal.adminkit.base import PortalAdmin

M = TypeVar("M", bound=Model)

_SHOWN = 10  # refusals told one by one


def run(
    page: "PortalAdmin",
    request: HttpRequest,
    ticked: QuerySet[M],
    *,
    permission: str,
    service: Callable[[M], object],
    done: str,
) -> None:
    """Call `service` for each ticked object that the person may do `permission` to.

    Each is its own transaction: what one refuses does not undo the others, and the summary says
    how many were done and why the others were not.
    """
    succeeded = 0
    refused: list[str] = []
    for obj in ticked:
        if not allowed(request.user, permission, obj):
            page.refused(request, code="forbidden", detail="This is not theirs to do.", obj=obj)
            refused.append(f"{obj}: you may not do this.")
            continue
        try:
            service(obj)
        except DomainError as error:
            page.refused(request, code=error.code, detail=error.detail, obj=obj)
            refused.append(f"{obj}: {error.detail}")
        else:
            succeeded += 1
    if succeeded:
        page.message_user(request, f"{done}: {succeeded}.", messages.SUCCESS)
    for sentence in refused[:_SHOWN]:
        page.message_user(request, f"Not done: {sentence}", messages.ERROR)
    if len(refused) > _SHOWN:
        more = f"Not done: {len(refused) - _SHOWN} more."
        page.message_user(request, more, messages.ERROR)
