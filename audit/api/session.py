"""Logging in and out, and who one is."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth import authenticate, login, logout
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.middleware.csrf import get_token
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from audit.api.serializers import LogIn, Person, Session
from audit.api.views import RecordedViewSet
from audit.services import record
from drportal.actor import Actor, Door
from drportal.api.access import Needs
from drportal.api.errors import CredentialsRefused
from drportal.api.schema import refusal
from drportal.api.throttling import LogInTries


class SessionViewSet(RecordedViewSet):
    """The session of whoever asks."""

    needs = {"create": Needs.to_be(), "destroy": Needs.to_be()}
    serializer_class = LogIn
    replayable = False

    def get_authenticators(self) -> list[Any]:
        return [] if self._logging_in() else super().get_authenticators()

    def get_permissions(self) -> Any:
        return [] if self._logging_in() else super().get_permissions()

    def get_throttles(self) -> list[Any]:
        return [LogInTries()] if self._logging_in() else []

    @extend_schema(
        responses={200: Session, **refusal(429, "Too many tries; Retry-After says until when.")},
        auth=[],
    )
    @sensitive_variables()
    def create(self, request: Request) -> Response:
        """Log in with a username and a password, and get a session cookie and a CSRF token.

        At most 10 tries a minute for a username.
        """
        given = self.taken(LogIn)
        person = authenticate(
            request._request,  # noqa: SLF001  # Django's own functions want Django's own request
            username=given["username"],
            password=given["password"],
        )
        if not isinstance(person, User):
            raise CredentialsRefused
        with transaction.atomic():
            login(request._request, person)  # noqa: SLF001  # as above
            record("portal.session.opened", actor=Actor.of(person, door=Door.API), subject=person)
        token = get_token(request._request)  # noqa: SLF001  # as above
        until = timezone.now() + timedelta(seconds=settings.SESSION_COOKIE_AGE)
        answer = {"username": person.get_username(), "csrf_token": token, "expires_at": until}
        return Response(Session(answer).data)

    @extend_schema(request=None, responses={204: None})
    def destroy(self, request: Request) -> Response:
        """Log out: the session ends."""
        with transaction.atomic():
            record("portal.session.closed", actor=self.actor)
            logout(request._request)  # noqa: SLF001  # Django's own function wants its own request
        return Response(status=204)

    def _logging_in(self) -> bool:
        # There is no request while the OpenAPI document is made.
        request: HttpRequest | None = self.request
        return request is not None and request.method == "POST"


class WhoamiViewSet(RecordedViewSet):
    """The person who asks."""

    needs = {"retrieve": Needs.to_be()}
    serializer_class = Person
    pagination_class = None
    filter_backends = ()

    def seen(self) -> QuerySet[Any]:
        return User.objects.filter(username=self.request.user.get_username())

    @extend_schema(responses={200: Person})
    def retrieve(self, _: Request) -> Response:
        """Who one is, which roles one has and what one may do to every object of a kind."""
        person = self.seen().get()
        answer = {
            "id": person.pk,
            "username": person.get_username(),
            "full_name": person.get_full_name(),
            "superuser": person.is_superuser,
            "roles": sorted(person.groups.values_list("name", flat=True)),
            "permissions": sorted(person.get_all_permissions()),
        }
        return Response(Person(answer).data)
