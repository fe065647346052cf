"""Query parameters: what is declared filters, and what is not is refused by name."""

from collections.abc import Iterable, Set
from typing import Any

from django.db.models import QuerySet
from django_filters.rest_framework import DjangoFilterBackend
from rest_framework.request import Request
from rest_framework.views import APIView

from drportal.errors import InvalidInput


class DeclaredFilters(DjangoFilterBackend):  # type: ignore[misc]  # no annotations there
    """The filters of the view's `filterset_class`. A value that one cannot take is a 400."""

    def filter_queryset(
        self, request: Request, queryset: QuerySet[Any], view: APIView
    ) -> QuerySet[Any]:
        filterset = self.get_filterset(request, queryset, view)
        if filterset is None:
            return queryset
        if not filterset.is_valid():
            raise InvalidInput("The request is not valid.", errors=list(_complaints(filterset)))
        found: QuerySet[Any] = filterset.qs
        return found


def must_be_declared(request: Request, declared: Set[str], repeatable: Set[str]) -> None:
    """Refuse a query parameter that is not declared, or given twice where one only is taken."""
    errors = []
    for name, values in request.query_params.lists():
        if name not in declared:
            message = f"There is no parameter {name[:100]!r}."
            errors.append({"field": name, "code": "unknown_parameter", "message": message})
        elif len(values) > 1 and name not in repeatable:
            message = "Give this parameter once."
            errors.append({"field": name, "code": "repeated_parameter", "message": message})
        elif any("\x00" in value for value in values):
            message = "A parameter holds no NUL character."
            errors.append({"field": name, "code": "invalid", "message": message})
    if errors:
        raise InvalidInput("The request is not valid.", errors=errors)


def _complaints(filterset: Any) -> Iterable[dict[str, str]]:
    for field, problems in filterset.errors.get_json_data().items():
        for problem in problems:
            yield {"field": field, "code": problem["code"], "message": problem["message"]}
