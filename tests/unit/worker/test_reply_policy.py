from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from config.settings import Acknowledgements
from worker.reply_policy import LARGE_PROVIDERS, Circumstances, decide_reply

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
LIMITS = Acknowledgements(never=["nikt@klient.example", "firma.example"])

# A customer's first mail of the day: acknowledged.
PLAIN = Circumstances(
    sender_addr="anna@klient.example",
    mail_reason=None,
    requester_addr="anna@klient.example",
    requester_status="known",
    received_at=NOW - timedelta(minutes=5),
    now=NOW,
    archive=False,
    before_restore=False,
    suppressed=False,
    same_mail_before=False,
    can_send=True,
    just_written_to=False,
    recent_to_address=0,
    recent_to_domain=0,
    recent_from_mailbox=0,
    withdrawal=False,
)


def decide(limits: Acknowledgements = LIMITS, **changes: object):
    return decide_reply(replace(PLAIN, **changes), limits)  # type: ignore[arg-type]


def test_a_plain_complaint_is_acknowledged():
    """B.8, row 1."""
    assert decide().acknowledge
    assert decide().reason == "B.1: a person's mail with one safe address"


@pytest.mark.parametrize(
    ("rule", "changes"),
    [
        pytest.param("B-M2", {"mail_reason": "B-M2: Auto-Submitted"}, id="B-M2"),
        pytest.param("B-50", {"archive": True}, id="B-50"),
        pytest.param("B-D2", {"requester_status": "missing", "requester_addr": ""}, id="B-D2"),
        pytest.param("B-D5", {"requester_status": "suggested"}, id="B-D5"),
        pytest.param("B-49", {"received_at": NOW - timedelta(hours=168, seconds=1)}, id="B-49"),
        pytest.param("B-47", {"suppressed": True}, id="B-47"),
        pytest.param("smtp", {"can_send": False}, id="smtp"),
        pytest.param(
            "acknowledgements.never", {"requester_addr": "nikt@klient.example"}, id="never address"
        ),
        pytest.param(
            "acknowledgements.never", {"requester_addr": "jan@firma.example"}, id="never domain"
        ),
        pytest.param("B.7", {"recent_to_address": 3}, id="B.7 address"),
        pytest.param("B.7", {"just_written_to": True}, id="B.7 ten minutes"),
        pytest.param("B.8 row 52", {"sender_addr": "biuro@krakow.so.gov.pl"}, id="row 52 court"),
        pytest.param(
            "B.8 row 52", {"sender_addr": "rzecznik.konsumentow@miasto.example"}, id="row 52 local"
        ),
        pytest.param("B.7", {"recent_to_domain": 20}, id="B.7 domain"),
        pytest.param("B.7", {"recent_from_mailbox": 200}, id="B.7 mailbox"),
    ],
)
def test_one_circumstance_is_enough_for_a_no_with_its_rule(rule, changes):
    decision = decide(**changes)
    assert not decision.acknowledge
    assert decision.reason.startswith(f"{rule}: ")
    assert len(decision.reason) > len(rule) + 10


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"recent_to_address": 2}, id="B.7 third of a day"),
        pytest.param({"recent_to_domain": 19}, id="B.7 twentieth of an hour"),
        pytest.param({"recent_from_mailbox": 199}, id="B.7 two hundredth of an hour"),
        pytest.param({"received_at": NOW - timedelta(hours=168)}, id="B-49 a week old"),
        pytest.param({"received_at": NOW + timedelta(minutes=5)}, id="the server's clock is fast"),
        pytest.param({"requester_addr": "jan@sub.firma.example"}, id="below a domain of never"),
    ],
)
def test_up_to_the_limit_it_is_a_yes(changes):
    assert decide(**changes).acknowledge


@pytest.mark.parametrize("domain", ["gmail.com", "wp.pl", "o2.pl", "onet.pl", "interia.pl"])
def test_large_providers_get_ten_times_as_much(domain):
    """B.7"""
    assert domain in LARGE_PROVIDERS
    address = f"anna@{domain}"
    assert decide(requester_addr=address, recent_to_domain=199).acknowledge
    refused = decide(requester_addr=address, recent_to_domain=200)
    assert refused.reason == "B.7: 200 in an hour to this domain already"


@pytest.mark.parametrize(
    "changes", [{"recent_to_address": 99}, {"recent_to_domain": 999}, {"recent_from_mailbox": 999}]
)
def test_a_confirmation_that_the_law_asks_for_knows_no_limit(changes):
    """B.8, row 53."""
    assert not decide(**changes).acknowledge
    assert decide(**changes, withdrawal=True).acknowledge


@pytest.mark.parametrize(
    "changes",
    [
        {"mail_reason": "B-M1: null return path"},
        {"archive": True},
        {"requester_status": "missing"},
        {"requester_status": "suggested"},
        {"suppressed": True},
        {"can_send": False},
        {"requester_addr": "nikt@klient.example"},
        {"received_at": NOW - timedelta(days=8)},
    ],
)
def test_what_is_wrong_with_mail_or_address_stops_a_confirmation_too(changes):
    assert not decide(**changes, withdrawal=True).acknowledge


def test_the_first_no_wins():
    """B.1: the mail itself comes before what is known beside it."""
    every = {
        "mail_reason": "B-L2: our own mail",
        "archive": True,
        "requester_status": "missing",
        "suppressed": True,
        "recent_to_address": 9,
    }
    assert decide(**every).reason == "B-L2: our own mail"
    assert decide(**(every | {"mail_reason": None})).reason.startswith("B-50: ")


@pytest.mark.parametrize(
    ("keys", "changes", "reason"),
    [
        ({"enabled": False}, {}, "acknowledgements.enabled: switched off"),
        (
            {"max_age_hours": 1},
            {"received_at": NOW - timedelta(hours=2)},
            "B-49: received more than 1 hours ago",
        ),
        ({"per_address_per_day": 0}, {}, "B.7: 0 in a day to this address already"),
        ({"per_domain_per_hour": 5}, {"recent_to_domain": 5}, "B.7: 5 in an hour to this domain"),
        ({"per_mailbox_per_hour": 7}, {"recent_from_mailbox": 7}, "B.7: 7 in an hour from this"),
    ],
)
def test_the_limits_are_the_shops(keys, changes, reason):
    decision = decide(Acknowledgements(**keys), **changes)
    assert not decision.acknowledge
    assert decision.reason.startswith(reason)
