"""Whose complaint a mail carries, and in which words and language."""

from tests.unit.worker.mails import a_mail
from worker.complaint import complaint_in
from worker.mime import KnownAddresses, parse

SHOP = KnownAddresses(own_domains=("sklep.example",))

FORWARD = """Hej, zajmiesz się tym? Pani czeka od tygodnia i dzwoniła już dwa razy.

---------- Wiadomość przekazana dalej ---------
Od: Petra Weber <petra@kundin.example>
Data: pt., 20 lis 2026 o 10:00
Temat: Kaffeemaschine defekt
Do: <biuro@sklep.example>

Guten Tag, die Kaffeemaschine ist leider nach zwei Wochen kaputt gegangen.
Bitte schicken Sie mir ein neues Gerät.
"""


def test_a_forward_is_in_the_customers_language_and_not_in_the_colleagues():
    mail = a_mail(FORWARD, From="biuro@sklep.example", Subject="Fwd: Kaffeemaschine defekt")
    complaint = complaint_in(parse(mail, SHOP))
    assert complaint.requester_addr == "petra@kundin.example"
    assert complaint.language == "de"
    assert "kaputt" in complaint.text
    assert "dzwoniła" in complaint.comment
