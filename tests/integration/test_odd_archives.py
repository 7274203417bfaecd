"""E-80: archives with lines that look like the next mail, and files that are no archive of ours."""

import mailbox
import tarfile
from io import BytesIO

import pytest
from sqlmodel import select

from config.errors import PermanentError
from storage.database import open_session
from storage.mail import raw_bytes
from storage.tables import InboundMessage, RawMessage
from tests.factories import a_mail
from worker.archive_import import import_path

TEXT = "From Warszawa to Kraków: paczka nie dotarła.\n>From tak cytujemy.\nFrom a@b Mon Jan  1\n"


@pytest.fixture
def context(sqlite_engine, make_context):
    return make_context(sqlite_engine)


def bodies(context):
    with open_session(context.engine) as session:
        return [message.body for message in session.exec(select(InboundMessage)).all()]


def test_a_line_that_begins_with_from_does_not_end_a_mail(context, tmp_path):
    """Written by a program that escapes such lines, as mbox demands (RFC 4155)."""
    path = tmp_path / "stare.mbox"
    box = mailbox.mbox(path)
    for number in range(3):
        box.add(a_mail(text=f"{number}\n{TEXT}"))
    box.close()
    assert import_path(context, path) == {"new": 3, "known": 0}
    assert all("paczka nie dotarła." in body for body in bodies(context))


def test_an_unescaped_line_costs_no_byte(context, tmp_path):
    """Where nobody escaped it, nobody can tell; but no part of the file is lost."""
    path = tmp_path / "stare.mbox"
    mail = a_mail(text="Dzień dobry,\n\nFrom Warszawa Mon Jan  1 10:00:00 2026\n\nkoniec")
    path.write_bytes(b"From a@b Mon Jan  1 10:00:00 2026\n" + mail.replace(b"\r\n", b"\n"))
    import_path(context, path)
    with open_session(context.engine) as session:
        rows = session.exec(select(RawMessage)).all()
        whole = b"".join(raw_bytes(session, context.files, str(row.sha256)) for row in rows)
    assert "Dzień dobry".encode() in whole
    assert b"koniec" in whole


def test_an_archive_of_another_kind_is_refused_and_never_unpacked(context, tmp_path):
    path = tmp_path / "stare.tar"
    with tarfile.open(path, "w") as archive:
        entry = tarfile.TarInfo("../../uciekinier.eml")
        entry.size = 4
        archive.addfile(entry, BytesIO(b"abcd"))
    with pytest.raises(PermanentError, match="is none of"):
        import_path(context, path)
    assert not list(tmp_path.parent.rglob("uciekinier*"))
    assert bodies(context) == []


def test_a_broken_mbox_is_read_as_far_as_it_goes(context, tmp_path):
    path = tmp_path / "stare.mbox"
    path.write_bytes(b"From a@b\n" + b"\0\xff" * 5000 + b"\nFrom a@b\n\nFrom \n")
    import_path(context, path)
    assert bodies(context)
