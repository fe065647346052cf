"""Every path of the portal. This module composes: it may see all apps, and none sees it."""

from django.urls import include, path
from django.views.generic import RedirectView

from drportal.adminkit.site import site
from drportal.api.urls import nowhere_else
from drportal.health import healthz, readyz
from queries.pages import CAPACITY, capacity
from recovery.admin.home import home, home_live
from recovery.admin.links import enter

handler400 = "drportal.api.problem.bad_request"
handler403 = "drportal.api.problem.permission_denied"
handler404 = "drportal.api.problem.not_found"
handler500 = "drportal.api.problem.server_error"

site.menu_pages = (CAPACITY,)

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index"), name="root"),
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("approve", enter, name="approval-link"),
    path("admin/", site.admin_view(home)),
    path("admin/live/", site.admin_view(home_live), name="admin-live"),
    path("admin/capacity/", site.admin_view(capacity), name=CAPACITY.name),
    path("admin/", site.urls),
    path("api/v1/", include("audit.api.urls")),
    path("api/v1/", include("protection.api.urls")),
    path("api/v1/", include("recovery.api.urls")),
    path("api/v1/", include("queries.api.urls")),
    path("api/v1/", include("drportal.api.urls")),
    path("api/", include(nowhere_else)),
]
