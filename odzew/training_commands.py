"""Learning from what people said: is it worth it, train, which labels to mend or to add."""

import os
from typing import Annotated

import typer
from rich.progress import Progress

from odzew.opening import open_context
from odzew.options import AsJson, Config
from odzew.output import errors, print_json, print_table, say
from storage.database import open_session

NICENESS = 10


def readiness(config: Config = None, as_json: AsJson = False) -> None:
    """Is it worth training now, and what is missing. Example: odzew classifiers readiness"""
    from dataclasses import asdict

    from models.readiness import readiness as state_of

    context = open_context(config)
    with open_session(context.engine) as session:
        state = state_of(session)
    if as_json:
        print_json([asdict(state) | {"ready": state.ready}])
        return
    print_table(
        f"{state.labels} labels of people, {state.new_labels} new",
        ("cause", "labels"),
        ((code, str(count)) for code, count in state.per_cause.items()),
    )
    for sentence in (*state.problems, *state.advice):
        say(f"- {sentence}.")
    if state.ready:
        say(f"Ready: `odzew classifiers train`, about {state.minutes:.1f} minutes at most.")


def train(
    deep: Annotated[
        bool, typer.Option("--deep", help="Fine-tune the encoder, too: hours on a processor.")
    ] = False,
    config: Config = None,
) -> None:
    """Train a candidate on the shipped mails and on what people corrected.

    Nothing changes until it is promoted. Ctrl-C stops it, and the next one goes on there.
    Example: odzew classifiers train
    """
    from models.registry import ensure_default
    from models.retraining import retrain

    context = open_context(config)
    os.nice(NICENESS)
    with open_session(context.engine) as session, Progress(console=errors) as progress:
        ensure_default(session, now=context.clock())
        task = progress.add_task("starting", total=None)

        def show(what: str, done: int, total: int) -> None:
            progress.update(task, description=what, completed=done, total=total)

        version = retrain(
            session,
            context.settings.storage.path,
            now=context.clock(),
            known=[cause.code for cause in context.taxonomy.causes],
            deep=deep,
            on_progress=show,
        )
        say(f"{version.version} is a candidate; `odzew classifiers promote {version.version}`.")


def suspects(config: Config = None, as_json: AsJson = False) -> None:
    """Labels that are probably wrong, most doubtful first. Example: odzew classifiers suspects"""
    from dataclasses import asdict

    from models.advice import doubtful_labels

    context = open_context(config)
    with open_session(context.engine) as session:
        found = doubtful_labels(session, context.settings.storage.path)
    if as_json:
        print_json(asdict(suspect) for suspect in found)
        return
    print_table(
        "Doubtful labels",
        ("ticket", "label", "more likely", "doubt"),
        ((s.ticket, s.label, s.suggested, f"{s.doubt:.2f}") for s in found),
    )


def label_next(
    count: Annotated[int, typer.Option("--count", min=1, help="How many tickets.")] = 10,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """The tickets most worth a label today. Example: odzew classifiers label-next"""
    from dataclasses import asdict

    from models.advice import tickets_to_label

    context = open_context(config)
    with open_session(context.engine) as session:
        found = tickets_to_label(session, context.settings.storage.path, count=count)
    if as_json:
        print_json(asdict(ticket) for ticket in found)
        return
    print_table(
        "Worth a label",
        ("ticket", "likeliest", "confidence"),
        ((t.ticket, t.cause, f"{t.confidence:.2f}") for t in found),
    )
