"""Notices: the delivery log, the channels that are told, and what each person wants to know."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, reverse
from typing_extensions import override

from drportal.access import Anybody, allowed, allowed_anywhere
from drportal.actor import Actor
from drportal.adminkit import confirm
from drportal.adminkit.forms import PortalForm
from drportal.adminkit.site import site
from drportal.adminkit.widgets import Tone, age, badge
from protection.admin.recorded import RecordedAdmin
from recovery.admin.tones import delivery_badge, kind_badge
from recovery.models import Delivery, NoticeChannel, NoticePreference, RecoveryPlan
from recovery.models.notices import DELIVERY, Medium
from recovery.permissions import ExecutionPermission, NoticePermission, PlanPermission
from recovery.selectors import channels_for, deliveries_for, plans_for
from recovery.services import notice_channels
from recovery.services.notices import KINDS, TEST

_ALL_PLANS = "all"
_SECTION = "Notices"
_KINDS = [(kind, sort.label) for kind, sort in KINDS.items()]
_LABELS = dict(_KINDS) | {TEST: "Test of a channel"}
_PEOPLE = "auth.view_user"
_CHANGE_PEOPLE = "auth.change_user"


def kinds_in_words(kinds: list[str]) -> list[str]:
    """The kinds of notices, in the order in which they are offered."""
    known = [label for kind, label in _KINDS if kind in kinds]
    return known + [kind for kind in kinds if kind not in _LABELS]


@admin.register(Delivery, site=site)
class DeliveryAdmin(RecordedAdmin):
    """What went out, to whom, and what did not. Nothing here is a form."""

    icon, section, place = "mark_email_read", _SECTION, 50
    menu = "Delivery log"
    page_template = "recovery/delivery.html"
    list_display = (
        "made",
        "kind_shown",
        "told",
        "plan_shown",
        "to",
        "state_shown",
        "attempts",
        "last_error",
    )
    list_display_links = ("made",)
    list_filter = ("state", "medium", "notice__about", "notice__kind")
    search_fields = ("shown", "notice__plan_name", "last_error")
    search_help_text = "Recipient, plan or error"
    ordering = ("-created_at", "id")

    def visible_to(self, user: Anybody) -> QuerySet[Delivery]:
        return deliveries_for(user)

    @override
    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        if obj is not None:
            return self.visible_to(request.user).filter(pk=obj.pk).exists()
        everything = allowed(request.user, NoticePermission.VIEW_DELIVERIES)
        return everything or self.visible_to(request.user).exists()

    @admin.display(description="Written", ordering="created_at")
    def made(self, delivery: Delivery) -> str:
        return age(delivery.created_at)

    @admin.display(description="About")
    def kind_shown(self, delivery: Delivery) -> str:
        return kind_badge(delivery.notice.about) if delivery.notice.about else "–"  # noqa: RUF001  # "none"

    @admin.display(description="Notice")
    def told(self, delivery: Delivery) -> str:
        return _told(delivery)

    @admin.display(description="Plan", ordering="notice__plan_name")
    def plan_shown(self, delivery: Delivery) -> str:
        return delivery.notice.plan_name or "all plans"

    @admin.display(description="To", ordering="shown")
    def to(self, delivery: Delivery) -> str:
        return delivery.shown

    @admin.display(description="State", ordering="state")
    def state_shown(self, delivery: Delivery) -> str:
        return delivery_badge(delivery.state)

    @override
    def page_context(self, request: HttpRequest, obj: Delivery) -> dict[str, Any]:
        notice = obj.notice
        execution = notice.execution_id
        page = "admin:recovery_execution_change"
        return {
            "badge": delivery_badge(obj.state),
            "about": kind_badge(notice.about) if notice.about else "",
            "told": _told(obj),
            "open": obj.state in DELIVERY.active,
            "made": age(obj.created_at),
            "execution_link": reverse(page, args=[execution]) if execution else "",
        }


def _told(delivery: Delivery) -> str:
    notice = delivery.notice
    label = _LABELS.get(notice.kind, notice.kind)
    return f"{label} (reminder {notice.number})" if notice.number else label


class ChannelForm(PortalForm):
    """A channel. Its address may be a secret: once typed, it is not shown again."""

    plan = forms.ChoiceField(label="Told of")
    medium = forms.ChoiceField(
        label="By way of",
        choices=[(each.value, each.label) for each in (Medium.SERVICE, Medium.TOPIC)],
    )
    name = forms.CharField(max_length=64)
    address = forms.CharField(
        required=False,
        help_text="Of a webhook: jsons://HOST/PATH. Of Slack, Teams and Google Chat: the webhook's "
        "https address. Of others: as apprise writes it. Of a topic: its ARN. It is kept secret; "
        "write it down elsewhere.",
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
    )
    kinds = forms.MultipleChoiceField(
        label="When", choices=_KINDS, required=False, widget=forms.CheckboxSelectMultiple
    )
    active = forms.BooleanField(label="Switched on", required=False, initial=True)

    def __init__(self, *args: Any, plans: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choice: Any = self.fields["plan"]
        choice.choices = plans


@admin.register(NoticeChannel, site=site)
class NoticeChannelAdmin(RecordedAdmin):
    """Topics, webhooks and chat rooms that are told of plans."""

    icon, section, place = "campaign", _SECTION, 51
    menu = "Channels"
    can = frozenset({"add", "change", "delete", "history"})
    page_template = "recovery/notice_channel.html"
    list_display = ("name", "plan_shown", "medium", "masked", "state_shown")
    list_filter = ("medium", "active")
    search_fields = ("name", "plan__name", "masked")
    ordering = ("name", "id")

    def visible_to(self, user: Anybody) -> QuerySet[NoticeChannel]:
        return channels_for(user)

    @override
    def may(self, request: HttpRequest, action: str, obj: Model | None = None) -> bool:
        # Whoever may edit a plan says who is told of it.
        if isinstance(obj, NoticeChannel):
            return allowed(request.user, PlanPermission.CHANGE, obj.plan)
        among = RecoveryPlan.objects.all()
        return allowed_anywhere(request.user, PlanPermission.CHANGE, among=among)

    @override
    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        if obj is not None:
            return self.visible_to(request.user).filter(pk=obj.pk).exists()
        return plans_for(request.user).exists() or allowed(request.user, PlanPermission.VIEW)

    @override
    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.may(request, "add")

    def has_test_permission(self, request: HttpRequest, obj: NoticeChannel) -> bool:
        """May the person have a test message sent?"""
        return self.may(request, "test", obj)

    def more_urls(self) -> list[URLPattern]:
        return [self.url("<str:object_id>/test/", self.test_view, "test")]

    @admin.display(description="Told of", ordering="plan__name")
    def plan_shown(self, channel: NoticeChannel) -> str:
        return channel.plan.name if channel.plan else "all plans"

    @admin.display(description="State", ordering="active")
    def state_shown(self, channel: NoticeChannel) -> str:
        return _standing(channel)

    @override
    def page_context(self, request: HttpRequest, obj: NoticeChannel) -> dict[str, Any]:
        return {"standing": _standing(obj), "kinds": kinds_in_words(obj.kinds)}

    @override
    def page_buttons(self, request: HttpRequest, obj: NoticeChannel) -> list[dict[str, Any]]:
        if not self.has_test_permission(request, obj):
            return []
        return [{"label": "Send a test message", "link": self.link("test", obj), "name": "test"}]

    def test_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask, then have a test message sent; the delivery log says what becomes of it."""
        channel = self.found(request, object_id, "test")

        def act(_: dict[str, Any]) -> HttpResponse:
            notice_channels.test(channel, actor=self.actor(request))
            text = "A test message was asked for. The delivery log says what became of it."
            self.message_user(request, text, messages.SUCCESS)
            return HttpResponseRedirect(self.link("change", channel))

        question = confirm.Question(
            title=f"Send a test message to {channel}",
            text=f"It goes to: {channel.masked}. It says that it is a test.",
            verb="Send it",
            danger=False,
        )
        return confirm.confirm(self, request, channel, question, act)

    def form_for(self, request: HttpRequest, obj: NoticeChannel | None) -> PortalForm:
        data = request.POST if request.method == "POST" else None
        if obj is None:
            form = ChannelForm(data, plans=_plans(request), initial={"kinds": list(KINDS)})
            form.fields["address"].required = True
            del form.fields["active"]
            return form
        said = {"name": obj.name, "kinds": obj.kinds, "active": obj.active}
        form = ChannelForm(data, plans=[], initial=said)
        del form.fields["plan"], form.fields["medium"]
        form.fields["address"].label = "New address"
        form.fields["address"].help_text = f"Empty: the present one stays: {obj.masked}"
        return form

    def save(
        self, request: HttpRequest, form: PortalForm, obj: NoticeChannel | None
    ) -> NoticeChannel:
        said, actor = dict(form.cleaned_data), self.actor(request)
        if obj is not None:
            return notice_channels.edit(obj, **said, actor=actor)
        named = said.pop("plan")
        plan = None if named == _ALL_PLANS else RecoveryPlan.objects.get(pk=named)
        return notice_channels.add(plan=plan, **said, actor=actor)

    def remove(self, obj: NoticeChannel, *, actor: Actor) -> None:
        notice_channels.remove(obj, actor=actor)


def _plans(request: HttpRequest) -> list[tuple[str, str]]:
    """The plans that the person may edit, and all at once if they may edit all."""
    plans = plans_for(request.user, PlanPermission.CHANGE).order_by("name", "id")
    every = [(_ALL_PLANS, "All plans")] if allowed(request.user, PlanPermission.CHANGE) else []
    return [*every, *((str(plan.pk), plan.name) for plan in plans)]


def _standing(channel: NoticeChannel) -> str:
    if not channel.active:
        return badge("Switched off", Tone.PLAIN)
    if not channel.address:
        return badge("Address lost", Tone.BAD, hint="A restore cannot give it back: enter it again")
    return badge("Switched on", Tone.BUSY)


class PreferenceForm(PortalForm):
    """Which kinds of notices somebody gets."""

    kinds = forms.MultipleChoiceField(
        label="By mail, about the plans that you may see",
        choices=_KINDS,
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )


@admin.register(NoticePreference, site=site)
class NoticePreferenceAdmin(RecordedAdmin):
    """What one wants to be told of: one's own page, and others' for whoever manages people."""

    icon, section, place = "notifications", _SECTION, 52
    menu = "What I am told of"
    can = frozenset({"change", "history"})
    page_template = "recovery/notice_preference.html"

    def visible_to(self, user: Anybody) -> QuerySet[NoticePreference]:
        found = NoticePreference.objects.select_related("person")
        return found if allowed(user, _PEOPLE) else found.filter(person_id=user.pk)

    @override
    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        if obj is not None and obj.pk != request.user.pk:
            return allowed(request.user, _PEOPLE)
        sees_some = plans_for(request.user).exists()
        return sees_some or allowed(request.user, ExecutionPermission.VIEW)

    @override
    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        if obj is not None and obj.pk != request.user.pk:
            return allowed(request.user, _CHANGE_PEOPLE)
        return self.has_view_permission(request)

    @override
    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> NoticePreference | None:
        own = request.user
        if isinstance(own, User) and object_id == str(own.pk) and self.has_view_permission(request):
            chosen = NoticePreference.objects.filter(person=own).select_related("person").first()
            # Nobody has chosen anything before they do: there is a page all the same.
            return chosen or NoticePreference(person=User.objects.get(pk=own.pk))
        found: NoticePreference | None = super().get_object(request, object_id, from_field)
        return found

    @override
    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return self.object_view(request, str(request.user.pk))

    @override
    def page_context(self, request: HttpRequest, obj: NoticePreference) -> dict[str, Any]:
        return {"kinds": kinds_in_words(obj.kinds), "address": obj.person.email}

    def form_for(self, request: HttpRequest, obj: NoticePreference) -> PortalForm:
        data = request.POST if request.method == "POST" else None
        return PreferenceForm(data, initial={"kinds": obj.kinds})

    def save(
        self, request: HttpRequest, form: PortalForm, obj: NoticePreference
    ) -> NoticePreference:
        kinds = form.cleaned_data["kinds"]
        return notice_channels.prefer(obj.person, kinds=kinds, actor=self.actor(request))
