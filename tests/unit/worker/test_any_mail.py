"""Any bytes whatever are taken apart without an error, into text that a database takes.

The short form of ``bench/fuzz.py``, which runs for hours.
"""

import random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.fuzz import FIELDS, LINES, PIECES, TYPES, WORDS, entity, random_mail, try_mail
from tests.unit.worker.mails import a_mail, a_multipart, a_part

quickly = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
values = st.lists(st.sampled_from(WORDS) | st.text(max_size=20), max_size=6).map("".join)
pieces = st.sampled_from(PIECES) | st.binary(max_size=60)


@quickly
@given(st.binary(max_size=2000) | st.lists(pieces, max_size=20).map(b"".join))
def test_any_bytes_are_a_mail(raw):
    assert try_mail(raw)[0] == ""


@quickly
@given(st.lists(st.tuples(st.sampled_from(FIELDS), values), max_size=12), st.binary(max_size=300))
def test_any_header_is_read(fields, body):
    head = "".join(f"{name}: {value}\r\n" for name, value in fields)
    assert try_mail(head.encode("utf-8", "replace") + b"\r\n" + body)[0] == ""


@quickly
@given(st.lists(st.sampled_from(LINES) | st.text(max_size=80), max_size=40).map("\r\n".join))
def test_any_text_is_read(text):
    body = text.encode("utf-8", "replace")
    assert try_mail(a_mail(body))[0] == ""
    assert try_mail(a_mail(body, Content_Type="text/html; charset=utf-8"))[0] == ""


@quickly
@given(
    st.lists(st.tuples(st.sampled_from(TYPES), pieces), max_size=5),
    st.sampled_from(["mixed", "alternative", "report", "related"]),
)
def test_any_parts_are_read(parts, kind):
    assert try_mail(a_multipart(kind, *(a_part(body, type_) for type_, body in parts)))[0] == ""


@quickly
@given(st.integers(0, 2**32))
def test_any_tree_of_parts_is_read(seed):
    assert try_mail(entity(random.Random(seed), 0, is_mail=True))[0] == ""


def test_a_mail_of_the_fuzzer_can_be_made_again():
    beginnings = [a_mail(), b""]
    for number in range(50):
        raw = random_mail(3, number, beginnings)
        assert raw == random_mail(3, number, beginnings)
        assert try_mail(raw)[0] == ""
