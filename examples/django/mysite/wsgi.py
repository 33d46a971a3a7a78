"""The application, as `django-admin startproject` writes it. Serve it: tsgi --chdir examples/django --python mysite.wsgi"""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mysite.settings")

application = get_wsgi_application()
