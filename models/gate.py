"""The gate: a version that is worse than the active one is not promoted without a reason."""

from collections.abc import Mapping
from typing import Any

# A smaller loss than this is noise on a thousand mails.
MOST_LOSS = {"critical_recall": 0.02, "cause_accuracy": 0.02}
MOST_CAUSE_LOSS = 0.08  # of the recall of one cause ...
FREQUENT = 30  # ... that has at least so many examples
MOST_CALIBRATION_LOSS = 0.02
# On so few of the shop's own labels nothing can be refused.
LEAST_OWN = 50


def gate(
    candidate: Mapping[str, Any], active: Mapping[str, Any], active_name: str = ""
) -> tuple[str, ...]:
    """Why the candidate must not take the active version's place; () when it may.

    candidate, active: stored metrics, of the same frozen test part. active_name: the shop's own
    labels are looked at only where the candidate was measured beside this version.
    """
    if not active or "test_hash" not in active:
        return ()
    if candidate.get("test_hash") != active["test_hash"]:
        return (
            "it was measured on another test part than the active version, so they cannot be "
            "compared; look at both reports",
        )
    problems = _losses(candidate, active, "on the frozen test part")
    own = candidate.get("own") or {}
    beside = candidate.get("beside", active_name) == active_name
    if beside and "active" in own and own["candidate"]["examples"] >= LEAST_OWN:
        problems += _losses(own["candidate"], own["active"], "on the shop's own newest labels")
    return tuple(problems)


def _losses(new: Mapping[str, Any], old: Mapping[str, Any], where: str) -> list[str]:
    problems = [
        f"{name.replace('_', ' ')} falls from {old[name]:.3f} to {new[name]:.3f} {where}"
        for name, most in MOST_LOSS.items()
        if new[name] < old[name] - most
    ]
    for code, score in old["causes"].items():
        if score["support"] < FREQUENT:
            continue
        mine = new["causes"].get(code)
        if mine is None:
            problems.append(f"it does not know {code} any more")
        elif mine["recall"] < score["recall"] - MOST_CAUSE_LOSS:
            problems.append(
                f"recall of {code} falls from {score['recall']:.3f} to {mine['recall']:.3f} {where}"
            )
    worse = new["cause_calibration_excess"] - old["cause_calibration_excess"]
    if worse > MOST_CALIBRATION_LOSS:
        problems.append(f"the calibration error grows by {worse:.3f} {where}")
    return problems
