"""From the texts of mails to what triage says of them: encoder, classifier, facts, decision."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from config.errors import PermanentError
from triage.classifier import Classifier
from triage.decision import Level, choose_urgency, decide
from triage.encoder import Encoder, Precision, Progress, encoder_hash
from triage.facts import Fact, facts_in, lift
from triage.text import is_readable, prepare


class EncoderMismatchError(PermanentError):
    """The classifier was trained on another encoder than the one at hand."""


@dataclass(frozen=True)
class Triage:
    """What triage says of one mail. Cause and urgency are the likeliest, certain or not."""

    cause: str
    cause_confidence: float  # calibrated probability, 0 to 1
    urgency: str
    urgency_confidence: float
    needs_review: bool
    level: Level  # how far the cause is trusted
    causes: Mapping[str, float]  # probability by code; they sum to 1
    urgencies: Mapping[str, float]
    secondary: tuple[str, ...]  # further causes, likeliest first
    facts: tuple[Fact, ...]  # what the text plainly states about its urgency
    classifier: str  # version


class Triager:
    """A classifier with its encoder, ready to use."""

    def __init__(self, encoder: Encoder, classifier: Classifier) -> None:
        self.encoder = encoder
        self.classifier = classifier

    @classmethod
    def load(
        cls,
        folder: Path,
        *,
        encoder_folder: Path | None = None,
        precision: Precision | None = None,
    ) -> Self:
        """Load a version of the classifier.

        folder: a version; encoder_folder: where its encoder lies, when not in the same folder.

        Raises EncoderMismatchError when the encoder is another than the one of the training, and
        DamagedClassifierError, DamagedEncoderError or DamagedWeightsError for files beyond use.
        """
        classifier = Classifier.load(folder)
        own = (folder / "encoder.json").exists()
        source = folder if own or encoder_folder is None else encoder_folder
        found = encoder_hash(source)
        if found != classifier.encoder_hash:
            raise EncoderMismatchError(
                f"{folder} was trained on encoder {classifier.encoder_hash[:12]}, but {source} has "
                f"{found[:12]}; train a version on this encoder or promote one that matches"
            )
        return cls(Encoder.load(source, precision=precision), classifier)

    def triage(
        self, texts: Sequence[tuple[str, str]], *, on_progress: Progress | None = None
    ) -> list[Triage]:
        """One result for each (subject, new text) in ``texts``, in the same order."""
        prepared = [prepare(subject, text) for subject, text in texts]
        embeddings = self.encoder.encode(prepared, on_progress=on_progress)
        causes, urgencies = self.classifier.predict(embeddings)
        return [
            self._result(text, cause, urgency)
            for text, cause, urgency in zip(prepared, causes, urgencies, strict=True)
        ]

    def _result(
        self, text: str, cause_scores: NDArray[np.float32], urgency_scores: NDArray[np.float32]
    ) -> Triage:
        labels = self.classifier.cause.labels
        decision = decide(
            cause_scores, labels, self.classifier.thresholds, self.classifier.preselect
        )
        readable = is_readable(text)
        causes = dict(zip(labels, map(float, cause_scores), strict=True))
        facts = facts_in(text)
        levels = self.classifier.urgency.labels
        urgencies = lift(dict(zip(levels, map(float, urgency_scores), strict=True)), facts)
        urgency = choose_urgency(urgencies, self.classifier.critical_from)
        return Triage(
            cause=decision.cause,
            cause_confidence=decision.confidence,
            urgency=urgency,
            urgency_confidence=urgencies[urgency],
            needs_review=decision.needs_review or not readable,
            level=decision.level if readable else "suggest",
            causes=causes,
            urgencies=urgencies,
            secondary=decision.secondary,
            facts=facts,
            classifier=self.classifier.version,
        )
