"""The report of a version as a page: figures, plots, what it mixes up, what it overlooks."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader

from models.building import Material
from models.calibration import coverage_curve, reliability
from models.comparison import RECENT
from models.corpus import corpus, material
from models.evaluation import EvaluationReport, Predictions, evaluate, predict
from models.gate import gate
from models.plots import coverage_plot, reliability_plot
from models.pool import training_pool
from models.registry import folder_of, load_with_encoder
from storage.classifiers import active_version
from storage.database import Session
from storage.tables import ClassifierVersion
from triage.classifier import Classifier
from triage.decision import CRITICAL

_PAIRS, _TEXTS, _EXCERPT = 10, 2, 220
_POINTS = 100  # of a curve


def report_page(session: Session, version: ClassifierVersion, storage: Path) -> str:
    """The whole report as HTML, without a reference to anything outside.

    Texts of the shop's own tickets are shown as they were trained on, see triage.redaction.
    """
    classifier, encoder, source = load_with_encoder(folder_of(version, storage))
    active = active_version(session)
    held_out = set(version.report.get("held_out", ()))
    own = [example for example in training_pool(session).examples if example.id in held_out]
    session.commit()  # no transaction stays open while the encoder works
    cache = storage / "classifiers" / "cache"
    frozen = material(corpus("test"), encoder, shipped=source, cache=cache)
    other = None if active is None or active.version == version.version else active.report
    parts = [_part("Frozen test part", classifier, frozen, other)]
    if own:
        theirs = material(own, encoder, cache=cache)
        stored = version.report.get("own", {}).get("active")
        parts.append(_part("The shop's own newest labels", classifier, theirs, stored))
        recent = own_since(version, theirs)
        if recent.examples:
            stored = version.report.get("recent", {}).get("active")
            parts.append(_part("Of these, the last 30 days", classifier, recent, stored))
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, trim_blocks=True
    )
    return environment.get_template("report.html").render(
        version=version.version,
        active="" if active is None else active.version,
        problems=()
        if active is None or active.version == version.version
        else gate(version.report, active.report, active.version),
        parts=parts,
    )


def _part(
    title: str, classifier: Classifier, seen: Material, other: Mapping[str, Any] | None
) -> dict[str, Any]:
    """One set of mails; other: what was measured of the version beside it on the same mails."""
    predictions = predict(classifier, seen.embeddings, seen.examples)
    report = evaluate(predictions)
    texts = [example.text for example in seen.examples]
    other = other or {}
    return {
        "title": title,
        "report": report,
        "active": bool(other),
        "figures": _figures(report, other),
        "labels": [*report.causes.items(), *report.urgencies.items()],
        "reliability": reliability_svg(predictions),
        "coverage": coverage_svg(predictions),
        "thresholds": threshold_rows(classifier, predictions),
        "confusions": _confusions(predictions, texts),
        "missed": _missed(predictions, texts),
    }


def own_since(version: ClassifierVersion, own: Material) -> Material:
    """The held-out mails of the 30 days before the version was made."""
    since = version.created_at - RECENT
    return own.chosen(
        np.array([e.at is not None and e.at >= since for e in own.examples], np.bool_)
    )


def reliability_svg(p: Predictions) -> str:
    return reliability_plot(reliability(p.cause_scores, p.causes), "Reliability of the cause")


def coverage_svg(p: Predictions) -> str:
    _, share, precision = coverage_curve(p.cause_scores, p.causes)
    few = np.unique(np.linspace(0, len(share) - 1, _POINTS).astype(np.int64))
    return coverage_plot(
        [(float(share[i]), float(precision[i])) for i in few], "Decided causes that are right"
    )


def threshold_rows(classifier: Classifier, p: Predictions) -> list[dict[str, Any]]:
    """For each cause its two limits, the share of its predictions decided, and their precision."""
    rows = []
    automatic = np.array([level == "automatic" for level in p.levels])
    for index, code in enumerate(p.cause_labels):
        mine = p.predicted_causes == index
        decided = mine & automatic
        rows.append(
            {
                "cause": code,
                "preselect": classifier.preselect[code],
                "automatic": classifier.thresholds[code],
                "decided": float(decided.sum() / max(mine.sum(), 1)),
                "precision": float(p.right[decided].mean()) if decided.any() else None,
            }
        )
    return rows


def _figures(report: EvaluationReport, other: Mapping[str, Any]) -> list[tuple[str, str, str, str]]:
    rows = []
    for name, value in asdict(report).items():
        if isinstance(value, float):
            interval = report.intervals.get(name)
            theirs = other.get(name)
            rows.append(
                (
                    name.replace("_", " "),
                    f"{value:.3f}",
                    "" if interval is None else f"{interval[0]:.3f}–{interval[1]:.3f}",
                    f"{theirs:.3f}" if isinstance(theirs, float) else "",
                )
            )
    return rows


def _confusions(p: Predictions, texts: Sequence[str]) -> list[dict[str, Any]]:
    pairs = Counter(
        (int(label), int(predicted))
        for label, predicted in zip(p.causes, p.predicted_causes, strict=True)
        if label != predicted and label >= 0
    )
    found = []
    for (label, predicted), count in pairs.most_common(_PAIRS):
        where = np.flatnonzero((p.causes == label) & (p.predicted_causes == predicted))
        found.append(
            {
                "label": p.cause_labels[label],
                "predicted": p.cause_labels[predicted],
                "count": count,
                "texts": [texts[index][:_EXCERPT] for index in where[:_TEXTS]],
            }
        )
    return found


def _missed(p: Predictions, texts: Sequence[str]) -> list[str]:
    if CRITICAL not in p.urgency_labels:
        return []
    index = p.urgency_labels.index(CRITICAL)
    missed = np.flatnonzero((p.urgencies == index) & (p.predicted_urgencies != index))
    return [texts[int(i)][:_EXCERPT] for i in missed]
