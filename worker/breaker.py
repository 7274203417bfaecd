"""The circuit breaker: too many acknowledgements in an hour, and none goes out (rule B-L5).

A flood is a loop, an attack or a mistake in the configuration; what each of them would do to the
shop's good name as a sender is worse than a late confirmation. Tickets are opened all the same.
"""

import logging
from datetime import timedelta

from storage.database import Session
from storage.instance import get_instance, set_paused
from storage.outbox import usual_hour, written_since
from worker.context import Context

log = logging.getLogger(__name__)

LEAST = 50  # an hour; below it nothing is unusual
HOUR = timedelta(hours=1)
MONTH = timedelta(days=30)


def is_open(context: Context, session: Session) -> bool:
    """Whether nothing may be sent: paused by a person, or by this very look at the last hour.

    Resuming begins the hour anew, so that a person who has looked is not overruled at once.
    """
    instance = get_instance(session)
    if instance.acknowledgements_paused:
        return True
    factor = context.settings.acknowledgements.breaker_factor
    now = context.clock()
    begin = max(now - HOUR, instance.acknowledgements_resumed_at or now - HOUR)
    count = written_since(session, begin)
    if not factor or count <= LEAST:
        return False
    limit = max(LEAST, round(factor * usual_hour(session, since=now - MONTH, until=now - HOUR)))
    if count <= limit:
        return False
    reason = f"B-L5: {count} acknowledgements in an hour, more than {limit}"
    set_paused(session, what="acknowledgements", paused=True, reason=reason, now=now)
    session.commit()
    log.warning("acknowledgements paused by the breaker", extra={"count": count})
    return True
