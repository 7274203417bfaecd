"""A day at a shop: realistic tickets in a database, for the tests of the page."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import count

from config.taxonomy import Taxonomy
from storage.database import Session
from storage.files import FileStore
from storage.labels import add_label
from storage.mail import add_attachments
from storage.outbox import put_in_outbox
from storage.people import add_person
from storage.tables import (
    InboundMessage,
    OutboxMessage,
    Person,
    Prediction,
    RawMessage,
    Ticket,
)
from storage.tickets import add_event, open_ticket, store_prediction
from triage.clock import deadlines, priority

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)  # a Friday, 10:30 in Warsaw
TAXONOMY = Taxonomy.load()
_serial = count(1)


def a_person(session: Session, **columns: object) -> Person:
    """Somebody who signs in: a lead without a password, unless a test says otherwise."""
    defaults: dict[str, object] = {
        "email": f"lead{next(_serial)}@sklep.example",
        "name": "Marta Kowalczyk",
        "role": "lead",
    }
    return add_person(session, Person(**(defaults | columns)))


@dataclass(frozen=True)
class Mail:
    """What a customer wrote, and what is known of it."""

    subject: str
    text: str
    sender: tuple[str, str] = ("Anna Nowak", "anna.nowak@example.com")
    cause: str | None = "defective"
    confidence: float = 0.93
    urgency: str = "normal"
    days_ago: float = 1
    review: bool = False
    status: str = "new"
    quoted: str = ""
    comment: str = ""
    orders: tuple[str, ...] = ()
    remedy: str | None = None
    requester_status: str = "known"
    attachments: tuple[tuple[str, str, bytes], ...] = ()
    acknowledgement: str = "sent"  # sent | waiting | unknown | failed | none
    reason: str = "B.1: a person's mail with one safe address"
    second: str = ""
    language: str = "pl"
    columns: dict[str, object] = field(default_factory=dict)


def a_ticket(
    session: Session, mail: Mail, *, files: FileStore | None = None, now: datetime = NOW
) -> Ticket:
    """A ticket as ingest, assign and deliver leave it."""
    number = next(_serial)
    received = now - timedelta(days=mail.days_ago)
    clock = "complaint" if mail.cause is None else TAXONOMY.cause(mail.cause).clock
    term = deadlines(received, clock=clock)
    today: date = now.date()
    ticket = open_ticket(
        session,
        Ticket(
            **{
                "reference": f"ODZ-2026-{number:06d}",
                "status": mail.status,
                "needs_review": mail.review or mail.cause is None,
                "requester_addr": mail.sender[1],
                "requester_name": mail.sender[0],
                "requester_status": mail.requester_status,
                "language": mail.language,
                "subject": mail.subject,
                "received_at": received,
                "due_at": term.due_at if term else None,
                "due_safe": term.due_safe if term else None,
                "shop": "Sklep Przykładny",
                "mailbox": "reklamacje",
                "fingerprint": f"fingerprint-{number}",
                "order_numbers": [*mail.orders],
                "remedy": mail.remedy,
                "acknowledgement_reason": mail.reason,
                "priority": priority(None, term.due_safe if term else None, today),
                **mail.columns,
            }
        ),
    )
    session.flush()
    _add_message(session, ticket, mail, number, received, files=files)
    if mail.second:
        reply = Mail(mail.subject, mail.second, sender=mail.sender)
        _add_message(session, ticket, reply, next(_serial), received + timedelta(days=1))
        add_event(session, ticket, "reply")
    if mail.cause is not None:
        _classify(session, ticket, mail)
        ticket.priority = priority(ticket.urgency, ticket.due_safe, today)
    _acknowledge(session, ticket, mail, number, received)
    session.add(ticket)
    return ticket


def _add_message(
    session: Session,
    ticket: Ticket,
    mail: Mail,
    number: int,
    received: datetime,
    *,
    files: FileStore | None = None,
) -> None:
    raw = RawMessage(
        mailbox="reklamacje",
        folder="INBOX",
        uidvalidity=1,
        uid=number,
        sha256=f"{number:064x}",
        size=len(mail.text),
        received_at=received,
        outcome="ticket",
        ticket_id=ticket.id,
        next_attempt_at=None,
    )
    session.add(raw)
    session.flush()
    assert raw.id is not None
    message = InboundMessage(
        raw_message_id=raw.id,
        ticket_id=ticket.id,
        message_id=f"{number}@mail.example.com",
        fingerprint=f"fingerprint-{number}",
        kind="person",
        from_addr=mail.sender[1],
        from_name=mail.sender[0],
        subject=mail.subject,
        body=f"{mail.text}\n\n{mail.quoted}".strip(),
        text=mail.text,
        comment=mail.comment,
        language=mail.language,
        received_at=received,
    )
    session.add(message)
    session.flush()
    if files is not None:
        add_attachments(
            session,
            message,
            [
                (name, type_, len(content), False, files.put(content))
                for name, type_, content in mail.attachments
            ],
        )


def _classify(session: Session, ticket: Ticket, mail: Mail) -> None:
    assert ticket.id is not None
    assert mail.cause is not None
    codes = [cause.code for cause in TAXONOMY.causes if cause.code != mail.cause]
    rest = 1 - mail.confidence
    shares = [0.55, 0.25, 0.12] + [0.08 / (len(codes) - 3)] * (len(codes) - 3)
    start = (ticket.id * 5) % len(codes)
    causes = {
        code: rest * share
        for code, share in zip(codes[start:] + codes[:start], shares, strict=True)
    }
    others = [code for code in ("normal", "high", "low", "critical") if code != mail.urgency]
    store_prediction(
        session,
        ticket,
        Prediction(
            ticket_id=ticket.id,
            classifier="default-1",
            cause=mail.cause,
            cause_confidence=mail.confidence,
            urgency=mail.urgency,
            urgency_confidence=0.81,
            needs_review=mail.review,
            causes={mail.cause: mail.confidence, **causes},
            urgencies={mail.urgency: 0.81, others[0]: 0.13, others[1]: 0.05, others[2]: 0.01},
        ),
    )
    add_event(session, ticket, "classified", classifier="default-1")


def _acknowledge(
    session: Session, ticket: Ticket, mail: Mail, number: int, received: datetime
) -> None:
    if mail.acknowledgement == "none":
        return
    assert ticket.id is not None
    put_in_outbox(
        session,
        OutboxMessage(
            ticket_id=ticket.id,
            kind="acknowledgement",
            mailbox="reklamacje",
            sender="reklamacje@sklep.example",
            recipient=mail.sender[1],
            message_id=f"ack.{number}@sklep.example",
            content=b"Subject: Potwierdzenie\r\n\r\nDziekujemy.\r\n",
            state=mail.acknowledgement,
            sent_at=received if mail.acknowledgement == "sent" else None,
        ),
    )
    if mail.acknowledgement == "sent":
        ticket.acknowledged_at = received + timedelta(minutes=1)
    if mail.acknowledgement != "waiting":
        add_event(session, ticket, f"acknowledgement_{mail.acknowledgement}")


_QUOTED = (
    "W dniu 14.11.2026 o 18:22 Sklep Przykładny pisze:\n"
    "> Dzień dobry,\n> dziękujemy za zamówienie. Paczka wyruszy w poniedziałek.\n> Zespół sklepu"
)

MAILS = (
    Mail(
        "Iskry z czajnika!!! Dziecko się przestraszyło",
        "Dzień dobry,\n\nw piątek kupiłam u Państwa czajnik Vento 1,7 l (zamówienie 10482). Dziś"
        " rano przy włączaniu z podstawki poszły iskry i poczułam swąd spalenizny. Na szczęście syn"
        " stał z tyłu. Czajnik odłączyłam i boję się go dotykać.\n\nProszę o pilny kontakt i zwrot"
        " pieniędzy. W załączniku zdjęcia podstawki i paragon.\n\nAnna Nowak\ntel. 600 000 000",
        cause="defective",
        urgency="critical",
        confidence=0.97,
        days_ago=0.06,
        orders=("10482",),
        remedy="refund",
        quoted=_QUOTED,
        attachments=(
            ("podstawka spalona.jpg", "image/jpeg", b"\xff\xd8" + b"0" * 482_113),
            ("paragon 10482.pdf", "application/pdf", b"%PDF-1.4" + b"0" * 91_200),
        ),
    ),
    Mail(
        "Re: Reklamacja butów: minęły 3 tygodnie i cisza",
        "Trzeci raz piszę w sprawie butów. Ustawowe 14 dni minęło, uznaję więc reklamację za"
        " przyjętą. Jeżeli do piątku nie dostanę zwrotu, sprawę kieruję do rzecznika konsumentów.",
        sender=("Piotr Zieliński", "p.zielinski@example.com"),
        cause="no_response",
        urgency="critical",
        confidence=0.71,
        days_ago=17,
        review=True,
        status="assigned",
        second="Nadal czekam. Proszę o numer sprawy.",
        orders=("ZM/2026/8841",),
    ),
    Mail(
        "Paczka miała być we wtorek",
        "Witam, paczka miała być we wtorek, jest piątek i nadal nic. Jutro są urodziny córki,"
        " proszę o informację, gdzie ona jest. Śledzenie od środy stoi w sortowni Stryków.",
        sender=("Karolina Wiśniewska", "karolina.w@example.net"),
        cause="late_delivery",
        urgency="high",
        confidence=0.95,
        days_ago=0.2,
        orders=("10977",),
        remedy="information",
    ),
    Mail(
        "Rozbity wazon",
        "Dzień dobry, karton przyszedł zgnieciony z jednej strony, a wazon w środku jest w"
        " kawałkach. Kurier spisał protokół. Proszę o nowy egzemplarz.",
        sender=("Tomasz Lewandowski", "tlewandowski@example.org"),
        cause="damaged_in_transit",
        confidence=0.98,
        days_ago=12,
        status="assigned",
        remedy="replacement",
        attachments=(("protokół szkody.pdf", "application/pdf", b"%PDF" + b"1" * 2_000_000),),
    ),
    Mail(
        "zamiast rozmiaru 38 przyszło 41",
        "zamawiałam sukienkę w rozmiarze 38 a dostałam 41, wesele mam za tydzień!!",
        sender=("", "gosia88@example.com"),
        cause="wrong_item",
        urgency="high",
        confidence=0.88,
        days_ago=13,
    ),
    Mail(
        "Odstąpienie od umowy, zamówienie 10655",
        "Niniejszym odstępuję od umowy sprzedaży słuchawek zawartej 9 listopada. Proszę o zwrot"
        " ceny na rachunek, z którego płaciłem.",
        sender=("Marek Dąbrowski", "marek.dabrowski@example.com"),
        cause="return_withdrawal",
        confidence=0.99,
        days_ago=10,
        orders=("10655",),
        remedy="refund",
    ),
    Mail(
        "Fwd: brakuje śrub w komplecie",
        "Dzień dobry, w zestawie mebli ogrodowych brakuje woreczka ze śrubami M6 (8 sztuk).",
        sender=("Ewa Kamińska", "ewa.kaminska@example.com"),
        cause="missing_parts",
        confidence=0.91,
        days_ago=2.3,
        comment="Przekazuję z biura, proszę o obsługę. Jola",
        requester_status="suggested",
        acknowledgement="none",
        reason="B-D5: the address is only suggested; a person confirms it",
        quoted="---------- Wiadomość przekazana dalej ----------\n"
        "Od: Ewa Kamińska <ewa.kaminska@example.com>",
    ),
    Mail(
        "Kolor inny niż na zdjęciu",
        "Zasłony na zdjęciu są granatowe, a przyszły prawie czarne. Chciałabym obniżki albo"
        " wymiany.",
        sender=("Joanna Szymańska", "joanna.sz@example.com"),
        cause="not_as_described",
        confidence=0.54,
        review=True,
        days_ago=1.2,
        remedy="price_reduction",
    ),
    Mail(
        "Gdzie faktura?",
        "Prosiłem o fakturę na firmę dwa tygodnie temu i drugi raz przypominam. NIP w zamówieniu.",
        sender=("Biuro Rachunkowe Saldo", "biuro@saldo.example"),
        cause="refund_payment",
        confidence=0.83,
        days_ago=4,
        acknowledgement="waiting",
    ),
    Mail(
        "Zgubiona przesyłka?",
        "Status mówi „doręczona”, ale nikt niczego mi nie przekazał. Sąsiedzi też nic nie wiedzą.",
        sender=("Natalia Wójcik", "natalia.wojcik@example.com"),
        cause="lost_parcel",
        urgency="high",
        confidence=0.62,
        review=True,
        days_ago=6,
        acknowledgement="unknown",
    ),
    Mail(
        "Czy ekspres ma polską instrukcję?",
        "Dzień dobry, rozważam zakup ekspresu Aroma 300. Czy w pudełku jest instrukcja po polsku?",
        sender=("Grzegorz Kaczmarek", "gkaczmarek@example.com"),
        cause="question",
        urgency="low",
        confidence=0.96,
        days_ago=0.4,
    ),
    Mail(
        "Proszę zmienić paczkomat",
        "Proszę zmienić paczkomat na WRO45M, zamówienie 11002. Jeszcze nie wysłane.",
        sender=("Zofia Mazur", "zofia.mazur@example.com"),
        cause="order_change",
        confidence=0.94,
        days_ago=0.1,
        orders=("11002",),
    ),
    Mail(
        "",
        "halo? odpiszcie w końcu",
        sender=("", "x.kowal@example.com"),
        cause=None,
        days_ago=0.02,
        acknowledgement="waiting",
    ),
    Mail(
        "Zmywarka po tygodniu przecieka, zalana kuchnia i podłoga, proszę o natychmiastowy kontakt"
        " w sprawie odszkodowania oraz wymiany urządzenia na nowe",
        "Zmywarka za 2 899 zł po tygodniu zaczęła przeciekać. Panele do wymiany.",
        sender=("Władysława Brzęczyszczykiewicz-Chrząszczewska", "wladyslawa.b@example.com"),
        cause="defective",
        urgency="high",
        confidence=0.9,
        days_ago=9,
        status="waiting",
        remedy="replacement",
    ),
    Mail(
        "Broken zipper on the jacket",
        "Hello, the zipper of the jacket broke on the second day. I would like a replacement.",
        sender=("Oliver Brown", "oliver.brown@example.co.uk"),
        cause="defective",
        confidence=0.89,
        days_ago=3,
        language="en",
        remedy="replacement",
    ),
    Mail(
        "Посилка не прийшла",
        "Добрий день, посилка не прийшла, хоча статус «доставлено».",
        sender=("Олена Шевченко", "olena@example.com.ua"),
        cause="lost_parcel",
        confidence=0.67,
        review=True,
        days_ago=5,
        language="uk",
    ),
    Mail(
        "Współpraca: pozycjonowanie sklepu",
        "Szanowni Państwo, oferujemy pozycjonowanie w cenie od 499 zł.",
        sender=("Agencja Top1", "kontakt@top1.example"),
        cause="other",
        urgency="low",
        confidence=0.99,
        days_ago=0.6,
        status="closed",
        acknowledgement="none",
        reason="B-M3: List-Unsubscribe marks a mailing list",
    ),
    *(
        Mail(
            f"Reklamacja zamówienia {10300 + number}",
            "Dzień dobry, produkt przestał działać po kilku dniach. Proszę o naprawę.",
            sender=("Jan Wiśniewski", "jan.wisniewski@example.com"),
            cause=cause,
            confidence=0.6 + number / 40,
            days_ago=number,
            status=status,
            orders=(str(10300 + number),),
            remedy="repair",
        )
        for number, (cause, status) in enumerate(
            [
                ("defective", "new"),
                ("late_delivery", "assigned"),
                ("return_withdrawal", "new"),
                ("missing_parts", "assigned"),
                ("defective", "waiting"),
                ("wrong_item", "new"),
                ("refund_payment", "resolved"),
                ("defective", "closed"),
                ("question", "new"),
                ("damaged_in_transit", "new"),
                ("not_as_described", "resolved"),
                ("late_delivery", "new"),
            ],
            start=1,
        )
    ),
)


def fill(session: Session, files: FileStore, *, now: datetime = NOW) -> list[Ticket]:
    """All the sample tickets, one of them already decided by a person."""
    tickets = [a_ticket(session, mail, files=files, now=now) for mail in MAILS]
    decided = tickets[3]
    add_label(
        session,
        decided,
        cause="damaged_in_transit",
        urgency="normal",
        author="marta@sklep.example",
        source="person",
    )
    decided.cause_confidence = None
    session.add(decided)
    return tickets
