"""Paths of the API that belong to no app."""

from django.urls import path, re_path
from drf_spectacular.views import SpectacularAPIView
from rest_framework.permissions import IsAuthenticated

from drportal.api.problem import nowhere


class OpenApi(SpectacularAPIView):
    """The OpenAPI document of this API, for whoever is signed in."""

    permission_classes = (IsAuthenticated,)


urlpatterns = [path("openapi", OpenApi.as_view(), name="openapi")]

# After all others: whatever is left is a problem document, never a page.
nowhere_else = [re_path(r"^.*$", nowhere)]
