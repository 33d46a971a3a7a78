"""The Django project of the tests, in one file: the admin over a new SQLite database."""

import os
import sys

import django
from django.conf import settings

folder = os.environ["SUITE_FOLDER"]
settings.configure(
    SECRET_KEY="for tests",
    DEBUG=True,
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    FILE_UPLOAD_MAX_MEMORY_SIZE=100000,
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.path.join(folder, "db.sqlite3")}},
    INSTALLED_APPS=[
        "django.contrib.admin",
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "django.contrib.messages",
        "django.contrib.staticfiles",
    ],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
    ],
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "APP_DIRS": True,
            "OPTIONS": {
                "context_processors": [
                    "django.template.context_processors.request",
                    "django.contrib.auth.context_processors.auth",
                    "django.contrib.messages.context_processors.messages",
                ]
            },
        }
    ],
    STATIC_URL="/static/",
    AUTH_PASSWORD_VALIDATORS=[],
    PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
)
django.setup()

from django.contrib import admin  # noqa: E402
from django.contrib.staticfiles.views import serve  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.http import FileResponse, HttpResponse, StreamingHttpResponse  # noqa: E402
from django.urls import path, re_path  # noqa: E402
from django.views.decorators.csrf import csrf_exempt  # noqa: E402


def hello(request):
    return HttpResponse("hello from Django\n")


@csrf_exempt
def raw(request):
    return HttpResponse(str(len(request.body)))


@csrf_exempt
def upload(request):
    file = request.FILES["file"]
    return HttpResponse("%s %d %s" % (file.name, file.size, type(file).__name__))


def stream(request):
    return StreamingHttpResponse(("block %d\n" % i for i in range(3)), content_type="text/plain")


def download(request):
    return FileResponse(open(os.path.join(folder, "large.bin"), "rb"))


urlpatterns = [
    path("", hello),
    path("raw", raw),
    path("upload", upload),
    path("stream", stream),
    path("file", download),
    path("admin/", admin.site.urls),
    re_path(r"^static/(?P<path>.*)$", serve),
]

if not os.path.exists(settings.DATABASES["default"]["NAME"]):
    call_command("migrate", verbosity=0)
    from django.contrib.auth import get_user_model

    get_user_model().objects.create_superuser("ann", "ann@example.com", "secret")

application = get_wsgi_application()
