"""Authentication-Results of the shop's own servers (rules B-A1 to B-A3)."""

import pytest

from tests.unit.worker.mails import a_mail
from worker.authentication import authentication
from worker.mime import parse
from worker.parsed_message import KnownAddresses
from worker.structure import read

SHOP = KnownAddresses(
    own_domains=("sklep.example",),
    authserv_ids=("mx.sklep.example",),
    trusted_sealers=("forward.example",),
)


def judged(*results: str, known: KnownAddresses = SHOP, **fields: str) -> tuple[str, bool]:
    head = "".join(f"Authentication-Results: {result}\r\n" for result in results).encode()
    found = authentication(
        read(head + a_mail(**fields))[0], known=known, from_addr="anna@example.com"
    )
    return found.outcome, found.judged


@pytest.mark.parametrize(
    ("results", "outcome"),
    [
        ("dmarc=pass header.from=example.com", "pass"),
        ("spf=pass smtp.mailfrom=anna@example.com", "pass"),
        ("spf=pass smtp.mailfrom=bounce@mail.example.com", "pass"),
        ("dkim=pass header.d=example.com header.s=x; dmarc=fail (p=reject)", "pass"),
        ("dkim=pass header.i=@example.com header.s=x", "pass"),
        ("dkim=pass header.d=lista.example.net", "unknown"),
        ("dkim=pass header.d=myexample.com", "unknown"),
        ("spf=pass smtp.mailfrom=bounce@inny.example", "unknown"),
        ("none", "unknown"),
        ("dmarc=fail (p=none dis=none) header.from=example.com", "unknown"),
        ("dmarc=fail (p=reject dis=none) header.from=example.com", "fail"),
        ("dmarc=fail (p=QUARANTINE) header.from=example.com", "fail"),
        ("dmarc=fail action=quarantine header.from=example.com", "fail"),
        ("dmarc=fail policy.dmarc=reject header.from=example.com", "fail"),
        ("dmarc=fail (policy=reject) header.from=example.com; spf=fail", "fail"),
        ("dkim=fail; spf=fail smtp.mailfrom=example.com; dmarc=none", "unknown"),
    ],
)
def test_what_the_server_of_the_shop_says_counts(results, outcome):
    assert judged(f"mx.sklep.example; {results}") == (outcome, True)
    assert judged(f"MX.sklep.example 1;\r\n\t{results}") == (outcome, True)


def test_b_a1_without_a_configured_server_nothing_is_known():
    fail = "mx.sklep.example; dmarc=fail (p=reject)"
    assert judged(fail, known=KnownAddresses()) == ("unknown", False)
    assert judged(fail.replace("sklep", "obcy")) == ("unknown", False)


def test_e_34_only_the_newest_word_of_our_server_counts():
    forged = "mx.sklep.example; dmarc=pass"
    assert judged("mx.sklep.example; dmarc=fail (p=reject)", forged)[0] == "fail"
    assert judged("mx.obcy.example; dmarc=pass", "mx.sklep.example; dmarc=none")[0] == "unknown"


def test_b_a1_what_stands_below_a_strange_hop_was_there_before():
    known = KnownAddresses(authserv_ids=("mx.sklep.example",), trusted_hosts=("mx.sklep.example",))

    def outcome(*hosts: str) -> str:
        hops = "".join(f"Received: from x by {host} with SMTP; x\r\n" for host in hosts)
        raw = (
            hops.encode() + b"Authentication-Results: mx.sklep.example; dmarc=fail p=reject\r\n"
        ) + a_mail()
        return authentication(read(raw)[0], known=known, from_addr="anna@example.com").outcome

    assert outcome() == outcome("mx.sklep.example") == "fail"
    assert outcome("mx.sklep.example", "relay.obcy.example") == "unknown"


def sealed(sealer: str, before: str) -> str:
    return judged(
        "mx.sklep.example; spf=fail; arc=pass; dmarc=fail (p=reject)",
        ARC_Seal=f"i=1; a=rsa-sha256; d={sealer}; s=x; cv=none; b=abc",
        ARC_Authentication_Results=f"i=1; mx.{sealer}; {before}",
    )[0]


def test_b_a3_a_trusted_forwarder_vouches_for_what_it_saw():
    assert sealed("forward.example", "dmarc=pass") == "pass"
    assert sealed("forward.example", "dkim=pass header.d=example.com") == "pass"
    assert sealed("forward.example", "dkim=pass header.d=inny.example") == "fail"
    assert sealed("forward.example", "dmarc=fail") == "fail"
    assert sealed("obcy.example", "dmarc=pass") == "fail"


@pytest.mark.parametrize("hostile", ["", ";", "=" * 5000, "(" * 9000, "dmarc=" * 2000, "\u0000;;="])
def test_any_text_is_read(hostile):
    assert judged(f"mx.sklep.example; {hostile}")[0] in ("unknown", "pass", "fail")


def test_b_a2_a_forged_mail_is_not_answered():
    fields = {"Authentication_Results": "mx.sklep.example; dmarc=fail (p=reject)"}
    mail = parse(a_mail(**fields), SHOP)
    assert (mail.auto_ack_ok, mail.authenticity, mail.kind) == (False, "fail", "person")
    assert mail.no_ack_reason.startswith("B-A2: ")
    assert parse(a_mail(**fields)).auto_ack_ok  # nobody whose word counts has judged it


def test_b_d4_a_foreign_return_path_that_nothing_vouches_for():
    none = "mx.sklep.example; spf=pass smtp.mailfrom=inny.example; dmarc=none"
    foreign = {"Return_Path": "<news@inny.example>"}
    refused = parse(a_mail(Authentication_Results=none, **foreign), SHOP)
    assert refused.no_ack_reason.startswith("B-D4: ")
    # Not judged at all is no failure: most providers send by servers of another name.
    assert parse(a_mail(**foreign), SHOP).auto_ack_ok
    signed = "mx.sklep.example; dkim=pass header.d=example.com"
    assert parse(a_mail(Authentication_Results=signed, **foreign), SHOP).auto_ack_ok


def test_a_domain_in_a_labels_vouches_for_the_same_in_polish_letters():
    """RFC 8601 §2.2: a server writes what it has seen on the wire."""
    results = "Authentication-Results: mx.sklep.example; dkim=pass header.d=xn--w-uga1v8h.example"
    found = authentication(
        read(results.encode() + b"\r\n" + a_mail())[0], known=SHOP, from_addr="jan@żółw.example"
    )
    assert found.outcome == "pass"
