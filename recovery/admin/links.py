"""Where the link in a mail leads first: it is put by, and the person asked to log in."""

from typing import Final

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.http import require_safe

from recovery.services import approval_links

KEPT: Final = "approval_link"


@require_safe
def enter(request: HttpRequest) -> HttpResponse:
    """Note in the browser's own session which link it came by, and go on to the page that asks.

    So the token is in no other address, neither that of the log-in page nor of any other, and is in
    no record. Nothing else is changed: whoever follows a link automatically does no harm.
    """
    found = approval_links.known(request.GET.get("token", ""))
    if found is not None:
        request.session[KEPT] = str(found)
    elif KEPT in request.session:
        del request.session[KEPT]
    answer = HttpResponseRedirect(reverse("admin:recovery_execution_link"))
    answer["Cache-Control"] = "no-store"
    answer["Referrer-Policy"] = "no-referrer"
    return answer
