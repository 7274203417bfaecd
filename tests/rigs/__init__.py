"""Real servers for tests, and their faults: all on loopback, in folders of their own."""

from tests.rigs.certificates import Certificates
from tests.rigs.dovecot import Dovecot
from tests.rigs.fault_proxy import Fault, FaultProxy
from tests.rigs.postfix import Postfix
from tests.rigs.postgres import Postgres
from tests.rigs.smtp_catcher import CaughtMail, SmtpCatcher

__all__ = [
    "CaughtMail",
    "Certificates",
    "Dovecot",
    "Fault",
    "FaultProxy",
    "Postfix",
    "Postgres",
    "SmtpCatcher",
]
