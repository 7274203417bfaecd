"""A shop's own classifier: from labels to a candidate, through the gate, back, and elsewhere."""

import io
import os
import tarfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from filelock import FileLock
from sqlmodel import select

from config.taxonomy import SHIPPED, Taxonomy
from models.advice import doubtful_labels, tickets_to_label
from models.artifact import read_manifest, write
from models.corpus import corpus
from models.dataset import CAUSES, Example
from models.exchange import BadExport, export_version, import_version
from models.gate import gate
from models.pool import training_pool
from models.readiness import readiness
from models.registry import (
    GateRefused,
    TaxonomyMismatch,
    default_folder,
    ensure_default,
    folder_of,
    promote,
    register,
    roll_back,
)
from models.report import report_page
from models.retraining import NotReady, Shipped, retrain
from storage.classifiers import active_version, all_versions
from storage.database import Session, open_session
from storage.labels import add_label
from storage.tables import ClassifierVersion, InboundMessage, Ticket
from tests.factories import a_raw_message, a_ticket
from triage.classifier import Classifier
from worker.assign import ActiveTriager
from worker.context import Context
from worker.retrain import retrain as retrain_step

PER_CAUSE = 12


@pytest.fixture(scope="module")
def few() -> Shipped:
    """A dozen mails of each cause: enough to train, quick to read."""

    def part(examples: Sequence[Example]) -> tuple[Example, ...]:
        seen: Counter[str] = Counter()
        kept = []
        for example in examples:
            seen[example.cause] += 1
            if seen[example.cause] <= PER_CAUSE:
                kept.append(example)
        return tuple(kept)

    return Shipped(part(corpus("train")), part(corpus("validation")), part(corpus("test")))


@pytest.fixture
def context(sqlite_engine, make_context):
    return make_context(sqlite_engine)


@pytest.fixture
def session(context):
    with open_session(context.engine) as session:
        ensure_default(session, now=context.clock())
        yield session


def labelled(
    session: Session, text: str, cause: str, *, urgency: str = "normal", day: int = 0, who: str = ""
) -> Ticket:
    """A ticket with its mail, and what a person said of it."""
    ticket = a_ticket(needs_review=False, **({"requester_addr": who} if who else {}))
    raw = a_raw_message(outcome="ticket", next_attempt_at=None)
    session.add_all([ticket, raw])
    session.flush()
    session.add(
        InboundMessage(
            raw_message_id=raw.id,
            ticket_id=ticket.id,
            message_id=f"{raw.id}@klient.example",
            fingerprint=ticket.fingerprint,
            kind="person",
            from_addr=ticket.requester_addr,
            from_name=ticket.requester_name,
            subject="Zgłoszenie",
            body=text,
            text=text,
            received_at=ticket.received_at + timedelta(days=day),
        )
    )
    add_label(session, ticket, cause=cause, urgency=urgency, author="anna", source="person")
    session.commit()
    return ticket


def a_shop_with_labels(session: Session, count: int = 24) -> None:
    """Labels as people give them: mails of the corpus that stand for the shop's own."""
    for number, example in enumerate(corpus("validation")[:count]):
        labelled(session, example.text, example.cause, urgency=example.urgency, day=number)


def with_assembly(folder: Path) -> Taxonomy:
    """The shipped taxonomy and a cause of the shop's own."""
    own = """
[[causes]]
code = "assembly"
clock = "complaint"
name = { pl = "Montaż", en = "Assembly" }
description = { pl = "Praca montażystów.", en = "The work of the fitters." }
examples = { pl = ["Ekipa nie przyjechała."], en = ["The fitters did not come."] }
"""
    path = folder / "taxonomy.toml"
    shipped = SHIPPED.read_text("utf-8")
    path.write_text(shipped.replace("[[urgencies]]", own + "\n[[urgencies]]", 1), "utf-8")
    return Taxonomy.load(path)


def set_up(context: Context, **keys: object) -> Context:
    """The context with other settings of [triage]."""
    triage = context.settings.triage.model_copy(update=keys)
    return replace(context, settings=context.settings.model_copy(update={"triage": triage}))


def states(session) -> dict[str, str]:
    return {version.version: version.state for version in all_versions(session)}


def test_few_labels_are_not_enough_and_it_says_so(session, context, few):
    labelled(session, "Zamiast czajnika przyszedł toster.", "wrong_item")
    state = readiness(session)
    assert (state.ready, state.labels, state.per_cause["wrong_item"]) == (False, 1, 1)
    assert "1 labels of people, at least 20 are needed" in state.problems[0]
    with pytest.raises(NotReady, match="at least 20"):
        retrain(session, context.settings.storage.path, now=context.clock(), shipped=few)
    assert list(states(session).values()) == ["active"]


def test_labels_become_a_candidate_that_is_promoted_and_rolled_back(session, context, few):
    storage, now = context.settings.storage.path, context.clock()
    a_shop_with_labels(session)
    default = active_version(session).version
    steps: list[str] = []
    candidate = retrain(
        session, storage, now=now, shipped=few, on_progress=lambda what, *_: steps.append(what)
    )
    assert states(session) == {default: "active", candidate.version: "candidate"}
    assert candidate.report["examples"] == len(few.test)
    assert {"reading", "training", "measuring"} <= set(steps)
    assert read_manifest(folder_of(candidate, storage)).parent == default
    promote(session, candidate.version, storage, now=now, override="a small test part")
    assert states(session) == {default: "retired", candidate.version: "active"}
    roll_back(session, storage, now=now)
    assert states(session) == {default: "active", candidate.version: "retired"}
    # Who was let in once may come back.
    promote(session, candidate.version, storage, now=now)


def test_an_active_version_with_figures_of_another_test_part_is_measured_again(
    session, context, few
):
    storage, now = context.settings.storage.path, context.clock()
    active = active_version(session)
    active.report = active.report | {"test_hash": "of an earlier release"}
    session.commit()
    a_shop_with_labels(session)
    candidate = retrain(session, storage, now=now, shipped=few)
    session.refresh(active)
    assert active.report["test_hash"] == candidate.report["test_hash"]
    assert active.report["examples"] == len(few.test)
    assert not any("another test part" in p for p in gate(candidate.report, active.report))


def test_what_a_killed_training_left_is_swept_away(session, context, few):
    classifiers = context.settings.storage.path / "classifiers"
    old, young = classifiers / "cache" / "encoder-old", classifiers / ".import-young"
    for folder in (old, young):
        folder.mkdir(parents=True)
    (old / "encoder.safetensors").write_bytes(b"half")
    os.utime(old, (0, 0))
    a_shop_with_labels(session)
    retrain(session, context.settings.storage.path, now=context.clock(), shipped=few)
    assert (old.exists(), young.exists()) == (False, True)


def test_a_cause_of_the_shop_works_from_ten_examples(session, context, few, tmp_path):
    storage, now = context.settings.storage.path, context.clock()
    told = [
        "Ekipa montażowa nie przyjechała na umówiony termin montażu kuchni.",
        "Monterzy źle wypoziomowali szafki przy montażu i pojechali.",
        "Po montażu zostawiono bałagan, ekipa nie dokończyła cokołów.",
        "Montażysta porysował ścianę podczas wieszania szafek.",
        "Przełożono mi montaż trzeci raz, ekipa nie odbiera.",
        "Montaż frontów wykonany krzywo, proszę o poprawkę ekipy.",
        "Pan montażysta wywiercił otwór w złym miejscu blatu.",
        "Pomiar kuchni był zły i ekipa nie mogła zamontować blatu.",
        "Monterzy nie podłączyli okapu, choć montaż był opłacony.",
        "Umówiony montaż się nie odbył, nikt z ekipy nie zadzwonił.",
        "Ekipa od montażu spóźniła się pięć godzin i nie skończyła.",
        "Montaż szafy: drzwi nie domykają się po wizycie monterów.",
    ]
    for number, text in enumerate(told):
        labelled(session, text, "assembly", day=number)
    for number, example in enumerate(corpus("validation")[:12]):
        labelled(session, example.text, example.cause, urgency=example.urgency, day=number)
    candidate = retrain(session, storage, now=now, shipped=few)
    classifier = Classifier.load(folder_of(candidate, storage))
    assert classifier.cause.labels == (*CAUSES, "assembly")
    promote(session, candidate.version, storage, now=now, override="test")
    triager = ActiveTriager(storage, with_assembly(tmp_path)).get(session)
    [new, old] = triager.triage(
        [
            ("", "Ekipa montażowa znowu nie przyjechała na montaż szafek w kuchni."),
            ("", "Wazon przyszedł stłuczony, karton był zgnieciony."),
        ]
    )
    assert new.cause == "assembly"
    assert old.cause == "damaged_in_transit"


def test_a_version_with_a_cause_that_the_taxonomy_lacks_is_not_used(session, context, tmp_path):
    storage, now = context.settings.storage.path, context.clock()
    shipped = Classifier.load(default_folder())
    head = replace(shipped.cause, labels=(*CAUSES[:-1], "assembly"))
    limits = dict.fromkeys(head.labels, 1.0)
    odd = replace(shipped, version="odd", cause=head, thresholds=limits, preselect=limits)
    write(
        storage / "classifiers" / "odd",
        odd,
        training_hash="",
        metrics=active_version(session).report,
        parent=None,
        created_at=now,
    )
    register(session, storage / "classifiers" / "odd")
    with pytest.raises(TaxonomyMismatch, match="predicts assembly, which the taxonomy does not"):
        promote(session, "odd", storage, now=now, taxonomy=context.taxonomy)
    assert active_version(session).shipped
    # Promoted while the taxonomy had it, and then the file was changed: the shipped one stands in.
    promote(session, "odd", storage, now=now, taxonomy=with_assembly(tmp_path))
    stand_in = ActiveTriager(storage, context.taxonomy).get(session)
    assert stand_in.classifier.version == shipped.version


def test_nine_labels_of_an_own_cause_wait_for_the_tenth(session, context, few):
    a_shop_with_labels(session)
    for number in range(9):
        labelled(session, f"Montaż numer {chr(97 + number) * 3} się nie odbył", "assembly")
    state = readiness(session)
    assert state.too_few == {"assembly": 9} or "assembly" in state.too_few
    candidate = retrain(session, context.settings.storage.path, now=context.clock(), shipped=few)
    folder = folder_of(candidate, context.settings.storage.path)
    assert Classifier.load(folder).cause.labels == CAUSES


def test_the_pool_has_no_personal_data_no_repeats_and_tells_conflicts(session):
    text = "Proszę o fakturę do zamówienia, piszę z adresu anna@klient.example, Anna Nowak"
    labelled(session, text, "refund_payment")
    again = labelled(session, text.upper(), "question", day=1)
    pool = training_pool(session)
    [kept] = pool.examples
    assert kept.cause == "question"
    assert kept.id == f"ticket-{again.id}"
    assert "klient.example" not in kept.text.lower()
    assert "NOWAK" not in kept.text
    assert pool.collapsed == 1
    assert pool.conflicts[0].labels == ("refund_payment", "question")


def test_the_newest_requesters_are_held_out_with_all_their_mail(session):
    """E-52: who labels or sends much cannot also be what the result is judged by."""
    for number, example in enumerate(corpus("validation")[:120]):
        labelled(
            session,
            example.text,
            example.cause,
            urgency=example.urgency,
            day=number,
            who=f"klient{number % 60}@klient.example",
        )
    pool = training_pool(session)
    assert 20 <= len(pool.held_out) <= 30
    assert {e.group for e in pool.learn}.isdisjoint({e.group for e in pool.held_out})
    assert max(e.at for e in pool.held_out) > max(e.at for e in pool.learn)


def test_a_sender_of_half_of_all_mail_is_learnt_from(session):
    for number, example in enumerate(corpus("validation")[:120]):
        labelled(
            session,
            example.text,
            example.cause,
            urgency=example.urgency,
            day=number,
            who="formularz@sklep.example" if number % 2 else "",
        )
    pool = training_pool(session)
    assert 20 <= len(pool.held_out) <= 24
    assert "formularz@sklep.example" in {e.group for e in pool.learn}


def test_a_worse_candidate_needs_a_reason_which_is_kept(session, context):
    storage, now = context.settings.storage.path, context.clock()
    good = active_version(session)
    worse = dict(good.report) | {"critical_recall": 0.1}
    folder = storage / "classifiers" / "worse"
    classifier = Classifier.load(default_folder())
    write(
        folder,
        replace(classifier, version="worse"),
        training_hash="",
        metrics=worse,
        parent=good.version,
        created_at=now,
    )
    register(session, folder)
    with pytest.raises(GateRefused, match=r"critical recall falls from .* to 0\.100"):
        promote(session, "worse", storage, now=now)
    assert active_version(session).version == good.version
    promote(session, "worse", storage, now=now, override="tylko na próbę")
    assert active_version(session).override_reason == "tylko na próbę"


def test_a_version_goes_to_another_installation_and_back(session, context, tmp_path):
    storage, now = context.settings.storage.path, context.clock()
    folder = storage / "classifiers" / "mine"
    mine = replace(Classifier.load(default_folder()), version="mine")
    write(folder, mine, training_hash="", metrics={}, parent=None, created_at=now)
    register(session, folder)
    export_version(session, "mine", storage, tmp_path / "mine.tar")
    with pytest.raises(BadExport, match="already here"):
        import_version(session, tmp_path / "mine.tar", storage, default_folder())
    session.delete(
        session.exec(select(ClassifierVersion).where(ClassifierVersion.version == "mine")).one()
    )
    session.commit()
    elsewhere = tmp_path / "elsewhere"
    found = import_version(session, tmp_path / "mine.tar", elsewhere, default_folder())
    assert (found.version, found.state) == ("mine", "candidate")
    assert read_manifest(elsewhere / "classifiers" / "mine") == read_manifest(folder)


@pytest.mark.parametrize("bad", ["no tar", "changed", "path", "link", "extra"])
def test_an_export_that_was_tampered_with_is_refused_and_leaves_nothing(
    session, context, tmp_path, bad
):
    storage = context.settings.storage.path
    name = active_version(session).version
    good, file = tmp_path / "good.tar", tmp_path / "bad.tar"
    export_version(session, name, storage, good)
    if bad == "no tar":
        file.write_bytes(b"not a tar at all" * 100)
    else:
        with tarfile.open(good) as source, tarfile.open(file, "w") as target:
            for entry in source:
                content = source.extractfile(entry)
                if bad == "changed" and entry.name == "head.safetensors":
                    data = bytearray(content.read())
                    data[-1] ^= 1
                    content = io.BytesIO(bytes(data))
                if bad == "path" and entry.name == "NOTICE":
                    entry.name = "../NOTICE"
                if bad == "link" and entry.name == "NOTICE":
                    entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
                target.addfile(entry, content if entry.isfile() else None)
            if bad == "extra":
                target.addfile(tarfile.TarInfo("run.py"))
    with pytest.raises(Exception, match=r"\w") as refused:
        import_version(session, file, tmp_path / "new", default_folder())
    assert "Error" in type(refused.value).__name__ or isinstance(refused.value, BadExport)
    assert list((tmp_path / "new" / "classifiers").iterdir()) == []


def test_the_report_is_a_page_that_stands_alone(session, context):
    page = report_page(session, active_version(session), context.settings.storage.path)
    assert page.count("<svg") >= 2
    assert "Frozen test part" in page
    assert "critical" in page
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "")


def test_doubtful_labels_and_tickets_worth_a_label_are_named(session, context):
    storage = context.settings.storage.path
    a_shop_with_labels(session, 20)
    wrong = labelled(session, "Wazon przyszedł stłuczony, karton był cały pognieciony.", "other")
    assert wrong.reference in {found.ticket for found in doubtful_labels(session, storage)}
    open_ticket = a_ticket()
    raw = a_raw_message(outcome="ticket", next_attempt_at=None)
    session.add_all([open_ticket, raw])
    session.flush()
    session.add(
        InboundMessage(
            raw_message_id=raw.id,
            ticket_id=open_ticket.id,
            message_id="x@klient.example",
            fingerprint=open_ticket.fingerprint,
            kind="person",
            from_addr="x@klient.example",
            from_name="",
            subject="",
            body="Coś tu nie gra",
            text="Coś tu nie gra",
            received_at=open_ticket.received_at,
        )
    )
    session.commit()
    [found] = tickets_to_label(session, storage, count=5)
    assert found.ticket == open_ticket.reference


def test_the_worker_trains_in_a_process_of_its_own_and_never_promotes(context, session):
    a_shop_with_labels(session, 24)
    context = set_up(context, retrain_after=24)
    default = active_version(session).version
    assert retrain_step(context) == 1
    session.expire_all()
    assert sorted(states(session).values()) == ["active", "candidate"]
    assert active_version(session).version == default
    assert retrain_step(context) == 0  # nothing new since


@pytest.mark.timeout(120)
@pytest.mark.parametrize("honest", [True, False])
def test_the_shop_may_let_what_passes_the_gate_be_promoted(context, session, honest):
    for number, example in enumerate(corpus("validation")[:100]):
        cause, urgency = (example.cause, example.urgency) if honest else ("other", "low")
        labelled(session, example.text, cause, urgency=urgency, day=number)
    context = set_up(context, retrain_after=24, promote=True)
    default = active_version(session).version
    assert retrain_step(context) == 1
    session.expire_all()
    assert (active_version(session).version != default) == honest


def test_a_file_that_was_altered_after_the_promotion_is_not_used(session, context):
    storage, now = context.settings.storage.path, context.clock()
    shipped = Classifier.load(default_folder())
    folder = storage / "classifiers" / "mine"
    mine = replace(shipped, version="mine")
    figures = active_version(session).report
    write(folder, mine, training_hash="", metrics=figures, parent=None, created_at=now)
    register(session, folder)
    promote(session, "mine", storage, now=now)
    with (folder / "head.json").open("a") as file:
        file.write(" ")
    stand_in = ActiveTriager(storage, context.taxonomy).get(session)
    assert stand_in.classifier.version == shipped.version


@pytest.mark.timeout(180)
def test_deep_training_makes_a_version_with_an_encoder_of_its_own(session, context, few):
    storage, now = context.settings.storage.path, context.clock()
    a_shop_with_labels(session, 20)
    small = Shipped(few.train, few.validation[:40], few.test[:40])
    candidate = retrain(session, storage, now=now, deep=True, shipped=small)
    folder = folder_of(candidate, storage)
    own = Classifier.load(folder)
    assert own.encoder_hash != Classifier.load(default_folder()).encoder_hash
    assert list((storage / "classifiers" / "cache").glob("encoder-*")) == []
    promote(session, candidate.version, storage, now=now, override="a small test part")
    assert ActiveTriager(storage, context.taxonomy).get(session).classifier.version == own.version


def test_a_training_that_was_cancelled_changes_nothing(session, context, few):
    a_shop_with_labels(session, 24)

    def stop(what: str, *_: object) -> None:
        if what == "training":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        retrain(
            session,
            context.settings.storage.path,
            now=context.clock(),
            shipped=few,
            on_progress=stop,
        )
    assert list(states(session).values()) == ["active"]


def test_one_training_at_a_time(session, context, few):
    a_shop_with_labels(session, 24)
    cache = context.settings.storage.path / "classifiers" / "cache"
    cache.mkdir(parents=True)
    with FileLock(cache / "training.lock"), pytest.raises(NotReady, match="another training"):
        retrain(session, context.settings.storage.path, now=context.clock(), shipped=few)


def test_it_can_be_switched_off(context, session):
    a_shop_with_labels(session, 24)
    context = set_up(context, retrain_after=0)
    assert retrain_step(context) == 0
    assert len(all_versions(session)) == 1
