"""Every path of the portal. This module composes: it may see all apps, and none sees it."""

from django.contrib import admin
from django.urls import path

urlpatterns = [
    path("admin/", admin.site.urls),
]
