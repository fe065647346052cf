"""The filters of protection's lists."""

from typing import Any

import django_filters
from django.db.models import Q, QuerySet

from drportal.errors import InvalidInput
from protection.choices import Selection, SyncKind, SyncState
from protection.rules.selection import matching


class AccountFilters(django_filters.FilterSet):  # type: ignore[misc]  # no annotations there
    """Filters of accounts."""

    account_id = django_filters.CharFilter(help_text="12 digits.")
    active = django_filters.BooleanFilter()


class _Placed(django_filters.FilterSet):  # type: ignore[misc]  # no annotations there
    account = django_filters.UUIDFilter(field_name="account_id", help_text="The account's id.")
    account_id = django_filters.CharFilter(field_name="account__account_id", help_text="12 digits.")
    region = django_filters.CharFilter()


class ServerFilters(_Placed):
    """Filters of servers."""

    replication_state = django_filters.CharFilter(help_text="As DRS spells it.")
    server_id = django_filters.CharFilter(help_text="The id that DRS gave it.")
    search = django_filters.CharFilter(
        method="by_name", help_text="Part of the name or the hostname, in any case."
    )
    tag = django_filters.CharFilter(
        method="by_tag", help_text="`key:value`, exactly. Given more than once, all must be there."
    )

    def by_name(self, servers: QuerySet[Any], _: str, part: str) -> QuerySet[Any]:
        """Servers with `part` in their name or hostname."""
        return servers.filter(Q(name__icontains=part) | Q(hostname__icontains=part))

    def by_tag(self, servers: QuerySet[Any], _: str, __: str) -> QuerySet[Any]:
        """Servers that have every tag that was given: the form holds the last one only."""
        for text in self.data.getlist("tag"):
            key, value = _pair(text)
            servers = servers.filter(matching({key: value}))
        return servers


class InstanceFilters(_Placed):
    """Filters of recovery instances."""

    instance_id = django_filters.CharFilter()
    server_id = django_filters.CharFilter(help_text="The id that DRS gave the source server.")
    job_id = django_filters.CharFilter(help_text="The DRS job that launched it.")
    is_drill = django_filters.BooleanFilter()
    ec2_state = django_filters.CharFilter(help_text="In capitals.")


class GroupFilters(_Placed):
    """Filters of protection groups."""

    accountId = django_filters.CharFilter(  # noqa: N815  # as the reference spells it
        field_name="account__account_id", help_text="The same as `account_id`."
    )
    selection = django_filters.ChoiceFilter(choices=Selection.choices)
    name = django_filters.CharFilter(lookup_expr="iexact")


class SyncRunFilters(django_filters.FilterSet):  # type: ignore[misc]  # no annotations there
    """Filters of sync runs."""

    kind = django_filters.ChoiceFilter(choices=SyncKind.choices)
    state = django_filters.ChoiceFilter(choices=SyncState.choices)


def _pair(text: str) -> tuple[str, str]:
    key, colon, value = text.partition(":")
    if not key or not colon:
        raise InvalidInput.field("tag", "invalid", "A tag is written key:value.")
    return key, value
