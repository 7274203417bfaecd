import email
import email.policy
import re
from datetime import UTC, datetime, timedelta, timezone
from email.message import EmailMessage

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.errors import PermanentError
from config.replies import MAX_BODY_OCTETS, Reply
from worker.acknowledgement import (
    Acknowledgement,
    AddressError,
    bare_address,
    build_acknowledgement,
    loop_header,
    verify_acknowledgement_id,
    verify_loop_header,
)

KEY = b"a key of this installation"
REPLY = Reply(
    subject="Potwierdzenie otrzymania wiadomości [ODZ-2026-000123]",
    body="Dzień dobry,\n\notrzymaliśmy Państwa wiadomość.\n",
    language="pl",
)
FIELDS = [
    "Date",
    "From",
    "Reply-To",
    "To",
    "Subject",
    "Message-ID",
    "In-Reply-To",
    "References",
    "Auto-Submitted",
    "X-Auto-Response-Suppress",
    "Precedence",
    "X-Odzew-Loop",
    "Content-Language",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
]
# Everything that has ended a header line somewhere, and what is not text at all.
BAD = "\r\n \x00 \x0b\x0c \x1b[31m \x85 \u2028\u2029 \udc80 \r\nBcc: x@evil.example\r\n\r\n<b>"


def build(reply: Reply = REPLY, **changes: object) -> Acknowledgement:
    arguments: dict[str, object] = {
        "reference": "ODZ-2026-000123",
        "sender_name": "Sklep Przykładny",
        "sender_addr": "reklamacje@sklep.example",
        "reply_to": "reklamacje@sklep.example",
        "recipient": "anna@klient.example",
        "date": datetime(2026, 4, 17, 21, 31, 7, 999, tzinfo=UTC),
        "shop_id": "sklep-1",
        "key": KEY,
        "original_message_id": "original@klient.example",
        "original_references": ("older@klient.example", "old@klient.example"),
    }
    return build_acknowledgement(reply, **(arguments | changes))


def parsed(built: Acknowledgement) -> EmailMessage:
    message = email.message_from_bytes(built.content, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    assert not message.defects
    return message


def body_of(built: Acknowledgement) -> str:
    return str(parsed(built).get_content()).replace("\r\n", "\n")


def raw_fields(content: bytes) -> list[str]:
    """Names of the fields by the plainest reading: a line that does not begin with a space."""
    head = content.split(b"\r\n\r\n", 1)[0]
    return [line.split(b":")[0].decode() for line in head.split(b"\r\n") if line[:1] != b" "]


def assert_well_formed(content: bytes) -> None:
    assert re.sub(rb"\r\n", b"", content).count(b"\n") == 0
    assert re.sub(rb"\r\n", b"", content).count(b"\r") == 0
    assert max(map(len, content.split(b"\r\n"))) <= 998
    assert b"\x00" not in content


def test_the_fields_are_those_of_the_rules():
    built = build()
    message = parsed(built)
    assert message.keys() == FIELDS == raw_fields(built.content)
    assert message["Auto-Submitted"] == "auto-replied"
    assert message["X-Auto-Response-Suppress"] == "All"
    assert message["Precedence"] == "bulk"
    assert message["Content-Language"] == "pl"
    assert message["Date"] == "Fri, 17 Apr 2026 21:31:07 +0000"
    assert message["From"] == "Sklep Przykładny <reklamacje@sklep.example>"
    assert message["Reply-To"] == "reklamacje@sklep.example"
    assert message["To"] == "anna@klient.example"
    assert message["Subject"] == REPLY.subject
    assert message["In-Reply-To"] == "<original@klient.example>"
    assert message["References"].split() == [
        "<older@klient.example>",
        "<old@klient.example>",
        "<original@klient.example>",
    ]
    assert message["Message-ID"] == f"<{built.message_id}>"
    assert re.fullmatch(r"ack\.ODZ-2026-000123\.[0-9a-f]{16}@sklep\.example", built.message_id)
    assert message.get_content_type() == "text/plain"
    assert body_of(built) == REPLY.body
    assert (built.sender, built.recipient) == ("reklamacje@sklep.example", "anna@klient.example")
    assert not built.needs_smtputf8


def test_the_same_arguments_give_the_same_bytes():
    assert build() == build()


def test_the_date_is_the_moment_in_any_zone():
    local = datetime(2026, 4, 17, 23, 31, 7, tzinfo=timezone(timedelta(hours=2)))
    assert build(date=local) == build()
    with pytest.raises(ValueError, match="has no time zone"):
        build(date=datetime(2026, 4, 17))  # noqa: DTZ001 - the point


def test_the_reference_in_the_subject_is_readable_without_decoding():
    assert b" [ODZ-2026-000123]\r\n" in build().content


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (REPLY.body, "quoted-printable"),
        ("Підтвердження отримання Вашого повідомлення.\n" * 9, "base64"),
        ("x" * 3000 + "\n", "quoted-printable"),
        ("ż" * 1500 + "\n", "base64"),
        (".\n..\nFrom me\n trailing \t\n\n\n", "quoted-printable"),
    ],
)
def test_any_body_arrives_as_it_was(body, encoding):
    built = build(Reply(REPLY.subject, body, "uk"))
    assert body_of(built) == body
    assert parsed(built)["Content-Transfer-Encoding"] == encoding
    assert max(map(len, built.content.split(b"\r\n"))) <= 200
    assert_well_formed(built.content)


def test_line_ends_of_any_kind_become_cr_lf():
    assert body_of(build(Reply("s", "a\r\nb\rc\nd\n", "pl"))) == "a\nb\nc\nd\n"


# --- E-09, E-31: nothing can add a field --------------------------------------------------------


@pytest.mark.parametrize("where", ["sender_name", "subject", "body", "message_id", "references"])
def test_control_characters_add_no_field(where):
    changes: dict[str, object] = {
        "sender_name": {"sender_name": f"Sklep{BAD}"},
        "message_id": {"original_message_id": f"a{BAD}@b.example"},
        "references": {"original_references": [f"a{BAD}@b.example", "good@b.example"]},
    }.get(where, {})
    reply = Reply(
        f"Temat{BAD}" if where == "subject" else REPLY.subject,
        f"Treść{BAD}" if where == "body" else REPLY.body,
        "pl",
    )
    built = build(reply, **changes)
    expected = [f for f in FIELDS if f != "In-Reply-To" or where != "message_id"]
    assert parsed(built).keys() == expected == raw_fields(built.content)
    compat = email.message_from_bytes(built.content, policy=email.policy.compat32)
    assert compat.keys() == expected
    assert_well_formed(built.content)


@settings(deadline=None)
@given(
    name=st.text(max_size=300),
    subject=st.text(max_size=300),
    body=st.text(max_size=300),
    ids=st.lists(st.text(max_size=300) | st.from_regex(r"\A[^@]{1,9}@[^@]{1,9}\Z"), max_size=15),
)
def test_no_text_whatever_adds_a_field(name, subject, body, ids):
    built = build(
        Reply(subject, body, "pl"),
        sender_name=name,
        original_message_id=ids[0] if ids else "",
        original_references=ids[1:],
    )
    optional = {"In-Reply-To", "References", "Subject"}
    message = parsed(built)
    [sender] = message["From"].addresses
    assert sender.addr_spec == "reklamacje@sklep.example"
    found = message.keys()
    assert found == raw_fields(built.content)
    assert found == [f for f in FIELDS if f in found]
    assert set(FIELDS) - set(found) <= optional
    assert_well_formed(built.content)


@settings(deadline=None)
@given(st.text(st.characters(categories=["L", "N", "P", "S"]), max_size=60), st.booleans())
def test_subject_and_name_are_read_back_as_they_were(text, spaced):
    text = " ".join(text) if spaced else text
    message = parsed(build(Reply(f"{text} [ODZ-2026-000123]".strip(), "x\n", "pl")))
    assert message["Subject"] == f"{text} [ODZ-2026-000123]".strip()


@pytest.mark.parametrize(
    "name",
    [
        "Sklep",
        "Sklep, sp. z o.o.",
        'A "B" \\ C',
        "Żółw (S.A.)",
        "Żółw <x@evil.example>, y",
        "=?utf-8?q?x?=",
        "a@b.example",
        "",
    ],
)
def test_any_display_name_leaves_one_sender(name):
    [address] = parsed(build(sender_name=name))["From"].addresses
    assert address.addr_spec == "reklamacje@sklep.example"
    assert address.display_name == name


# --- Ids ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "original",
    [
        "",
        "<>",
        "no-at-sign",
        "a b@c.example",
        "a@@c.example",
        "<a b@@c>",
        "a@b@c.example",
        "<script>alert(1)</script>@c.example",
        "zażółć@c.example",
        "a@c.example>\r\nBcc: x@evil.example",
        "x" * 250 + "@c.example",
        "sha256.0123456789abcdef0123456789abcdef@odzew.invalid",
        "a..b@c.example",
        '"a"@c.example',
    ],
)
def test_an_unusable_message_id_is_not_repeated(original):
    message = parsed(build(original_message_id=original, original_references=()))
    assert "In-Reply-To" not in message
    assert "References" not in message


@pytest.mark.parametrize(
    "original",
    [
        "a@b",
        "<CAF+abc_d=1$%.x-y@mail.example.com>",
        "20260417.1@[192.0.2.1]",
        "x" * 246 + "@b",  # 250 octets with its brackets
    ],
)
def test_a_valid_message_id_is_repeated(original):
    bare = original.strip("<>")
    assert parsed(build(original_message_id=original))["In-Reply-To"] == f"<{bare}>"


def test_the_last_ten_valid_references_are_kept_before_the_original():
    ids = [f"id{n}@klient.example" for n in range(30)]
    ids[25] = "not valid@@x"
    kept = parsed(build(original_references=ids))["References"].split()
    last_ten = [i for i in ids if " " not in i][-10:]
    assert kept == [f"<{i}>" for i in [*last_ten, "original@klient.example"]]


def test_an_id_is_listed_once():
    ids = ["a@b.example", "original@klient.example", "a@b.example"]
    kept = parsed(build(original_references=ids))["References"].split()
    assert kept == ["<a@b.example>", "<original@klient.example>"]


def test_references_stay_when_the_original_has_no_id():
    message = parsed(build(original_message_id=""))
    assert message["References"].split() == ["<older@klient.example>", "<old@klient.example>"]
    assert "In-Reply-To" not in message


def test_the_largest_acknowledgement_stays_below_10_kib():
    built = build(
        Reply("ж" * 250, "ж" * (MAX_BODY_OCTETS // 2), "uk"),
        sender_name="ж" * 100,
        original_message_id="x" * 240 + "@c.de",
        original_references=[f"{n:02}" + "x" * 238 + "@c.de" for n in range(20)],
        shop_id="ж" * 40,
    )
    assert len(built.content) <= 10 * 1024
    assert_well_formed(built.content)


def test_a_genuine_message_id_tells_its_ticket():
    message_id = build().message_id
    assert verify_acknowledgement_id(message_id, KEY) == "ODZ-2026-000123"
    assert verify_acknowledgement_id(f"<{message_id}>", KEY) == "ODZ-2026-000123"


@pytest.mark.parametrize(
    "forged",
    [
        "ack.ODZ-2026-000123.0123456789abcdef@sklep.example",
        "ack.ODZ-2026-000123@sklep.example",
        "ack.@sklep.example",
        "x@y",
        "",
        "ack.ODZ-2026-000123.żżżż@sklep.example",
    ],
)
def test_a_forged_message_id_tells_nothing(forged):
    assert verify_acknowledgement_id(forged, KEY) is None
    assert verify_acknowledgement_id(build().message_id, b"another key") is None
    other = build().message_id.replace("000123", "000124")
    assert verify_acknowledgement_id(other, KEY) is None
    assert verify_acknowledgement_id(build().message_id + ".pl", KEY) is None


def test_a_reference_that_is_none_is_a_mistake_of_ours():
    with pytest.raises(ValueError, match="is no ticket reference"):
        build(reference="ODZ 1@x")


# --- Addresses ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("Anna@Klient.Example", "anna@klient.example"),
        ("anna+sklep@żółw.pl", "anna+sklep@xn--w-uga1v8h.pl"),
        ("anna@straße.de", "anna@xn--strae-oqa.de"),
        ("o'neil!#$%@klient.example", "o'neil!#$%@klient.example"),
        ("zażółć@klient.example", "zażółć@klient.example"),
    ],
)
def test_a_domain_goes_out_in_a_labels(address, expected):
    assert bare_address(address) == expected


@pytest.mark.parametrize(
    "address",
    [
        "",
        "anna",
        "@klient.example",
        "a@b.example, c@d.example",
        "Anna <anna@klient.example>",
        "anna@localhost",
        "anna@[192.0.2.1]",
        "anna@192.0.2.1",
        "anna@klient.example\r\nBcc: x@evil.example",
        "an\x85na@klient.example",
        "an\u202ena@klient.example",
        "a" * 65 + "@klient.example",
        "anna@" + "a" * 64 + ".example",
        "anna@" + ".".join(["a" * 60] * 5),
        "ż" * 40 + "@klient.example",
        "alice@example.org)bob@evil.example",
        "anna@-x-.example",
        "anna@\u2488.example",
    ],
)
def test_what_is_not_exactly_one_public_address_is_refused(address):
    with pytest.raises(AddressError) as raised:
        build(recipient=address)
    assert isinstance(raised.value, PermanentError)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("which", ["recipient", "sender_addr", "reply_to"])
def test_a_local_part_beyond_ascii_needs_smtputf8(which):
    built = build(**{which: "żółw@klient.example"})
    assert built.needs_smtputf8
    assert parsed(built).keys() == FIELDS
    field = {"recipient": "To", "sender_addr": "From", "reply_to": "Reply-To"}[which]
    assert "żółw@klient.example" in parsed(built)[field]


def test_a_domain_beyond_ascii_needs_no_smtputf8():
    built = build(recipient="anna@żółw.pl")
    assert not built.needs_smtputf8
    assert built.content.isascii()
    assert built.recipient == "anna@xn--w-uga1v8h.pl"


# --- X-Odzew-Loop (B-L2) ------------------------------------------------------------------------


@pytest.mark.parametrize("shop_id", ["sklep-1", "Sklep Przykładny; v1", "a%3Bb", "ж" * 60])
def test_our_own_loop_header_is_known_again(shop_id):
    value = parsed(build(shop_id=shop_id))["X-Odzew-Loop"]
    assert verify_loop_header(str(value), KEY) == shop_id
    assert verify_loop_header(f"  {value}\r\n", KEY) == shop_id
    assert verify_loop_header(str(value), b"another key") is None


@pytest.mark.parametrize(
    "value",
    [
        "",
        "v1",
        "v1;sklep-1",
        "v1;sklep-1;",
        "v1;;0123",
        "v2;sklep-1;0123456789abcdef0123456789abcdef",
        "v1;sklep-1;0123456789abcdef0123456789abcdef",
        "v1;sklep-1;żżż",
        "v1;%ff%00\udc80;x",
        ";" * 100_000,
    ],
)
def test_an_invented_loop_header_means_nothing(value):
    assert verify_loop_header(value, KEY) is None


def test_a_loop_header_of_another_shop_id_or_with_more_parts_means_nothing():
    value = loop_header("sklep-1", key=KEY)
    assert verify_loop_header(value.replace("sklep-1", "sklep-2"), KEY) is None
    assert verify_loop_header(f"{value};x", KEY) is None


def test_an_empty_key_or_shop_id_is_a_mistake_of_ours():
    with pytest.raises(ValueError, match="the key is empty"):
        build(key=b"")
    with pytest.raises(ValueError, match="shop_id must have"):
        build(shop_id="")
