"""Header fields, also as broken programs write them."""

import pytest

from worker.headers import (
    addresses,
    date,
    decode_words,
    message_id,
    message_ids,
    parameters,
    strict_address,
)


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ("=?utf-8?B?WmHFvMOzxYLEhw==?=", "Zażółć"),
        ("=?utf-8?Q?Za=C5=BC=C3=B3=C5=82=C4=87_ju=C5=BC?=", "Zażółć już"),
        ("=?iso-8859-2?Q?Za=BF=F3=B3=E6?= =?iso-8859-2?Q?_ju=BF?=", "Zażółć już"),
        ("=?utf-8?Q?za=C5?=\r\n =?utf-8?Q?=BC=C3=B3=C5=82=C4=87?=", "zażółć"),
        ("=?utf-8?Q?dwa slowa?=", "dwa slowa"),
        ("Re: =?UTF-8?q?=C5=BC?= koniec", "Re: ż koniec"),
        ("=?utf-8?B?WmHFvMOzxYLEhw?=", "Zażółć"),
        ("=?utf-8?b?!!!?= x", "=?utf-8?b?!!!?= x"),
        ("=?utf-8?q?bez konca", "=?utf-8?q?bez konca"),
        ("=?utf-8?q?a=0D=0ABcc:_x=40evil?=", "a Bcc: x@evil"),
        ("=?windows-1250?Q?=9Cled=9F?=", "śledź"),
        ("=?utf-8?Q?=C5=9Bled=C5=BA", "śledź"),
        ("=?utf-8?Q?=C5=9Bled=C5=BA?", "śledź"),
        ("Re: =?utf-8?B?xZtsZWTFug", "Re: śledź"),
        ("=?utf-8?Q?=C5=9Bled=C5=BA =?utf-8?Q?_w_oleju?=", "śledź w oleju"),
        ("=?x-moje?Q?=C5=9B", "=?x-moje?Q?=C5=9B"),
        ("=?unicode-1-1-utf-7?Q?+ANw-ber  \r\n\tmorgen?=", "Über   morgen"),
        ("=?iso-2022-jp?B?GyRCLSFDbRsoQg==?=", "①注"),
    ],
)
def test_encoded_words_are_decoded_as_far_as_they_can_be(sent, read):
    assert decode_words(sent) == read


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ("Jan Kowalski <Jan@Example.COM>", [("Jan Kowalski", "jan@example.com")]),
        ('"Kowalski, Jan" <jan@example.com>', [("Kowalski, Jan", "jan@example.com")]),
        ("'Kowalski, Jan' via X <g@example.com>", [("'Kowalski, Jan' via X", "g@example.com")]),
        ("jan@example.com (Jan K)", [("Jan K", "jan@example.com")]),
        ("a@example.com, b@example.com;", [("", "a@example.com"), ("", "b@example.com")]),
        ("zespół: a@example.com, b@example.com;", [("", "a@example.com"), ("", "b@example.com")]),
        ("undisclosed-recipients:;", []),
        ("=?utf-8?q?Micha=C5=82?= <m@example.com>", [("Michał", "m@example.com")]),
        ("=?utf-8?q?=3Cm=40example=2Ecom=3E?=", [("", "m@example.com")]),
        ("Jan Kowalski jan@example.com", [("Jan Kowalski", "jan@example.com")]),
        ("Tylko Nazwa", [("Tylko Nazwa", "")]),
        ("=?utf-8?Q?Micha=C5=82_=C5=BBubr <m@example.com>", [("Michał Żubr", "m@example.com")]),
        ("<>", []),
        ("", []),
        # Two readings, so none: CVE-2023-27043.
        ("alice@example.org)bob@example.com", [("alice@example.orgbob@example.com", "")]),
        ("<a b@example.com>", [("a b@example.com", "")]),
        ("jan@[127.0.0.1]", [("jan@[127.0.0.1]", "")]),
    ],
)
def test_addresses_are_taken_only_where_there_is_no_doubt(sent, read):
    assert [(a.name, a.addr) for a in addresses(sent)] == read


def test_a_display_name_that_looks_like_an_address_stays_a_name():
    [found] = addresses('"bank@bank.example" <zly@example.com>')
    assert (found.name, found.addr) == ("bank@bank.example", "zly@example.com")


@pytest.mark.parametrize("bomb", ["(", '"', "<", "'", "(a", '"\\', "a@b,", "=?utf-8?q?"])
def test_a_repeated_opening_is_read_in_linear_time(bomb):
    addresses(bomb * (16384 // len(bomb)))
    decode_words(bomb * (16384 // len(bomb)))


def test_message_ids_lose_their_brackets_and_keep_their_order():
    assert message_ids("<a@x>\r\n <b@y> junk <c@z>") == ("a@x", "b@y", "c@z")
    assert message_ids("a@x b@y") == ("a@x", "b@y")
    assert message_id("<a b@@c>") == "a b@@c"
    assert message_id("20180802@mail.example") == "20180802@mail.example"


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ("Mon, 02 Mar 2026 10:00:00 +0100", "2026-03-02T09:00:00+00:00"),
        ("2 Mar 2026 10:00:00 GMT (comment)", "2026-03-02T10:00:00+00:00"),
        ("Foo, 99 Xyz", None),
        ("Mon, 02 Mar 99999 10:00:00 +9999", None),
        ("", None),
    ],
)
def test_a_date_is_utc_or_nothing(sent, read):
    found = date(sent)
    assert (found.isoformat() if found else None) == read


@pytest.mark.parametrize(
    ("sent", "name", "read"),
    [
        ('text/plain; name="a;b.txt"', "name", "a;b.txt"),
        ("a/b; filename*=utf-8''za%C5%BC%C3%B3%C5%82%C4%87.pdf", "filename", "zażółć.pdf"),
        ("a/b; filename*0=fak; filename*1=tura.pdf", "filename", "faktura.pdf"),
        ("a/b; filename*1*=%C4%87.pdf; filename*0*=utf-8''za%C5%BC", "filename", "zażć.pdf"),
        ('a/b; name="=?utf-8?Q?=C5=BC.jpg?="', "name", "ż.jpg"),
        ('a/b; name="C:\\faktury\\1.pdf"', "name", "C:\\faktury\\1.pdf"),
        ('a/b; name="bez konca; charset=utf-8', "charset", "utf-8"),
    ],
)
def test_parameters_are_put_together_and_decoded(sent, name, read):
    assert parameters(sent).parameters[name] == read


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("Jan@Sklep.EXAMPLE", "jan@sklep.example"),
        ("jan@żółw.example", "jan@żółw.example"),
        ("jan@ŻÓŁW.example", "jan@żółw.example"),
        ("jan@xn--w-uga1v8h.example", "jan@żółw.example"),
        ("jan@\U0001d42cklep.example", "jan@sklep.example"),  # a mathematical s
        ("jan@ｓｋｌｅｐ.example", "jan@sklep.example"),
        ("żółw@sklep.example", "żółw@sklep.example"),
    ],
)
def test_the_same_address_is_the_same_however_it_is_written(written, plain):
    """B-L1, B.7: who may be answered, and how often, is asked of one form."""
    assert strict_address(written) == plain
