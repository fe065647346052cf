"""The house rules that every path of the API keeps."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db.models import QuerySet
from django.urls import URLPattern, URLResolver, get_resolver
from rest_framework.response import Response

from audit.api.views import RecordedViewSet
from drportal.api.access import Of, PortalViewSet
from drportal.api.pagination import Pages
from drportal.api.urls import OpenApi
from protection.models import ProtectionGroup
from tests.factories.users import UserFactory

ONESELF = {"session", "whoami"}


def _patterns(resolver: URLResolver, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for entry in resolver.url_patterns:
        path = prefix + str(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from _patterns(entry, path)
        elif isinstance(entry, URLPattern):
            yield path, entry.callback


def _views() -> list[tuple[str, Any, dict[str, str]]]:
    found = []
    for path, callback in _patterns(get_resolver()):
        view = getattr(callback, "cls", None)
        if path.startswith("api/v1/") and view is not OpenApi and view is not None:
            found.append((path, view, callback.actions))
    return found


def _actions() -> list[tuple[str, type[PortalViewSet], str]]:
    return [(path, view, action) for path, view, actions in _views() for action in actions.values()]


def test_all_paths_are_found():
    assert len({path for path, _, _ in _views()}) == 124


def test_the_only_views_that_are_no_viewsets_are_known():
    plain = {
        path
        for path, callback in _patterns(get_resolver())
        if path.startswith("api/") and not hasattr(callback, "cls")
    }
    assert plain == {"api/^.*$"}


@pytest.mark.parametrize(("path", "view", "action"), _actions())
def test_every_action_is_recorded_and_says_what_it_needs(path, view, action):
    assert issubclass(view, RecordedViewSet)
    needs = view.needs[action]
    if needs.of is Of.ONESELF:
        assert path.removeprefix("api/v1/") in ONESELF
    else:
        app, _, codename = needs.permission.partition(".")
        assert app in {"protection", "recovery"}
        assert codename


@pytest.mark.parametrize(("path", "view", "action"), _actions())
def test_every_action_says_what_it_does(path, view, action):
    assert getattr(view, action).__doc__


@pytest.mark.parametrize(("path", "view", "actions"), _views())
def test_every_list_is_paged(path, view, actions):
    for action in view.lists & set(actions.values()):
        kwargs = getattr(getattr(view, action), "kwargs", {})
        assert issubclass(kwargs.get("pagination_class", view.pagination_class), Pages)


@pytest.mark.django_db
def test_an_action_that_declares_nothing_is_nobodys(rf):
    class Careless(PortalViewSet):
        def seen(self) -> QuerySet[Any]:
            return ProtectionGroup.objects.all()

        def list(self, _: Any) -> Response:
            return Response("all of it")

    request = rf.get("/api/v1/careless")
    request.user = UserFactory.create(is_superuser=True)
    request._dont_enforce_csrf_checks = True
    with pytest.raises(ImproperlyConfigured, match="declares no needs"):
        Careless.as_view({"get": "list"})(request)
