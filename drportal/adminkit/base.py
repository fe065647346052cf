"""The base of every page of the admin.

Django's admin asks permissions without the object and saves by itself; this does neither. A page
shows an object, a form hands what was typed to one service, and the service's words come back.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import update_wrapper
from http import HTTPStatus
from typing import Any, ClassVar, TypeVar

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.views.decorators.csrf import csrf_protect
from typing_extensions import override
from unfold.admin import ModelAdmin
from unfold.views import ChangeList

from drportal.access import Anybody, allowed, allowed_anywhere, visible
from drportal.actor import Actor, Door
from drportal.adminkit import confirm, sharing
from drportal.adminkit.forms import PortalForm
from drportal.errors import DomainError

M = TypeVar("M", bound=Model)
View = Callable[..., HttpResponse]


# What Django's own filters put behind a field's name.
_LOOKUPS = ("", "__exact", "__isnull", "__id__exact", "__gte", "__lt")


def _filter_name(entry: Any) -> str:
    name: str = entry if isinstance(entry, str) else entry.parameter_name
    return name


class _Rows(ChangeList):  # type: ignore[misc]  # the theme has no annotations
    """A list's rows, handed to the page once they are read, so that it adds what they show."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        rows: list[Any] = list(self.result_list)  # type: ignore[has-type]  # Django sets it
        self.result_list = rows
        self.model_admin.prepare(request, rows)


class PortalAdmin(ModelAdmin):  # type: ignore[misc]  # the theme has no annotations
    """A list, a page per object, and forms only where a subclass has a service for them.

    A subclass has a form for adding or editing if it overrides `form_for` and `save`, and
    deletion if it overrides `remove`; `can` names those it has.
    """

    icon: ClassVar[str] = "database"
    section: ClassVar[str] = ""
    menu: ClassVar[str] = ""  # the name in the menu, if not that of the model
    place: ClassVar[int] = 100
    can: ClassVar[frozenset[str]] = frozenset()
    page_template: ClassVar[str] = "admin/portal/page.html"
    form_template: ClassVar[str] = "admin/portal/form.html"
    shared_permissions: ClassVar[Sequence[tuple[str, str]]] = ()
    list_per_page = 50
    list_max_show_all = 500
    list_filter_sheet = True
    show_facets = False
    actions_selection_counter = True

    # Who may do what: one door, asked the same way of an object and of a list.

    def visible_to(self, user: Anybody) -> QuerySet[Any]:
        """The objects that `user` may see: all that any page of this kind ever shows them."""
        return visible(user, self.permission("view"), among=self.model._default_manager.all())

    def permission(self, action: str) -> str:
        """The full name of a permission on this model."""
        return f"{self.opts.app_label}.{action}_{self.opts.model_name}"

    def may(self, request: HttpRequest, action: str, obj: Model | None = None) -> bool:
        """May the person do `action` to `obj`, or, without one, to any object at all?"""
        permission = self.permission(action)
        if obj is not None:
            return allowed(request.user, permission, obj)
        among: QuerySet[Any] = self.model._default_manager.all()
        return allowed_anywhere(request.user, permission, among=among)

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        if obj is not None:
            return self.visible_to(request.user).filter(pk=obj.pk).exists()
        return (
            allowed(request.user, self.permission("view")) or self.visible_to(request.user).exists()
        )

    def has_add_permission(self, request: HttpRequest) -> bool:
        return "add" in self.can and allowed(request.user, self.permission("add"))

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return "change" in self.can and self.may(request, "change", obj)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return "delete" in self.can and self.may(request, "delete", obj)

    def has_share_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """May the person hand out permissions on `obj`?"""
        return "share" in self.can and self.may(request, "share", obj)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request) or self.has_add_permission(request)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return self.visible_to(request.user)

    def found(self, request: HttpRequest, object_id: str, action: str | None = None) -> Any:
        """The object, if the person may see it (else 404) and may do `action` to it (else 403)."""
        obj = self.get_object(request, object_id)
        if obj is None:
            raise Http404(f"There is no such {self.opts.verbose_name}.")
        if action is not None and not getattr(self, f"has_{action}_permission")(request, obj):
            raise PermissionDenied
        return obj

    def actor(self, request: HttpRequest) -> Actor:
        """The person at the browser. The admin lets nobody in who has not logged in."""
        if not isinstance(request.user, User):
            raise PermissionDenied
        return Actor.of(request.user, door=Door.ADMIN)

    def refused(
        self, request: HttpRequest, *, code: str, detail: str, obj: Model | None = None
    ) -> None:
        """Somebody was turned away, or a service refused. Here nothing is made of it."""

    def was_read(self, request: HttpRequest, obj: Model | None) -> None:
        """Somebody is about to be shown a page, of `obj` or a list. Here nothing is made of it."""

    # Where the pages are.

    def get_urls(self) -> list[URLPattern]:
        return [
            self.url("", self.changelist_view, "changelist"),
            self.url("add/", self.add_view, "add"),
            *self.more_urls(),
            self.url("<str:object_id>/change/", self.object_view, "change"),
            self.url("<str:object_id>/edit/", self.edit_view, "edit"),
            self.url("<str:object_id>/delete/", self.delete_view, "delete"),
            self.url("<str:object_id>/history/", self.history_view, "history"),
            self.url("<str:object_id>/share/", self.share_view, "share"),
        ]

    def more_urls(self) -> list[URLPattern]:
        """Pages that only this model has."""
        return []

    def url(self, route: str, view: View, name: str, *, repeats: bool = False) -> URLPattern:
        """A path to a view that only people who may enter the admin reach.

        With `repeats`, it is a part of a page that the browser fetches by itself, over and over:
        not every time counts as reading.
        """

        def watched(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            try:
                answer = view(request, *args, **kwargs)
            except PermissionDenied:
                self.refused(request, code="forbidden", detail="This is not theirs to do.")
                raise
            except Http404 as error:
                self.refused(request, code="not_found", detail=str(error))
                raise
            if request.method == "GET" and answer.status_code == HTTPStatus.OK and not repeats:
                context = getattr(answer, "context_data", None) or {}
                self.was_read(request, context.get("original"))
            return answer

        def entered(*args: Any, **kwargs: Any) -> HttpResponse:
            answer: HttpResponse = self.admin_site.admin_view(csrf_protect(watched))(
                *args, **kwargs
            )
            return answer

        full = f"{self.opts.app_label}_{self.opts.model_name}_{name}"
        return path(route, update_wrapper(entered, view), name=full)

    def link(self, name: str, obj: Model | None = None) -> str:
        """The address of one of this model's pages."""
        full = f"{self.admin_site.name}:{self.opts.app_label}_{self.opts.model_name}_{name}"
        return reverse(full, args=[obj.pk] if obj is not None else [])

    # The list.

    @override
    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[_Rows]:
        return _Rows

    @override
    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        # Django lets every field of the model be asked for, the beginning of a secret too.
        names = {_filter_name(entry) for entry in self.get_list_filter(request)}
        return lookup in {name + ending for name in names for ending in _LOOKUPS}

    def prepare(self, request: HttpRequest, rows: list[Any]) -> None:
        """Add to the rows of a list what they show beside their columns, in few queries."""

    # One object.

    def render(
        self,
        request: HttpRequest,
        template: str,
        *,
        obj: Model | None = None,
        title: str = "",
        status: int = 200,
        **context: Any,
    ) -> TemplateResponse:
        """A page in the frame of the admin."""
        request.current_app = self.admin_site.name
        frame = self.admin_site.each_context(request)
        frame |= {"opts": self.opts, "original": obj, "object": obj, "title": title or str(obj)}
        return TemplateResponse(request, template, frame | context, status=status)

    def object_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The page of one object."""
        obj = self.found(request, object_id)
        context = self.page_context(request, obj)
        buttons = [*self.page_buttons(request, obj), *self._usual_buttons(request, obj)]
        return self.render(request, self.page_template, obj=obj, buttons=buttons, **context)

    def page_context(self, request: HttpRequest, obj: Any) -> dict[str, Any]:  # noqa: ARG002  # subclasses use them
        """What the page of one object shows."""
        return {}

    def page_buttons(self, request: HttpRequest, obj: Any) -> list[dict[str, Any]]:  # noqa: ARG002  # subclasses use them
        """Links on the page of one object: `label`, `link`, and `tone` for those that act."""
        return []

    def _usual_buttons(self, request: HttpRequest, obj: Any) -> list[dict[str, Any]]:
        offered = []
        for action, label, name in (
            ("change", "Edit", "edit"),
            ("share", "Who may do what", "share"),
            ("delete", "Delete", "delete"),
        ):
            if getattr(self, f"has_{action}_permission")(request, obj):
                offered.append({"label": label, "link": self.link(name, obj), "name": name})
        if "history" in self.can:
            link = self.link("history", obj)
            offered.append({"label": "History", "link": link, "name": "history"})
        return offered

    # Forms.

    def add_view(self, request: HttpRequest, **_: Any) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        return self._form_view(request, None)

    def edit_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The form of one object."""
        return self._form_view(request, self.found(request, object_id, "change"))

    def _form_view(self, request: HttpRequest, obj: Any) -> HttpResponse:
        form = self.form_for(request, obj)
        wants_saving = request.method == "POST" and "_again" not in request.POST
        if wants_saving and form.is_valid():
            try:
                saved = self.save(request, form, obj)
            except DomainError as error:
                self.refused(request, code=error.code, detail=error.detail, obj=obj)
                form.refuse(error)
            else:
                self.message_user(request, f"{saved} was saved.", messages.SUCCESS)
                return HttpResponseRedirect(self.link("change", saved))
        name = self.opts.verbose_name
        return self.render(
            request,
            self.form_template,
            obj=obj,
            title=f"Edit {obj}" if obj is not None else f"Add {name}",
            form=form,
            back=self.link("change", obj) if obj is not None else self.link("changelist"),
            **self.form_context(request, form, obj),
        )

    def form_for(self, request: HttpRequest, obj: Any) -> PortalForm:
        """The form for a new object, or for `obj`, filled by the request if that is a POST."""
        raise NotImplementedError

    def form_context(self, request: HttpRequest, form: Any, obj: Any) -> dict[str, Any]:  # noqa: ARG002  # subclasses use them
        """What the form's page shows beside the fields."""
        return {}

    def save(self, request: HttpRequest, form: Any, obj: Any) -> Any:
        """Call the one service that the form is for, and return what it saved."""
        raise NotImplementedError

    def delete_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        obj = self.found(request, object_id, "delete")

        def act(_: dict[str, Any]) -> HttpResponse:
            name = str(obj)
            self.remove(obj, actor=self.actor(request))
            self.message_user(request, f"{name} was deleted.", messages.SUCCESS)
            return HttpResponseRedirect(self.link("changelist"))

        question = confirm.Question(
            title=f"Delete {obj}",
            text=f"The {self.opts.verbose_name} {obj} will be deleted. This cannot be undone.",
            verb="Delete",
            typed=self.typed_name(obj),
        )
        return confirm.confirm(self, request, obj, question, act)

    def typed_name(self, obj: Any) -> str:
        """What has to be typed before `obj` is deleted."""
        return str(getattr(obj, "name", obj))

    def remove(self, obj: Any, *, actor: Actor) -> None:
        """Call the service that deletes `obj`."""
        raise NotImplementedError

    # History, and who may do what.

    def history_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        obj = self.found(request, object_id)
        if "history" not in self.can:
            raise Http404("There is no history of this.")
        lines = self.history(obj)
        return self.render(
            request, "admin/portal/history.html", obj=obj, title=f"History of {obj}", lines=lines
        )

    def history(self, obj: Any) -> Iterable[Any]:
        """The audit records about `obj`, newest first."""
        raise NotImplementedError

    def share_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Who may do what to one object, and the form to change that."""
        obj = self.found(request, object_id, "share")
        return sharing.share(self, request, obj)

    def shared(self, obj: Any, *, change: "sharing.Change", actor: Actor) -> None:
        """Record, in the change's transaction, that permissions were given or taken."""
        raise NotImplementedError
