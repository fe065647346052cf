"""The filters of recovery's lists."""

from typing import Any

import django_filters
from django.db.models import QuerySet

from recovery.states import EXECUTION, ExecutionState, Kind


class PlanFilters(django_filters.FilterSet):  # type: ignore[misc]  # no annotations there
    """Filters of plans."""

    name = django_filters.CharFilter(lookup_expr="iexact")
    search = django_filters.CharFilter(
        field_name="name", lookup_expr="icontains", help_text="Part of the name, in any case."
    )


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
