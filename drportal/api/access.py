"""The viewset that all of the API stands on: what a person may not see is not there (404), what
they may see but not do is refused (403), and an action that declares nothing is nobody's.
"""

from collections.abc import Mapping, Set
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any, ClassVar

from django.contrib.auth.models import AbstractUser
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.db.models import Model, QuerySet
from django.http import Http404
from rest_framework.exceptions import APIException
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from drportal.access import allowed
from drportal.actor import Actor, Door
from drportal.api import idempotency
from drportal.api.filters import must_be_declared
from drportal.api.parsing import must_have_a_fitting_length
from drportal.errors import DomainError, Forbidden, NotFound


class Of(StrEnum):
    """Of what a permission is asked."""

    EVERYTHING = "EVERYTHING"
    THE_OBJECT = "THE_OBJECT"
    WHAT_IS_SEEN = "WHAT_IS_SEEN"
    ONESELF = "ONESELF"


@dataclass(frozen=True, slots=True)
class Needs:
    """What an action needs: `permission`, asked of what `of` says.

    EVERYTHING asks before the action begins. THE_OBJECT asks once the object is found.
    WHAT_IS_SEEN asks nothing more, because the view's queryset holds nothing else. ONESELF is for
    what every signed-in person may know of themselves.
    """

    permission: str
    of: Of

    @classmethod
    def everywhere(cls, permission: str) -> "Needs":
        return cls(permission, Of.EVERYTHING)

    @classmethod
    def on_it(cls, permission: str) -> "Needs":
        return cls(permission, Of.THE_OBJECT)

    @classmethod
    def to_see(cls, permission: str) -> "Needs":
        return cls(permission, Of.WHAT_IS_SEEN)

    @classmethod
    def to_be(cls) -> "Needs":
        return cls("", Of.ONESELF)


class PortalViewSet(GenericViewSet[Any]):
    """A kind of object. Subclasses say in `needs` what each action needs, and in `seen` which
    objects the person may see. `lists` are the actions that answer in pages, `parameters` what
    an action takes beside pages and filters, `repeatable` what may be given more than once.
    Writes may carry an Idempotency-Key unless `replayable` is False.
    """

    http_method_names = ["get", "head", "post", "put", "patch", "delete"]
    needs: ClassVar[Mapping[str, Needs]] = {}
    lists: ClassVar[Set[str]] = frozenset({"list"})
    parameters: ClassVar[Mapping[str, Set[str]]] = {}
    repeatable: ClassVar[Set[str]] = frozenset()
    replayable: ClassVar[bool] = True
    lookup_field = "pk"
    lookup_value_converter = "uuid"
    found: Model | None = None  # the object that the request is about, once one may see it

    def seen(self) -> QuerySet[Any]:
        """The objects that the person may see, with what the answer shows of them."""
        raise NotImplementedError

    def asked_of(self, found: Any) -> Model | None:
        """The object that holds the permissions on `found`. None: only model-wide ones count."""
        kept: Model = found
        return kept

    def get_queryset(self) -> QuerySet[Any]:
        return self.seen()

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if request.method not in self.allowed_methods:
            return  # dispatch says so next
        if request.method not in SAFE_METHODS:
            must_have_a_fitting_length(request)
        must_be_declared(request, self._parameters(), self.repeatable)
        needs = self._needed()
        if needs.of == Of.EVERYTHING and not allowed(request.user, needs.permission):
            raise Forbidden("You may not do this.", permission=needs.permission)
        self._do_once(request)

    def the_object(self, of: QuerySet[Any] | None = None) -> Any:
        """The object that the path names. Raises NotFound if the person may not see it, and
        Forbidden if they may see it, but not do this to it.
        """
        found = (self.get_queryset() if of is None else of).filter(**self.key()).first()
        if found is None:
            raise NotFound("There is no such object, or none that you may see.")
        self.found = found
        needs = self._needed()
        if needs.of == Of.THE_OBJECT and not allowed(
            self.request.user, needs.permission, self.asked_of(found)
        ):
            raise Forbidden("You may see this, but not do this to it.", permission=needs.permission)
        return found

    def key(self) -> dict[str, Any]:
        """How the object is looked up by what the path says."""
        return {"pk": self.kwargs["pk"]}

    def taken(self, serializer: type[Any], *, partial: bool = False) -> dict[str, Any]:
        """What the body holds, once `serializer` has found it right."""
        taking = serializer(data=self.request.data, partial=partial)
        taking.is_valid(raise_exception=True)
        found: dict[str, Any] = taking.validated_data
        return found

    def created(self, data: Any, pk: object, *, status: int = 201) -> Response:
        """The answer that something was made, or begun, and where it is."""
        where = self.reverse_action("detail", kwargs={"pk": pk})
        return Response(data, status=status, headers={"Location": where})

    def paged(self, rows: QuerySet[Any], serializer: type[Any], **context: Any) -> Response:
        """A page of `rows`."""
        page = self.paginate_queryset(rows)
        return self.get_paginated_response(serializer(page, many=True, context=context).data)

    @property
    def actor(self) -> Actor:
        """The person who asks."""
        user = self.request.user
        if not isinstance(user, AbstractUser):
            raise TypeError("nobody anonymous gets this far")
        return Actor.of(user, door=Door.API)

    def _needed(self) -> Needs:
        needs = self.needs.get(self.action or "")
        if needs is None:
            raise ImproperlyConfigured(f"{type(self).__name__}.{self.action} declares no needs")
        return needs

    def _parameters(self) -> set[str]:
        own = set(self.parameters.get(self.action or "", ()))
        if self.action not in self.lists:
            return own
        filterset = getattr(self, "filterset_class", None) if self.action == "list" else None
        names = set(filterset.base_filters) if filterset else set()
        return own | names | set(getattr(self.pagination_class, "parameters", ()))

    def _do_once(self, request: Request) -> None:
        """Let a write that names a key answer as it did before, if it was done before."""
        method = (request.method or "").lower()
        if method.upper() in SAFE_METHODS or not self.replayable:
            return
        key = idempotency.key_of(request)
        if key is not None:
            setattr(self, method, partial(self._once, key, getattr(self, method)))

    def _once(self, key: str, act: Any, request: Request, *args: Any, **kwargs: Any) -> Response:
        def answer() -> Response:
            try:
                response: Response = act(request, *args, **kwargs)
            except (DomainError, APIException, Http404, PermissionDenied) as refusal:
                response = self.handle_exception(refusal)
            return response

        return idempotency.once(request, key, answer)
