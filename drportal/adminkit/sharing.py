"""Who may do what to one object: shown, and changed by those who may share it.

Nobody hands out, or takes away, what they may not do themselves: sharing is no way to more.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import messages
from django.contrib.auth.models import Group, User
from django.db import transaction
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from guardian.shortcuts import (
    assign_perm,
    get_groups_with_perms,
    get_users_with_perms,
    remove_perm,
)

from drportal.access import allowed
from drportal.adminkit.forms import PortalForm

if TYPE_CHECKING:
    from drportal.adminkit.base import PortalAdmin

Holder = User | Group


@dataclass(frozen=True, slots=True)
class Change:
    """What was given to and taken from one person or role."""

    holder: Holder
    given: frozenset[str]
    taken: frozenset[str]


@dataclass(frozen=True, slots=True)
class Cell:
    """One checkbox: whether the permission is held, and whether it is this person's to change."""

    name: str
    label: str
    held: bool
    locked: bool


@dataclass(frozen=True, slots=True)
class Row:
    """A person or role, with a checkbox per permission."""

    key: str
    name: str
    kind: str
    cells: list[Cell] = field(default_factory=list)


class AddForm(PortalForm):
    """Which person or role to add to the table."""

    holder = forms.ChoiceField(label="Person or role", required=False)

    def __init__(self, *args: Any, taken: Iterable[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        there = set(taken)
        people = [(_key(user), user.get_username()) for user in User.objects.filter(is_active=True)]
        roles = [(_key(role), role.name) for role in Group.objects.all()]
        chooser: Any = self.fields["holder"]
        chooser.choices = [
            ("", "Choose"),
            ("Roles", [(key, name) for key, name in roles if key not in there]),
            ("People", [(key, name) for key, name in sorted(people) if key not in there]),
        ]


def share(page: "PortalAdmin", request: HttpRequest, obj: Model) -> HttpResponse:
    """Show the table, or change one row of it by POST."""
    held = _holders(obj)
    if request.method == "POST":
        return _change(page, request, obj, held)
    names = page.shared_permissions
    own = {name for name, _ in names if allowed(request.user, _full(obj, name), obj)}
    form = AddForm(taken=[_key(holder) for holder in held])
    rows = [_row(holder, codes, names, own) for holder, codes in held.items()]
    chosen = _holder(request.GET.get("holder", ""))
    if chosen is not None and chosen not in held:
        rows.append(_row(chosen, set(), names, own))
    return page.render(
        request,
        "admin/portal/share.html",
        obj=obj,
        title=f"Who may do what to {obj}",
        rows=rows,
        labels=[label for _, label in names],
        form=form,
    )


def _change(
    page: "PortalAdmin", request: HttpRequest, obj: Model, held: dict[Holder, set[str]]
) -> HttpResponse:
    holder = _holder(request.POST.get("row", ""))
    if holder is None:
        page.message_user(request, "There is no such person or role.", messages.ERROR)
        return HttpResponseRedirect(request.path)
    known = {name for name, _ in page.shared_permissions}
    wanted = set(request.POST.getlist("permission")) & known
    has = held.get(holder, set()) & known
    # What the person may not do themselves is not theirs to give, nor to take.
    own = {name for name in known if allowed(request.user, _full(obj, name), obj)}
    change = Change(holder, frozenset((wanted - has) & own), frozenset((has - wanted) & own))
    if not change.given and not change.taken:
        page.message_user(request, "Nothing was changed.", messages.WARNING)
        return HttpResponseRedirect(request.path)
    with transaction.atomic():
        for name in sorted(change.given):
            assign_perm(name, holder, obj)
        for name in sorted(change.taken):
            remove_perm(name, holder, obj)
        page.shared(obj, change=change, actor=page.actor(request))
    page.message_user(request, f"Permissions of {holder} were changed.", messages.SUCCESS)
    return HttpResponseRedirect(request.path)


def _holders(obj: Model) -> dict[Holder, set[str]]:
    people: Any = get_users_with_perms(obj, attach_perms=True, with_group_users=False)
    roles: Any = get_groups_with_perms(obj, attach_perms=True)
    found: dict[Holder, list[str]] = {**roles, **people}
    return {holder: set(found[holder]) for holder in sorted(found, key=str)}


def _row(holder: Holder, codes: set[str], names: Iterable[tuple[str, str]], own: set[str]) -> Row:
    cells = [Cell(name, label, name in codes, name not in own) for name, label in names]
    kind = "role" if isinstance(holder, Group) else "person"
    return Row(_key(holder), str(holder), kind, cells)


def _key(holder: Holder) -> str:
    return f"{'role' if isinstance(holder, Group) else 'person'}-{holder.pk}"


def _holder(key: str) -> Holder | None:
    kind, _, number = key.partition("-")
    if not number.isdecimal():
        return None
    if kind == "role":
        return Group.objects.filter(pk=number).first()
    return User.objects.filter(pk=number, is_active=True).first() if kind == "person" else None


def _full(obj: Model, name: str) -> str:
    return f"{obj._meta.app_label}.{name}"
