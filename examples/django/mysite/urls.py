"""A page, the admin, and its static files, which a web server serves in production."""

from django.contrib import admin
from django.contrib.staticfiles.views import serve
from django.http import HttpResponse
from django.urls import path, re_path


def index(request):
    return HttpResponse('Hello from Django. <a href="/admin/">The admin</a>\n')


urlpatterns = [path("", index), path("admin/", admin.site.urls), re_path(r"^static/(?P<path>.*)$", serve)]
