"""Filters of the list of plans."""

from typing import Any

from django.contrib.admin import SimpleListFilter
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from typing_extensions import override

from protection.selectors import accounts_for
from recovery.selectors import holds_by_plan, in_account, plans_for
from recovery.states import ExecutionState

_MOST_TAGS = 200


class PlanAccountFilter(SimpleListFilter):
    """By an account that a plan launches servers of, of those that the person may see."""

    title = "account"
    parameter_name = "account"

    @override
    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(account.account_id, str(account)) for account in accounts_for(request.user)]

    @override
    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        return queryset if value is None else in_account(queryset, value)


class TagFilter(SimpleListFilter):
    """By one of the plans' own tags."""

    title = "tag"
    parameter_name = "tag"

    @override
    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        tags = plans_for(request.user).exclude(tags={}).order_by().values_list("tags", flat=True)
        pairs = sorted({f"{key}={value}" for held in tags for key, value in held.items()})
        return [(pair, pair) for pair in pairs[:_MOST_TAGS]]

    @override
    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        if value is None:
            return queryset
        key, _, text = value.partition("=")
        return queryset.filter(tags__contains={key: text})


class ConflictFilter(SimpleListFilter):
    """By whether executions of other plans hold servers of it now."""

    title = "conflict"
    parameter_name = "conflict"

    @override
    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Servers are held now"), ("no", "None is held")]

    @override
    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        if value is None:
            return queryset
        held = list(holds_by_plan())
        return queryset.filter(pk__in=held) if value == "yes" else queryset.exclude(pk__in=held)


class LatestStateFilter(SimpleListFilter):
    """By how the latest execution stands, of rows of `selectors.with_latest`."""

    title = "latest execution"
    parameter_name = "latest"

    @override
    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("NEVER", "Never started"), *((s.value, s.label) for s in ExecutionState)]

    @override
    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        if value is None:
            return queryset
        return queryset.filter(latest_state=None if value == "NEVER" else value)


class OverdueFilter(SimpleListFilter):
    """By whether a drill should have completed by now, of rows of `selectors.with_drills`."""

    title = "drill"
    parameter_name = "drill"

    @override
    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("overdue", "Overdue"), ("never", "Never completed")]

    @override
    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        if value == "overdue":
            return queryset.filter(drill_due_at__lt=timezone.now())
        return queryset.filter(last_drill_at=None) if value == "never" else queryset
