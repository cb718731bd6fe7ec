"""The official TypeScript SDK of Upstash Workflow against the server: every primitive, and how often it is called."""

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "workflows-typescript.md"


@pytest.mark.protocol("W every primitive")
def test_workflows_of_the_typescript_sdk_run_in_virtual_time(typescript, still):
    assert typescript("workflow.js", still.environment) == [
        "a sequential run calls its endpoint five times",
        "steps beside each other: five calls",
        "sleeps that nobody awaits: twelve calls",
        "five calls, one of them made twice, and a sleep: twelve calls",
        "a parent that fails leaves its children going: eleven calls",
        "an event wakes a run that waits, and a run that waits in vain times out",
        "a safe notify is kept until the run waits; a workflow notifies another",
        "a failed step is retried, then the run fails and its failure function is called",
        "a failed run is resumed where it failed, and restarted from its payload",
        "errors that say when, or never, to try again are heard",
        "a workflow without a step fails, and what is no workflow is detected at once",
        "runs are cancelled by id, by url and by themselves",
        "a call that fails is told once, after its last attempt, and fails nothing",
        "a quota that is exceeded fails the run at once",
        "a webhook is an event of the run that made it, and needs no token",
        "a run invokes another and gets its result",
        "a run that invokes another hears that it has failed",
        "a run that invokes another hears that it was cancelled",
        "a run, a call and a wait beside each other",
        "a branch that fails stands in its group, and is resumed alone",
        "a failure function that has failed is called again",
        "a start can wait, is not repeated while it runs, and its id is free afterwards",
        "a delivery that comes twice makes no step twice",
        "what is redacted is shown as a hash, and delivered as it is",
        "a flow-control key of the start counts for every delivery of the run",
        "the API starts runs as well, with and without knowing the SDK",
        "exit status 0",
    ]


def test_workflows_of_the_typescript_sdk_run_in_real_time(typescript, server):
    assert typescript("workflow.js", server.environment | {"CLOCK": "real"}) == [
        "a run sleeps a second of the real clock",
        "exit status 0",
    ]


def test_the_example_of_the_page_passes_its_test(typescript, still):
    blocks = re.findall(r"^```js\n(// (\S+)\n.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    files = {name: code for code, name in blocks}
    assert list(files) == ["approval.js", "approval.test.js"]
    environment = {name: still.environment[name] for name in ("QSTASH_URL", "QSTASH_TOKEN")}
    printed = typescript("approval.test.js", environment, files)
    assert printed[-1] == "exit status 0", "\n".join(printed)
    assert [line for line in printed if line.endswith(" pass 2")]
