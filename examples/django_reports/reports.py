"""A report every night at two, New York time. What the views are told, a schedule of QStash tells them."""

import os

from django.http import HttpRequest, HttpResponse, HttpResponseForbidden
from django.urls import path
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST
from qstash import QStash, Receiver
from qstash.errors import SignatureError

PUBLIC_URL = os.environ.get("REPORTS_URL", "https://reports.example")

written: list[str] = []  # stands for the disk


def schedule_report() -> str:
    """What a deployment runs once; the id makes it safe to run again."""
    client = QStash(os.environ["QSTASH_TOKEN"])
    return client.schedule.create(
        destination=f"{PUBLIC_URL}/jobs/report", cron="CRON_TZ=America/New_York 0 2 * * *", schedule_id="nightly-report"
    )


@csrf_exempt
@require_POST
def write_report(request: HttpRequest) -> HttpResponse:
    receiver = Receiver(os.environ["QSTASH_CURRENT_SIGNING_KEY"], os.environ["QSTASH_NEXT_SIGNING_KEY"])
    try:
        receiver.verify(
            signature=request.headers.get("Upstash-Signature", ""),
            body=request.body.decode(),
            url=PUBLIC_URL + request.path,
        )
    except SignatureError as error:
        return HttpResponseForbidden(str(error))
    written.append(f"report of {timezone.now():%Y-%m-%d %H:%M}")
    return HttpResponse("written")


urlpatterns = [path("jobs/report", write_report)]
