"""The least that Django needs: no database, no template."""

SECRET_KEY = "made-up"
ALLOWED_HOSTS = ["reports.example"]
ROOT_URLCONF = "examples.django_reports.reports"
USE_TZ = True
