"""Template filters for ages and lengths of time."""

from datetime import datetime, timedelta

from django import template

from drportal.adminkit import widgets

register = template.Library()


@register.filter
def age(at: datetime | None) -> str:
    """How long ago, ticking on."""
    return widgets.age(at)


@register.filter
def lasting(length: timedelta | None) -> str:
    """A duration in words."""
    return widgets.lasting(length)


@register.filter
def tag_pairs(tags: dict[str, str]) -> list[str]:
    """Tags as "key=value", sorted."""
    return [f"{key}={value}" for key, value in sorted(tags.items())]
