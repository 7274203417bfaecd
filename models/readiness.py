"""Is it worth training now? What there is to learn from, and what is missing."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from models.dataset import CAUSES
from models.pool import Conflict, Pool, training_pool
from storage.classifiers import all_versions
from storage.database import Session
from storage.labels import count_labels

# A cause of the shop's own needs so many labels before it is learnt at all, and so many to be
# known well.
LEAST_PER_CAUSE = 10
ADVISED_PER_CAUSE = 50
# Fewer labels than this change nothing that the shipped classifier does.
LEAST_LABELS = 20
# Measured: `make classify-speed`, 32-bit weights on two cores, and the heads on top of that.
_TEXTS_PER_SECOND = 15
_SECONDS_FOR_THE_HEADS = 30


@dataclass(frozen=True)
class Readiness:
    """What a training would learn from at this moment."""

    labels: int
    new_labels: int  # since the newest version was made
    per_cause: Mapping[str, int]  # shipped causes and those of the shop's own
    too_few: Mapping[str, int]  # own causes that will not be learnt yet, with their labels
    conflicts: tuple[Conflict, ...]
    collapsed: int  # near-duplicates that are left out
    largest_share: float  # of the most frequent cause, 0 to 1
    minutes: float  # expected, at most: embeddings that are kept are not computed again
    problems: tuple[str, ...]  # why it cannot be trained; () when it can
    advice: tuple[str, ...]

    @property
    def ready(self) -> bool:
        return not self.problems


def readiness(session: Session, pool: Pool | None = None) -> Readiness:
    """The state of the training pool, in figures and sentences."""
    pool = training_pool(session) if pool is None else pool
    counts = Counter(example.cause for example in pool.examples)
    learnt = Counter(example.cause for example in pool.learn)
    too_few = {
        code: learnt[code]
        for code in counts
        if code not in CAUSES and learnt[code] < LEAST_PER_CAUSE
    }
    labels = sum(counts.values())
    largest = max(counts.values(), default=0) / max(labels, 1)
    problems = (
        ()
        if labels >= LEAST_LABELS
        else (f"{labels} labels of people, at least {LEAST_LABELS} are needed",)
    )
    return Readiness(
        labels=labels,
        new_labels=new_labels(session),
        per_cause={code: counts[code] for code in [*CAUSES, *sorted(counts.keys() - set(CAUSES))]},
        too_few=too_few,
        conflicts=pool.conflicts,
        collapsed=pool.collapsed,
        largest_share=largest,
        minutes=round((labels / _TEXTS_PER_SECOND + _SECONDS_FOR_THE_HEADS) / 60, 1),
        problems=problems,
        advice=tuple(_advice(counts, too_few, pool, largest)),
    )


def new_labels(session: Session) -> int:
    """How many labels people have given since the newest version was trained here."""
    own = [version for version in all_versions(session) if not version.shipped]
    # From when its labels were read, not from when it was done.
    since = max((version.report.get("labels_read_at", "") for version in own), default="")
    return count_labels(session, since=datetime.fromisoformat(since) if since else None)


def _advice(
    counts: Counter[str], too_few: Mapping[str, int], pool: Pool, largest: float
) -> list[str]:
    advice = [
        f"{code}: {count} labels, {LEAST_PER_CAUSE} are needed before it is learnt"
        for code, count in too_few.items()
    ]
    advice += [
        f"{code}: {count} labels, {ADVISED_PER_CAUSE} are advised for a cause of your own"
        for code, count in counts.items()
        if code not in CAUSES and code not in too_few and count < ADVISED_PER_CAUSE
    ]
    if pool.conflicts:
        advice.append(
            f"{len(pool.conflicts)} pairs of nearly equal mails have different causes, such as "
            f"{pool.conflicts[0].first} ({pool.conflicts[0].labels[0]}) and "
            f"{pool.conflicts[0].second} ({pool.conflicts[0].labels[1]}); the newer one counts"
        )
    if largest > 0.5 and sum(counts.values()) >= LEAST_LABELS:
        code = counts.most_common(1)[0][0]
        advice.append(f"{largest:.0%} of the labels are {code}; label tickets of other causes, too")
    return advice
