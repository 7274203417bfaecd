"""Whom a ticket belongs to: the rules B-F1 to B-F6 and B-D3."""

from dataclasses import replace

import pytest

from tests.unit.worker.mails import a_mail
from worker.complaint import complaint_in
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
        "group",
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


GROUP = {
    "List_Id": "Reklamacje <grupa.sklep.example>",
    "List_Post": "<mailto:grupa@sklep.example>",
    "List_Unsubscribe": "<mailto:u@groups.example>",
    "Precedence": "list",
    "Sender": "Grupa <grupa-bounces@sklep.example>",
    "Return_Path": "<grupa-bounces@sklep.example>",
}
# The same of a group that is not in the configuration.
UNKNOWN_GROUP = {name: value.replace("grupa", "bok") for name, value in GROUP.items()}
AUTHOR = {
    "From": "'Jan Nowak' via Grupa <grupa@sklep.example>",
    "X_Original_From": "Jan Nowak <jan@example.com>",
    "X_Original_Sender": "jan@example.com",
    "Reply_To": "grupa@sklep.example",
}

CONFIGURED = {
    "all fields": AUTHOR,
    "no field but Reply-To": {"From": AUTHOR["From"], "Reply_To": "Jan Nowak <jan@example.com>"},
    "a name without via": AUTHOR | {"From": "Grupa <grupa@sklep.example>"},
    "via in another language": AUTHOR | {"From": "Jan Nowak über Grupa <grupa@sklep.example>"},
    "From left as it was": {"From": "Jan Nowak <jan@example.com>"},
    "From left, answers to the group": {
        "From": "Jan Nowak <jan@example.com>",
        "Reply_To": "grupa@sklep.example",
    },
}


@pytest.mark.parametrize("headers", CONFIGURED.values(), ids=CONFIGURED)
def test_what_comes_through_a_group_of_the_configuration_is_the_authors(headers):
    mail = parse(a_mail(**GROUP | headers), KNOWN)
    assert (mail.requester_addr, mail.requester_name) == ("jan@example.com", "Jan Nowak")
    assert (mail.kind, mail.auto_ack_ok, mail.no_ack_reason) == ("person", True, None)
    assert complaint_in(mail).requester_status == "known"


def test_a_group_that_names_no_author_gets_no_answer():
    mail = parse(a_mail(**GROUP, From="grupa@sklep.example"), KNOWN)
    assert (mail.kind, mail.requester_addr, mail.auto_ack_ok) == ("person", "", False)


def test_a_stranger_cannot_have_anybody_answered_by_naming_our_group():
    fields = {**AUTHOR, "From": "Jan via Grupa <eva@evil.example>", "X_Original_Sender": None}
    mail = parse(a_mail(**GROUP | fields), KNOWN)
    assert not (mail.auto_ack_ok and mail.requester_addr == "jan@example.com")


def test_an_automatic_reply_through_a_group_stays_one():
    mail = parse(a_mail(**GROUP | AUTHOR, Auto_Submitted="auto-replied"), KNOWN)
    assert (mail.kind, mail.auto_ack_ok) == ("auto_reply", False)


BEHIND_UNKNOWN = {
    "two fields agree": ("jan@example.com", "suggested", AUTHOR),
    "one field and Reply-To agree": (
        "jan@example.com",
        "suggested",
        {**AUTHOR, "X_Original_Sender": None, "Reply_To": "jan@example.com"},
    ),
    "one field": ("", "missing", {**AUTHOR, "X_Original_From": None}),
    "two fields differ": ("", "missing", {**AUTHOR, "X_Original_Sender": "ewa@example.com"}),
    "a stranger writes to it": ("jan@example.com", "suggested", {"From": "jan@example.com"}),
}


@pytest.mark.parametrize(("addr", "status", "headers"), BEHIND_UNKNOWN.values(), ids=BEHIND_UNKNOWN)
def test_a_group_without_configuration_gets_a_ticket_and_no_answer(addr, status, headers):
    own = {name: value and value.replace("grupa@", "bok@") for name, value in headers.items()}
    mail = parse(a_mail(**UNKNOWN_GROUP | own), KNOWN)
    assert (mail.kind, mail.auto_ack_ok, mail.requester_addr) == ("person", False, addr)
    assert complaint_in(mail).requester_status == status
    assert mail.no_ack_reason.startswith("B-F2: ")


def test_a_customers_forward_behind_a_group_is_no_colleagues():
    headers = {**AUTHOR, "From": "Jan via BOK <bok@sklep.example>", "X_Original_Sender": None}
    mail = parse(a_mail(FORWARD, **UNKNOWN_GROUP | headers), KNOWN)
    assert (mail.requester_source, mail.auto_ack_ok) == ("none", False)


@pytest.mark.parametrize("fields", [GROUP, UNKNOWN_GROUP], ids=["configured", "unknown"])
def test_a_colleagues_forward_through_a_group_is_the_customers(fields):
    group = fields["List_Post"].removeprefix("<mailto:").removesuffix(">")
    colleague = {"From": "Ewa <ewa@sklep.example>", "X_Original_Sender": "ewa@sklep.example"}
    mail = parse(a_mail(FORWARD, **fields | colleague, To=group), KNOWN)
    assert (mail.kind, mail.requester_source) == ("person", "forward")
    assert (mail.requester_addr, mail.auto_ack_ok) == ("jan@example.com", True)


def test_a_colleagues_note_through_a_group_is_a_persons_and_not_answered():
    fields = UNKNOWN_GROUP | {"To": "bok@sklep.example", "From": "Ewa <ewa@sklep.example>"}
    mail = parse(a_mail(**fields), KNOWN)
    assert (mail.kind, mail.auto_ack_ok) == ("person", False)
    assert mail.no_ack_reason.startswith("B-L1: ")


def test_the_shops_newsletter_is_no_group():
    fields = {"From": "Sklep <news@sklep.example>", "List_Id": "<news.sklep.example>"}
    assert parse(a_mail(**fields, To="ewa@sklep.example"), KNOWN).kind == "own"


def test_somebody_elses_list_is_a_list():
    assert parse(a_mail(**AUTHOR, List_Id="<dev.example.org>", To=None), KNOWN).kind == "person"
    strangers = {**AUTHOR, "From": "Jan via Dev <dev@example.org>", "Reply_To": None}
    assert parse(a_mail(**strangers, List_Id="<dev.example.org>"), KNOWN).kind == "list"


# --- the shop's own ----------------------------------------------------------------------------


OWN = {
    "our address in Reply-To": {"Reply_To": "reklamacje@sklep.example"},
    "an address in our domain in Reply-To": {"Reply_To": "biuro@sklep.example"},
    "a colleague": {"From": "Ewa <ewa@sklep.example>"},
    "a colleague below our domain": {"From": "Ewa <ewa@biuro.sklep.example>"},
    "a colleague's answer": {"From": "Ewa <ewa@sklep.example>", "In_Reply_To": "<1@a.example>"},
}


@pytest.mark.parametrize("headers", OWN.values(), ids=OWN)
def test_our_own_address_gets_a_ticket_and_no_answer(headers):
    mail = parse(a_mail(**headers), KNOWN)
    assert (mail.kind, mail.auto_ack_ok) == ("person", False)
    assert mail.no_ack_reason.startswith("B-L1: ")


def test_a_customer_with_our_address_in_reply_to_is_the_requester():
    mail = parse(a_mail(Reply_To="biuro@sklep.example"), KNOWN)
    assert mail.requester_addr == "anna@example.com"


@pytest.mark.parametrize("sender", ["reklamacje@sklep.example", "formularz@sklep.example"])
def test_our_acknowledgement_that_comes_back_is_our_own(sender):
    raw = a_mail(
        From=sender,
        Reply_To="reklamacje@sklep.example",
        To="jan@example.com",
        Auto_Submitted="auto-replied",
        X_Odzew_Loop="v1;sklep;5c0e9a7d41b2f386",
    )
    mail = parse(raw, KNOWN)
    assert (mail.kind, mail.auto_ack_ok) == ("own", False)


@pytest.mark.parametrize("marked", [None, "auto-generated"])
def test_a_form_without_configuration_gets_a_ticket_and_suggests_its_reply_to(marked):
    raw = a_mail(From="www@sklep.example", Reply_To="jan@example.com", Auto_Submitted=marked)
    mail = parse(raw, KNOWN)
    assert (mail.kind, mail.auto_ack_ok) == ("person", False)
    complaint = complaint_in(mail)
    assert complaint.requester_addr == "jan@example.com"
    assert complaint.requester_status == "suggested"


def test_a_machine_of_ours_without_a_stranger_is_our_own():
    raw = a_mail(From="cron@sklep.example", Auto_Submitted="auto-generated")
    assert parse(raw, KNOWN).kind == "own"


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        ("known", {"From": "e@sklep.example"}),
        ("suggested", {"From": "e@sklep.example", "Subject": "Fwd: x"}),
    ],
    ids=["complete", "incomplete"],
)
def test_a_forward_says_how_sure_its_address_is(status, headers):
    body = FORWARD if status == "known" else INCOMPLETE
    assert complaint_in(parse(a_mail(body, **headers), KNOWN)).requester_status == status


def test_a_group_is_known_in_either_form_of_its_domain():
    known = replace(KNOWN, groups=("grupa@żółw.example",))
    wire = {
        name: value.replace("sklep.example", "xn--w-uga1v8h.example")
        for name, value in GROUP.items()
    }
    mail = parse(a_mail(**wire, From="Jan Nowak <jan@example.com>"), known)
    assert (mail.kind, mail.requester_addr) == ("person", "jan@example.com")
