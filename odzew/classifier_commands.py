"""Versions of the classifier: train, list, promote, roll back."""

from typing import Annotated, Any

import typer
from rich.progress import Progress

from odzew.opening import open_context
from odzew.options import AsJson, Config
from odzew.output import errors, print_json, print_table, say
from storage.classifiers import all_versions
from storage.database import open_session

app = typer.Typer(help="Versions of the classifier; exactly one is active.", no_args_is_help=True)


@app.command("list")
def list_versions(config: Config = None, as_json: AsJson = False) -> None:
    """All versions with their figures. Example: odzew classifiers list"""
    from models.registry import ensure_default

    context = open_context(config)
    with open_session(context.engine) as session:
        ensure_default(session, now=context.clock())
        versions = all_versions(session)
    if as_json:
        print_json(
            {"version": v.version, "state": v.state, "shipped": v.shipped, "report": v.report}
            for v in versions
        )
        return
    print_table(
        "Classifiers",
        ("version", "state", "cause accuracy", "critical recall", "trained on"),
        (
            (
                v.version,
                v.state,
                _figure(v.report, "cause_accuracy"),
                _figure(v.report, "critical_recall"),
                _figure(v.report, "examples"),
            )
            for v in versions
        ),
    )


def _figure(report: dict[str, Any], name: str) -> str:
    value = report.get(name)
    return f"{value:.3f}" if isinstance(value, float) else "" if value is None else str(value)


@app.command()
def train(config: Config = None) -> None:
    """Train a candidate on the shipped examples and on what people corrected.

    Nothing changes until it is promoted. Example: odzew classifiers train
    """
    from models.registry import ensure_default
    from models.retraining import retrain

    context = open_context(config)
    with open_session(context.engine) as session, Progress(console=errors) as progress:
        ensure_default(session, now=context.clock())
        task = progress.add_task("reading the examples", total=None)
        version = retrain(
            session,
            context.settings.storage.path,
            now=context.clock(),
            on_progress=lambda done, total: progress.update(task, completed=done, total=total),
        )
        say(f"{version.version} is a candidate; `odzew classifiers promote {version.version}`.")


Version = Annotated[str, typer.Argument(help="A version of `odzew classifiers list`.")]


@app.command()
def promote(version: Version, config: Config = None) -> None:
    """Make a version active, without a restart. Example: odzew classifiers promote 20261122-1"""
    from models.registry import promote as promote_version

    context = open_context(config)
    with open_session(context.engine) as session:
        active = promote_version(
            session, version, context.settings.storage.path, now=context.clock()
        )
    say(f"{active.version} is active.")


@app.command()
def rollback(config: Config = None) -> None:
    """Make the version active that was before. Example: odzew classifiers rollback"""
    from models.registry import roll_back

    context = open_context(config)
    with open_session(context.engine) as session:
        active = roll_back(session, context.settings.storage.path, now=context.clock())
    say(f"{active.version} is active again.")


@app.command()
def evaluate(config: Config = None, as_json: AsJson = False) -> None:
    """The report of the active version. Example: odzew classifiers evaluate"""
    from models.registry import ensure_default
    from storage.classifiers import active_version

    context = open_context(config)
    with open_session(context.engine) as session:
        ensure_default(session, now=context.clock())
        active = active_version(session)
    if active is None:
        say("No classifier is active: people decide every ticket.")
    elif as_json:
        print_json([{"version": active.version, "report": active.report}])
    else:
        print_table(
            f"{active.version}, measured on examples that it was not trained on",
            ("figure", "value"),
            sorted(
                (name, _figure(active.report, name))
                for name, value in active.report.items()
                if isinstance(value, int | float)
            ),
        )
