"""Filters of lists that name only what the person may see."""

from typing import Any

from django.contrib.admin import SimpleListFilter
from django.db.models import QuerySet
from django.http import HttpRequest
from typing_extensions import override

from protection.selectors import accounts_for


class AccountFilter(SimpleListFilter):
    """By target account, of those that the person may see."""

    title = "account"
    parameter_name = "account"

    @override
    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(account.account_id, str(account)) for account in accounts_for(request.user)]

    @override
    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() is None:
            return queryset
        return queryset.filter(account__account_id=self.value())
