"""The filters of recovery's lists."""

from typing import Any

import django_filters
from django.db.models import Q, QuerySet
from django.utils import timezone

from drportal.errors import InvalidInput
from recovery.selectors import holds_by_plan, in_account
from recovery.states import EXECUTION, ExecutionState, Kind


class PlanFilters(django_filters.FilterSet):  # type: ignore[misc]  # no annotations there
    """Filters of plans, of rows of `with_latest` and `with_drills`. camelCase: the reference."""

    account_id = django_filters.CharFilter(
        method="in_account", help_text="12 digits: plans with a group of this account."
    )
    accountId = django_filters.CharFilter(  # noqa: N815  # as the reference spells it
        method="in_account", help_text="The same as `account_id`."
    )
    name = django_filters.CharFilter(
        lookup_expr="icontains", help_text="Part of the name, in any case."
    )
    nameExact = django_filters.CharFilter(  # noqa: N815  # as the reference spells it
        field_name="name", lookup_expr="iexact", help_text="The whole name, in any case."
    )
    search = django_filters.CharFilter(
        field_name="name", lookup_expr="icontains", help_text="The same as `name`."
    )
    tag = django_filters.CharFilter(
        method="by_tag",
        help_text="`key=value` of the plan's own tags, exactly. Given more than once, all must be "
        "there.",
    )
    hasConflict = django_filters.BooleanFilter(  # noqa: N815  # as the reference spells it
        method="by_conflict",
        help_text="Whether executions of other plans hold servers of this one.",
    )
    status = django_filters.ChoiceFilter(
        field_name="latest_state",
        choices=ExecutionState.choices,
        help_text="How the latest execution stands.",
    )

    drillOverdue = django_filters.BooleanFilter(  # noqa: N815  # beside its neighbours
        method="by_overdue", help_text="Whether a drill should have completed by now."
    )

    def by_overdue(self, plans: QuerySet[Any], _: str, wanted: object) -> QuerySet[Any]:
        """Plans whose drill is overdue, or the others; of rows of `with_drills`."""
        overdue = Q(drill_due_at__lt=timezone.now())
        return plans.filter(overdue) if wanted else plans.exclude(overdue)

    def in_account(self, plans: QuerySet[Any], _: str, account_id: str) -> QuerySet[Any]:
        """Plans that launch servers of an account."""
        return in_account(plans, account_id)

    def by_tag(self, plans: QuerySet[Any], _: str, __: str) -> QuerySet[Any]:
        """Plans that have every tag that was given: the form holds the last one only."""
        for text in self.data.getlist("tag"):
            key, equals, value = text.partition("=")
            if not key or not equals:
                raise InvalidInput.field("tag", "invalid", "A tag is written key=value.")
            plans = plans.filter(tags__contains={key: value})
        return plans

    def by_conflict(self, plans: QuerySet[Any], _: str, wanted: object) -> QuerySet[Any]:
        """Plans of which other executions hold servers, or the others."""
        held = list(holds_by_plan())
        return plans.filter(pk__in=held) if wanted else plans.exclude(pk__in=held)


class ExecutionFilters(django_filters.FilterSet):  # type: ignore[misc]  # no annotations there
    """Filters of executions."""

    plan_id = django_filters.UUIDFilter()
    kind = django_filters.ChoiceFilter(choices=Kind.choices)
    state = django_filters.ChoiceFilter(choices=ExecutionState.choices)
    active = django_filters.BooleanFilter(
        method="that_are_active", help_text="true: those that have not ended; false: the others."
    )
    created_after = django_filters.IsoDateTimeFilter(field_name="created_at", lookup_expr="gte")
    created_before = django_filters.IsoDateTimeFilter(field_name="created_at", lookup_expr="lt")

    def that_are_active(self, found: QuerySet[Any], _: str, wanted: object) -> QuerySet[Any]:
        """Executions that have not ended, or those that have."""
        states = EXECUTION.active if wanted else EXECUTION.terminal
        return found.filter(state__in=sorted(states))
