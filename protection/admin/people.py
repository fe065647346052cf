"""People and roles. Nobody manages, or makes, a person who may do more than they may themselves."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import Group, Permission, User
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.db.models import Count, Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern
from typing_extensions import override

from audit.services import record
from drportal.access import Anybody, allowed
from drportal.actor import Actor
from drportal.adminkit.forms import PortalForm
from drportal.adminkit.site import site
from drportal.adminkit.widgets import Tone, age, badge
from drportal.errors import InvalidInput
from protection.admin.recorded import RecordedAdmin


def add_person(*, username: str, roles: Iterable[Group], actor: Actor, **fields: Any) -> User:
    """Add a person, who cannot log in before a password is set. Raises InvalidInput."""
    person = User(username=username, **fields)
    person.set_unusable_password()
    try:
        with transaction.atomic():
            person.save(force_insert=True)
            _set_roles(person, roles)
            _record("added", person, actor=actor, **fields)
    except IntegrityError as error:
        if "username" not in str(error):
            raise
        message = "There is a person of this name already."
        raise InvalidInput.field("username", "taken", message) from error
    return person


@transaction.atomic
def edit_person(person: User, *, roles: Iterable[Group], actor: Actor, **fields: Any) -> User:
    """Change a person's fields and roles. Raises InvalidInput rather than lock oneself out."""
    person = User.objects.select_for_update().get(pk=person.pk)
    own = ("is_active", "is_staff", "is_superuser")
    lost = [name for name in own if getattr(person, name) and fields.get(name) is False]
    if person.pk == actor.user_id and lost:
        raise InvalidInput.field(lost[0], "yourself", "You cannot take your own access away.")
    for name, value in fields.items():
        setattr(person, name, value)
    person.save(update_fields=list(fields))
    _set_roles(person, roles)
    _record("edited", person, actor=actor, **fields)
    return person


@transaction.atomic
def set_password(person: User, password: str, *, actor: Actor) -> None:
    """Give a person a new password, which ends their sessions."""
    person.set_password(password)
    person.save(update_fields=["password"])
    record("auth.person.password_set", actor=actor, subject=person)


def _set_roles(person: User, roles: Iterable[Group]) -> None:
    person.groups.set(roles)


def _record(what: str, person: User, *, actor: Actor, **facts: Any) -> None:
    roles = sorted(person.groups.values_list("name", flat=True))
    record(f"auth.person.{what}", actor=actor, subject=person, roles=roles, **facts)


def may_do_all_of(user: User, person: User) -> bool:
    """May `user` do whatever `person` may, on every object? What is shared counts as if held."""
    if user.is_superuser or person.is_superuser:
        return user.is_superuser
    return user.has_perms([*person.get_all_permissions(), *_shareable()])


def roles_to_give(user: User) -> QuerySet[Group]:
    """The roles that hold nothing beyond what `user` may do. Two queries."""
    roles = Group.objects.order_by("name")
    if user.is_superuser:
        return roles
    held = user.get_all_permissions()
    beyond = [
        role.pk
        for role in roles.prefetch_related("permissions__content_type")
        if not {_full(permission) for permission in role.permissions.all()} <= held
    ]
    return roles.exclude(pk__in=beyond)


def _person(request: HttpRequest) -> User:
    if not isinstance(request.user, User):
        raise PermissionDenied
    return request.user


def _full(permission: Permission) -> str:
    return f"{permission.content_type.app_label}.{permission.codename}"


def _shareable() -> list[str]:
    return [
        f"{page.opts.app_label}.{name}"
        for page in site.pages()
        for name, _ in page.shared_permissions
    ]


class PersonForm(PortalForm):
    """Who somebody is, and which roles they have."""

    username = forms.CharField(label="Log-in name", max_length=150)
    first_name = forms.CharField(max_length=150, required=False)
    last_name = forms.CharField(max_length=150, required=False)
    email = forms.EmailField(required=False)
    groups = forms.ModelMultipleChoiceField(
        label="Roles",
        queryset=Group.objects.none(),
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    is_active = forms.BooleanField(label="Active: may log in at all", required=False)
    is_staff = forms.BooleanField(label="May enter these pages", required=False)
    is_superuser = forms.BooleanField(label="Superuser: may do everything", required=False)

    def __init__(self, *args: Any, giver: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        roles: Any = self.fields["groups"]
        roles.queryset = roles_to_give(giver)
        if not giver.is_superuser:
            del self.fields["is_superuser"]


class PasswordForm(PortalForm):
    """A new password, twice."""

    password = forms.CharField(
        label="New password",
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    repeated = forms.CharField(
        label="The same again",
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def __init__(self, person: User, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._person = person

    def clean_password(self) -> str:
        password: str = self.cleaned_data["password"]
        validate_password(password, self._person)
        return password

    def clean(self) -> dict[str, Any]:
        said = super().clean() or {}
        if "password" in said and said["password"] != said.get("repeated"):
            self.add_error("repeated", "The two are not the same.")
        return said


class _Everybody(RecordedAdmin):
    """Seen with the view permission on all of them; there are none on one."""

    section, place = "Administration", 90

    def visible_to(self, user: Anybody) -> QuerySet[Any]:
        rows: QuerySet[Any] = self.model._default_manager.all()
        return rows if allowed(user, self.permission("view")) else rows.none()


@admin.register(User, site=site)
class UserAdmin(_Everybody):
    """People. They are not deleted, because the record names them: they are made inactive."""

    icon, menu, place = "person", "People", 90
    can = frozenset({"add", "change", "history"})
    page_template = "protection/person.html"
    list_display = ("username", "full_name", "role_names", "access", "last_login_shown")
    list_filter = ("is_active", "is_superuser", "groups")
    search_fields = ("username", "first_name", "last_name", "email")
    ordering = ("username",)

    def may(self, request: HttpRequest, action: str, obj: Model | None = None) -> bool:
        if not isinstance(request.user, User) or not allowed(request.user, self.permission(action)):
            return False
        return not isinstance(obj, User) or may_do_all_of(request.user, obj)

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        return super().get_queryset(request).prefetch_related("groups")

    def more_urls(self) -> list[URLPattern]:
        return [self.url("<str:object_id>/password/", self.password_view, "password")]

    @admin.display(description="Name")
    def full_name(self, person: User) -> str:
        return person.get_full_name()

    @admin.display(description="Roles")
    def role_names(self, person: User) -> str:
        return ", ".join(sorted(role.name for role in person.groups.all())) or "none"

    @admin.display(description="Access", ordering="is_active")
    def access(self, person: User) -> str:
        return access_badge(person)

    @admin.display(description="Last log-in", ordering="last_login")
    def last_login_shown(self, person: User) -> str:
        return age(person.last_login)

    @override
    def page_context(self, request: HttpRequest, obj: User) -> dict[str, Any]:
        return {"badge": access_badge(obj), "roles": obj.groups.order_by("name")}

    def page_buttons(self, request: HttpRequest, obj: User) -> list[dict[str, Any]]:
        if not self.has_change_permission(request, obj):
            return []
        return [{"label": "Set a password", "link": self.link("password", obj)}]

    def form_for(self, request: HttpRequest, obj: User | None) -> PersonForm:
        data = request.POST if request.method == "POST" else None
        giver = _person(request)
        if obj is None:
            return PersonForm(data, giver=giver, initial={"is_active": True, "is_staff": True})
        initial = {name: getattr(obj, name) for name in PersonForm.base_fields if name != "groups"}
        initial["groups"] = obj.groups.all()
        form = PersonForm(data, giver=giver, initial=initial)
        del form.fields["username"]
        return form

    def save(self, request: HttpRequest, form: PersonForm, obj: User | None) -> User:
        said = dict(form.cleaned_data)
        roles = said.pop("groups")
        actor = self.actor(request)
        if obj is None:
            return add_person(roles=roles, actor=actor, **said)
        return edit_person(obj, roles=roles, actor=actor, **said)

    def password_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The form for somebody's new password."""
        person = self.found(request, object_id, "change")
        form = PasswordForm(person, request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            set_password(person, form.cleaned_data["password"], actor=self.actor(request))
            self.message_user(request, f"{person} has a new password.", messages.SUCCESS)
            return HttpResponseRedirect(self.link("change", person))
        return self.render(
            request,
            self.form_template,
            obj=person,
            title=f"Password of {person}",
            form=form,
            back=self.link("change", person),
        )


@admin.register(Group, site=site)
class RoleAdmin(_Everybody):
    """Roles come from the portal's own table; here one sees what they may do."""

    icon, menu, place = "badge", "Roles", 91
    page_template = "protection/role.html"
    list_display = ("name", "people", "permission_count")
    search_fields = ("name",)
    ordering = ("name",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Group]:
        roles: QuerySet[Group] = self.visible_to(request.user)
        return roles.annotate(
            person_total=Count("user", distinct=True),
            permission_total=Count("permissions", distinct=True),
        )

    @admin.display(description="People")
    def people(self, role: Any) -> int:
        return int(role.person_total)

    @admin.display(description="Permissions on every object")
    def permission_count(self, role: Any) -> int:
        return int(role.permission_total)

    @override
    def page_context(self, request: HttpRequest, obj: Group) -> dict[str, Any]:
        return {
            "permissions": obj.permissions.select_related("content_type").order_by(
                "content_type__app_label", "content_type__model", "codename"
            ),
            "people": obj.user_set.order_by("username"),
        }


def access_badge(person: User) -> str:
    """Whether somebody may log in, and how far they get."""
    if not person.is_active:
        return badge("Inactive", Tone.PLAIN)
    if person.is_superuser:
        return badge("Superuser", Tone.WAIT)
    return badge("Active" if person.is_staff else "Active, API only", Tone.PLAIN)
