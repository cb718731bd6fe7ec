"""Suites of Django projects: pytest-django's fixtures, transactions of tests, and django-qstash as it is.

Django is configured once in a process, and its start is most of a run. One run, in a process of its own, has the suites
of all tests of this file.
"""

import subprocess
import sys
from xml.etree import ElementTree as ET

import pytest

SETTINGS = """
import os

# The settings of a test run. Before the first import of the application, and in place of real ones:
os.environ["QSTASH_CURRENT_SIGNING_KEY"] = QSTASH_CURRENT_SIGNING_KEY = "sig_made_up_for_tests_of_today___"
os.environ["QSTASH_NEXT_SIGNING_KEY"] = QSTASH_NEXT_SIGNING_KEY = "sig_made_up_for_tests_of_tomorrow"
SECRET_KEY = "made-up"
USE_TZ = True
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "shop"
INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django_qstash",
    "django_qstash.results",
    "greetings",
]
STATIC_URL = "static/"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
QSTASH_TOKEN = "made-up"
DJANGO_QSTASH_DOMAIN = "https://shop.example"
"""

SHOP = """
from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpResponse
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt
from qstash import QStash

qstash = QStash("made-up")

def publish(**options):
    qstash.message.publish(url="https://shop.example/jobs/names", **options)

@csrf_exempt
def sign_up(request):
    User.objects.create(username="ann")
    publish()
    return HttpResponse("accepted")

@csrf_exempt
def sign_up_on_commit(request):
    User.objects.create(username="ann")
    transaction.on_commit(publish)
    return HttpResponse("accepted")

@csrf_exempt
def names(request):
    return HttpResponse(",".join(User.objects.values_list("username", flat=True)))

urlpatterns = [
    path("sign-up", sign_up),
    path("sign-up-on-commit", sign_up_on_commit),
    path("jobs/names", names),
    path("qstash/webhook/", include("django_qstash.urls")),
]
"""

# django-qstash runs what it finds in the module `tasks` of an installed application, and nothing else.
TASKS = """
from django_qstash import stashed_task

greeted = []

@stashed_task
def greet(name):
    greeted.append(name)
    return f"hello, {name}"
"""

TESTS = """
import httpx
import pytest
from django.contrib.auth.models import User
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.test import AsyncClient, Client, TestCase

from shop import publish

pytestmark = pytest.mark.qstash_fake(start="2026-01-01T00:00:00Z")
"""


INI = "[pytest]\nfilterwarnings = error\nasyncio_default_fixture_loop_scope = function\n"
PLUGINS = ("qstash_fake.pytest_plugin", "pytest_django.plugin", "pytest_asyncio.plugin")
SUITES: dict[str, str] = {}


def suite(text):
    """Run the tests of *text*, after `TESTS`; the marked test takes what came of them as `failures`."""

    def register(test):
        SUITES[test.__name__] = TESTS + text
        return test

    return register


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """The JUnit report of one run of pytest with all suites."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "greetings").mkdir()
    files = {"settings": SETTINGS, "shop": SHOP, "greetings/__init__": "", "greetings/tasks": TASKS, **SUITES}
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    (folder / "pytest.ini").write_text(INI)
    plugins = [argument for name in PLUGINS for argument in ("-p", name)]
    command = [sys.executable, "-m", "pytest", *plugins, "-p", "no:cacheprovider", "--junitxml=report.xml"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
        patch.setenv("DJANGO_SETTINGS_MODULE", "settings")
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout + done.stderr  # two suites are to fail
    return ET.parse(folder / "report.xml")


@pytest.fixture
def failures(request, report):
    """What the report shows of each test of the suite, by name: nothing of one that has passed."""
    of_suite = [case for case in report.iter("testcase") if case.get("classname").split(".")[0] == request.node.name]
    return {case.get("name"): [line.text for line in case] for case in of_suite}


# --- pytest-django's fixtures -------------------------------------------------------------------------------------


@suite("""
def test_it(qstash_fake, db, client):
    qstash_fake.mount(client)
    client.post("/sign-up")
    qstash_fake.drain()
    assert qstash_fake.attempts[0].body == b"ann"
""")
def test_a_delivery_through_the_fixture_client_sees_what_the_test_has_written(failures):
    assert failures == {"test_it": []}


@suite("""
@pytest.mark.asyncio
@pytest.mark.django_db(transaction=True)
async def test_async(qstash_fake, async_client):
    qstash_fake.mount(async_client)
    await async_client.post("/sign-up")
    await qstash_fake.drain_async()
    assert qstash_fake.attempts[0].body == b"ann"

def test_sync(qstash_fake, db, client, async_client):
    qstash_fake.mount(async_client)
    client.post("/sign-up")
    qstash_fake.drain()
    assert qstash_fake.attempts[0].body == b"ann"
""")
def test_a_delivery_through_the_fixture_async_client_sees_what_the_test_has_written(failures):
    assert failures == {"test_async": [], "test_sync": []}


@suite("""
def test_it(qstash_fake, db, client, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        client.post("/sign-up-on-commit")
    qstash_fake.mount(client)
    qstash_fake.drain()
    assert qstash_fake.attempts[0].body == b"ann"
""")
def test_what_waits_for_a_commit_is_published_by_django_capture_on_commit_callbacks(failures):
    assert failures == {"test_it": []}


@suite("""
import shop

def test_it(qstash_fake, live_server, monkeypatch):
    monkeypatch.setattr(shop, "publish", lambda: shop.qstash.message.publish(url=f"{live_server.url}/jobs/names"))
    with httpx.Client(base_url=live_server.url) as client:
        qstash_fake.mount(client)
        client.post("/sign-up")
        qstash_fake.drain()
    assert qstash_fake.attempts[0].body == b"ann"
""")
def test_an_application_in_the_fixture_live_server_publishes_and_is_delivered_to(failures):
    assert failures == {"test_it": []}


# --- transactions -------------------------------------------------------------------------------------------------


@suite("""
@pytest.mark.django_db
class Names(TestCase):
    @pytest.fixture(autouse=True)
    def take_the_fake(self, qstash_fake):
        self.fake = qstash_fake

    async def test_it(self):
        await User.objects.acreate(username="ann")
        for app in (Client(), AsyncClient(), WSGIHandler(), ASGIHandler()):
            self.fake.mount(app)
            publish()
            await self.fake.deliver_due_async()
        self.assertEqual([attempt.body for attempt in self.fake.attempts], [b"ann"] * 4)
""")
def test_every_kind_sees_the_transaction_of_an_async_test_of_a_test_case(failures):
    assert failures == {"test_it": []}


ON_COMMIT = (
    "transaction.on_commit holds 1 callback, and Django does not commit the transaction of a test: use "
    "django_capture_on_commit_callbacks(execute=True) or django_db(transaction=True); "
    "in a TestCase captureOnCommitCallbacks(execute=True), or a TransactionTestCase"
)


@suite("""
@pytest.fixture(autouse=True)
def signed_up(db, client):
    client.post("/sign-up-on-commit")

def test_published(qstash_fake):
    qstash_fake.assert_published()

def test_delivered(qstash_fake):
    qstash_fake.assert_delivered(times=1)

def test_order(qstash_fake):
    qstash_fake.assert_order(["first"])

def test_scheduled(qstash_fake):
    qstash_fake.assert_scheduled()
""")
def test_an_assertion_that_finds_nothing_names_what_waits_for_a_commit(failures):
    texts = [text for texts in failures.values() for text in texts]
    lines = [line.removeprefix("E").strip() for text in texts for line in text.splitlines() if line.startswith("E  ")]
    nothing = ["no message was published at all", ON_COMMIT, "nothing is pending"]
    assert lines == [
        *("AssertionError: no message was published", *nothing),
        *("AssertionError: no message was delivered; expected 1", *nothing),
        "AssertionError: not delivered in this order: nothing is the body 'first'",
        *("no message was delivered at all", ON_COMMIT, "nothing is pending"),
        *("AssertionError: no schedule", "there is no schedule at all", ON_COMMIT),
    ]


@suite("""
@pytest.mark.django_db(transaction=True)
def test_it(qstash_fake, client):
    client.post("/sign-up-on-commit")
    qstash_fake.assert_published(times=2)
""")
def test_no_commit_is_spoken_of_where_nothing_waits_for_one(failures):
    (text,) = failures["test_it"]
    assert "AssertionError: 1 message was published; expected 2" in text
    assert "on_commit holds" not in text


# --- django-qstash --------------------------------------------------------------------------------------------------


@suite("""
from django_qstash.results.models import TaskResult

from greetings.tasks import greet, greeted

def test_it(qstash_fake, db, client):
    qstash_fake.mount(client)
    task = greet.apply_async(args=("ann",), countdown=300)

    message = qstash_fake.assert_published(url="https://shop.example/qstash/webhook/", delay="5m")
    assert message.message_id == task.task_id
    qstash_fake.clock.advance("4m59s")
    assert greeted == []
    qstash_fake.clock.advance("1s")
    assert greeted == ["ann"]
    qstash_fake.assert_delivered()
    assert TaskResult.objects.get().task_id == task.task_id
""")
def test_a_task_of_django_qstash_is_published_delivered_and_recorded(failures):
    assert failures == {"test_it": []}
