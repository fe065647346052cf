from django.urls import path

from audit.api.session import SessionViewSet, WhoamiViewSet

urlpatterns = [
    path(
        "session",
        SessionViewSet.as_view({"post": "create", "delete": "destroy"}, basename="session"),
        name="session",
    ),
    path("whoami", WhoamiViewSet.as_view({"get": "retrieve"}, basename="whoami"), name="whoami"),
]
