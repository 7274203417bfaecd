"""Labels that are probably wrong, and tickets that are most worth a label today."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.building import Material
from models.dataset import folds
from models.training import train_head
from triage.classifier import Classifier, softmax

# A label is doubted when another cause is so much likelier without it.
_LEAST_DOUBT = 0.5


@dataclass(frozen=True)
class Suspect:
    """A label that its own classifier, trained without it, contradicts."""

    id: str  # of the example: ticket-17
    label: str
    suggested: str
    doubt: float  # 0 to 1: probability of the suggestion less that of the label


def suspects(classifier: Classifier, corpus: Material, own: Material) -> tuple[Suspect, ...]:
    """The doubtful labels among the shop's own, most doubtful first.

    Each is judged by a head that was trained on the corpus and on the other labels (confident
    learning: Northcutt et al. 2021, section 3). Labels of causes that the classifier does not
    know are not judged.
    """
    labels = classifier.cause.labels
    judged = own.chosen(np.array([e.cause in labels for e in own.examples], np.bool_))
    if not judged.examples:
        return ()
    targets = np.array([labels.index(e.cause) for e in (*corpus.examples, *judged.examples)])
    embeddings = np.concatenate([corpus.embeddings, judged.embeddings])
    n = len(corpus.examples)
    mine = folds(judged.examples)
    scores = np.zeros((len(judged.examples), len(labels)), np.float32)
    for fold in np.unique(mine):
        chosen = np.concatenate([np.ones(n, np.bool_), mine != fold])
        mean = embeddings[chosen].mean(0)
        head = train_head(embeddings[chosen], targets[chosen], labels, mean=mean)
        logits = head.logits(judged.embeddings[mine == fold] - mean)
        scores[mine == fold] = softmax(logits / classifier.cause.temperature)
    found = []
    for row, target, example in zip(scores, targets[n:], judged.examples, strict=True):
        best = int(row.argmax())
        doubt = float(row[best] - row[target])
        if best != target and doubt >= _LEAST_DOUBT:
            found.append(Suspect(example.id, example.cause, labels[best], round(doubt, 3)))
    return tuple(sorted(found, key=lambda suspect: -suspect.doubt))


def worth_labelling(
    probabilities: NDArray[np.float32],
    embeddings: NDArray[np.float32],
    labelled: NDArray[np.float32],
    *,
    count: int,
) -> Sequence[int]:
    """The indices of at most ``count`` mails from which a training would learn most.

    probabilities: shape (n, causes); embeddings: shape (n, d); labelled: shape (m, d), of what has
    a label already. Doubtful ones first (margin sampling: Scheffer et al. 2001), each weighed
    with how far it is from everything labelled or chosen, so that ten mails of one story are one.
    """
    ordered = np.sort(probabilities, 1)
    doubt = 1 - (ordered[:, -1] - ordered[:, -2])
    nearest = (embeddings @ labelled.T).max(1) if len(labelled) else np.full(len(embeddings), -1.0)
    chosen: list[int] = []
    for _ in range(min(count, len(embeddings))):
        worth = doubt * (1 - nearest).clip(1e-6)
        worth[chosen] = -1
        best = int(worth.argmax())
        chosen.append(best)
        nearest = np.maximum(nearest, embeddings @ embeddings[best])
    return chosen
