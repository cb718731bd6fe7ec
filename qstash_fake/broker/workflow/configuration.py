"""Configuration: what the messages of a run inherit from the publish that started it.

The TypeScript SDK sends retries, flow control, the failure callback, labels and the user's headers only with the start,
and a feature of each later message says that it does. The Python SDK sends all of it with every message.
"""

from __future__ import annotations

import dataclasses

from qstash_fake.broker.workflow.runs import Run
from qstash_fake.errors import Refused
from qstash_fake.protocol.options import Options
from qstash_fake.protocol.workflow import Feature, Marks, user_headers


def marks_of(options: Options) -> Marks:
    """Return what *options* say of a run, or refuse them with 400 if they name none."""
    if options.workflow is None:
        raise Refused(400, "Upstash-Workflow-RunId is missing")
    return options.workflow


def configuration(options: Options) -> Options:
    """Return what of the *options* of a start counts for all messages of its run."""
    return Options(
        retries=options.retries,
        retry_delay=options.retry_delay,
        flow_control=options.flow_control,
        failure_callback=options.failure_callback,
        failure_callback_options=options.failure_callback_options,
        labels=options.labels,
        redaction=options.redaction,
        forward=user_headers(options.forward),
    )


def configured(options: Options, run: Run) -> Options:
    """Return the *options* of a message of *run*; options that it leaves to the start are filled in."""
    if options.workflow is not None and Feature.TRIGGER_ON_CONFIG in options.workflow.features:
        return options.over(run.config)
    return redacted(options, run)


def redacted(options: Options, run: Run) -> Options:
    """Return the *options* of a call of *run*, which inherits nothing but the redaction."""
    return dataclasses.replace(options, redaction=options.redaction or run.config.redaction)
