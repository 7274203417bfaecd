"""Whom a ticket belongs to: the rules B-F1 to B-F6 and B-D3."""

import pytest

from tests.unit.worker.mails import a_mail
from worker.mime import KnownAddresses, parse

KNOWN = KnownAddresses(
    own_domains=("sklep.example",),
    own_addresses=("reklamacje@sklep.example",),
    trusted_forwarders=("biuro@partner.example",),
    contact_forms=("formularz@sklep.example",),
    groups=("grupa@sklep.example",),
    relays=("allegro.example",),
)
FORWARD = """---------- Forwarded message ---------
From: Jan <jan@example.com>
Date: Mon, 2 Mar 2026
Subject: Buty
To: <biuro@sklep.example>

Dzień dobry, buty są uszkodzone.
"""
INCOMPLETE = (
    "---------- Forwarded message ---------\nFrom: Jan <jan@example.com>\nSubject: Buty\n\nx\n"
)

CASES = {
    "a customer": ("from", "anna@example.com", True, a_mail()),
    "B-D3 same organisation": (
        "reply_to",
        "anna@poczta.example.com",
        True,
        a_mail(Reply_To="anna@poczta.example.com"),
    ),
    "B-D3 another organisation": (
        "from",
        "anna@example.com",
        True,
        a_mail(Reply_To="x@evil.example"),
    ),
    "B-F3 staff forward": (
        "forward",
        "jan@example.com",
        True,
        a_mail(FORWARD, From="e@sklep.example"),
    ),
    "B-F6 trusted forwarder": (
        "forward",
        "jan@example.com",
        True,
        a_mail(FORWARD, From="biuro@partner.example"),
    ),
    "B-F6 incomplete header": (
        "forward",
        "jan@example.com",
        False,
        a_mail(INCOMPLETE, From="e@sklep.example"),
    ),
    "a stranger forwards": ("from", "anna@example.com", True, a_mail(FORWARD)),
    "B-F5 contact form": (
        "form",
        "jan@example.com",
        True,
        a_mail(From="formularz@sklep.example", Reply_To="jan@example.com"),
    ),
    "B-F5 form without Reply-To": ("none", "", False, a_mail(From="formularz@sklep.example")),
    "B-F5 form with two addresses": (
        "none",
        "",
        False,
        a_mail(From="formularz@sklep.example", Reply_To="a@example.com, b@example.com"),
    ),
    "B-F2 configured group": (
        "group",
        "jan@example.com",
        True,
        a_mail(
            From="Jan via Grupa <grupa@sklep.example>",
            X_Original_From="jan@example.com",
            List_Id="<grupa.sklep.example>",
        ),
    ),
    "B-F2 unknown group": (
        "reply_to",
        "jan@example.com",
        False,
        a_mail(
            From="'Kowalski, Jan' via Lista <lista@other.example>",
            X_Original_From="jan@example.com",
            Reply_To="jan@example.com",
        ),
    ),
    "B-F4 relay": ("relay", "x1@allegro.example", True, a_mail(From="x1@allegro.example")),
    "B-D2 no sender": ("none", "", False, a_mail(From="Anna")),
}


@pytest.mark.parametrize(("source", "addr", "answered", "raw"), CASES.values(), ids=CASES)
def test_the_requester_is(source, addr, answered, raw):
    mail = parse(raw, KNOWN)
    assert (mail.requester_source, mail.requester_addr) == (source, addr)
    assert mail.auto_ack_ok is answered, mail.no_ack_reason
