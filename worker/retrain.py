"""Step 5: a new candidate when people have corrected enough tickets.

The candidate is only registered: promoting it is a person's decision. Training a head on cached
embeddings takes seconds; the encoder reads only texts that it has not seen before.
"""

import logging

from models.retraining import new_labels
from models.retraining import retrain as make_candidate
from storage.database import open_session
from worker.context import Context

log = logging.getLogger(__name__)

ENOUGH = 50  # labels since the newest version


def retrain(context: Context) -> int:
    """Train a candidate when there are enough new labels; return how many versions were made."""
    with open_session(context.engine) as session:
        if new_labels(session) < ENOUGH:
            return 0
        version = make_candidate(session, context.settings.storage.path, now=context.clock())
    log.info("candidate trained", extra={"step": "retrain", "classifier": version.version})
    return 1
