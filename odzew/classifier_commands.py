"""Versions of the classifier: list, judge, promote, roll back, carry to another installation."""

from pathlib import Path
from typing import Annotated, Any

import typer

from odzew.opening import open_context
from odzew.options import AsJson, Config
from odzew.output import print_json, print_table, say
from odzew.training_commands import label_next, readiness, suspects, train
from storage.classifiers import active_version, all_versions
from storage.database import open_session

app = typer.Typer(help="Versions of the classifier; exactly one is active.", no_args_is_help=True)
app.command()(readiness)
app.command()(train)
app.command()(suspects)
app.command()(label_next)


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
            {
                "version": v.version,
                "state": v.state,
                "shipped": v.shipped,
                "override_reason": v.override_reason,
                "report": v.report,
            }
            for v in versions
        )
        return
    print_table(
        "Classifiers",
        ("version", "state", "cause accuracy", "critical recall", "measured on"),
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


Version = Annotated[str, typer.Argument(help="A version of `odzew classifiers list`.")]


@app.command()
def promote(
    version: Version,
    override: Annotated[
        str, typer.Option("--override", help="Why, although the gate refuses it; it is kept.")
    ] = "",
    config: Config = None,
) -> None:
    """Make a version active, without a restart. Example: odzew classifiers promote 20261122-1"""
    from models.registry import promote as promote_version

    context = open_context(config)
    with open_session(context.engine) as session:
        active = promote_version(
            session,
            version,
            context.settings.storage.path,
            now=context.clock(),
            taxonomy=context.taxonomy,
            override=override,
        )
    say(f"{active.version} is active.")


@app.command()
def rollback(config: Config = None) -> None:
    """Make the version active that was before. Example: odzew classifiers rollback"""
    from models.registry import roll_back

    context = open_context(config)
    with open_session(context.engine) as session:
        active = roll_back(
            session,
            context.settings.storage.path,
            now=context.clock(),
            taxonomy=context.taxonomy,
        )
    say(f"{active.version} is active again.")


@app.command()
def evaluate(
    version: Annotated[str, typer.Argument(help="A version; else the active one.")] = "",
    html: Annotated[
        Path | None, typer.Option("--html", help="Write the whole report, with plots, here.")
    ] = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """What a version is worth, beside the active one. Example: odzew classifiers evaluate"""
    from models.registry import ensure_default, known_version
    from models.report import report_page

    context = open_context(config)
    with open_session(context.engine) as session:
        ensure_default(session, now=context.clock())
        active = active_version(session)
        chosen = known_version(session, version) if version else active
        if chosen is None:
            say("No classifier is active: people decide every ticket.")
            return
        if html is not None:
            page = report_page(session, chosen, context.settings.storage.path)
            html.write_text(page, "utf-8")
            say(f"{html} is the report of {chosen.version}.")
    if as_json:
        print_json([{"version": chosen.version, "report": chosen.report}])
        return
    print_table(
        f"{chosen.version}, measured on examples that it was not trained on",
        ("figure", chosen.version, *([active.version] if active not in (None, chosen) else [])),
        (
            (
                name,
                _figure(chosen.report, name),
                *([_figure(active.report, name)] if active not in (None, chosen) else []),
            )
            for name, value in chosen.report.items()
            if isinstance(value, int | float)
        ),
    )


@app.command("export")
def export_file(
    version: Version,
    file: Annotated[Path, typer.Argument(dir_okay=False, help="The file to write.")],
    config: Config = None,
) -> None:
    """Write a version into one file. Example: odzew classifiers export default-2 default-2.tar"""
    from models.exchange import export_version

    context = open_context(config)
    with open_session(context.engine) as session:
        export_version(session, version, context.settings.storage.path, file)
    say(f"{file}: {version}, {file.stat().st_size / 1e6:.1f} MB")


@app.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="An exported version.")],
    config: Config = None,
) -> None:
    """Check an exported version and make it a candidate. Example: odzew classifiers import a.tar"""
    from models.exchange import import_version
    from models.registry import default_folder

    context = open_context(config)
    with open_session(context.engine) as session:
        candidate = import_version(session, file, context.settings.storage.path, default_folder())
    say(f"{candidate.version} is a candidate; `odzew classifiers promote {candidate.version}`.")
