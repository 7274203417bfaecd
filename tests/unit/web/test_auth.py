import threading
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient
from sqlmodel import select

from storage.people import count_attempt, create_link, find_person, wait_after
from storage.tables import WebSession
from tests.unit.web.conftest import PASSWORD, post, sign_in, token_on
from tests.unit.web.samples import a_person
from web import passwords
from web.auth import Strangers
from web.passwords import hash_password


@pytest.fixture
def olga(session):
    person = a_person(
        session, email="olga@sklep.example", password_hash=hash_password(PASSWORD, email="olga")
    )
    session.commit()
    return person


@pytest.fixture
def hashes(monkeypatch):
    """How many passwords were verified."""
    counted = []
    verify = passwords.PasswordHasher.verify
    monkeypatch.setattr(
        passwords.PasswordHasher,
        "verify",
        lambda self, hash, password: counted.append(1) or verify(self, hash, password),
    )
    return counted


def attempt(client: TestClient, email: str, password: str, **fields: str):
    return post(client, "/sign-in", seen_on="/sign-in", email=email, password=password, **fields)


@pytest.mark.usefixtures("olga")
def test_e_mail_and_password_sign_in(client):
    answer = attempt(client, "Olga@Sklep.Example ", PASSWORD)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert client.get("/").status_code == 200


def test_after_signing_in_one_is_where_one_wanted_to_go(client, olga):
    answer = client.get("/tickets/ODZ-2026-000001?a=b")
    assert answer.headers["location"] == "/sign-in?next=%2Ftickets%2FODZ-2026-000001%3Fa%3Db"
    answer = attempt(client, olga.email, PASSWORD, next="/tickets/ODZ-2026-000001?a=b")
    assert answer.headers["location"] == "/tickets/ODZ-2026-000001?a=b"


@pytest.mark.parametrize(
    "elsewhere", ["https://evil.example", "//evil.example", "/\\evil.example", "evil", "/\r\nX: y"]
)
def test_signing_in_never_leads_to_another_site(client, olga, elsewhere):
    answer = attempt(client, olga.email, PASSWORD, next=elsewhere)
    assert answer.headers["location"] == "/"


def test_a_wrong_password_and_an_unknown_address_look_the_same(client, olga, hashes):
    wrong = attempt(client, olga.email, "not the password")
    unknown = attempt(client, "nobody@sklep.example", "not the password")
    assert wrong.status_code == unknown.status_code == 403
    assert wrong.text.replace(olga.email, "") == unknown.text.replace("nobody@sklep.example", "")
    assert len(hashes) == 2  # the same work for both, so the same time


def test_a_disabled_person_cannot_sign_in(client, olga, session):
    olga.disabled = True
    session.commit()
    assert attempt(client, olga.email, PASSWORD).status_code == 403


def test_a_person_without_a_password_cannot_sign_in_by_one(client, marta):
    for password in ("", "nobody has this password"):
        assert attempt(client, marta.email, password).status_code == 403


@pytest.mark.parametrize("email", ["olga@sklep.example", "nobody@sklep.example"])
@pytest.mark.usefixtures("olga")
def test_after_five_wrong_passwords_everybody_waits(client, clock, hashes, email):
    answers = [attempt(client, email, "not the password").status_code for _ in range(7)]
    assert answers == [403] * 5 + [429] * 2
    assert len(hashes) == 5
    clock.move(timedelta(seconds=16))
    assert attempt(client, email, "not the password").status_code == 403
    assert attempt(client, email, "not the password").status_code == 429


def test_f_07_of_a_thousand_guesses_in_an_hour_less_than_forty_are_compared(session, olga, clock):
    strangers, tried = Strangers(), [0, 0]
    for _ in range(1000):
        tried[0] += count_attempt(session, olga, now=clock())
        tried[1] += strangers.count_attempt("nobody@sklep.example", now=clock())
        clock.move(timedelta(seconds=3.6))
    assert tried[0] == tried[1] < 40


def test_waiting_is_never_for_good(client, olga, clock):
    for _ in range(12):
        attempt(client, olga.email, "not the password")
        clock.move(timedelta(minutes=15))
    assert attempt(client, olga.email, PASSWORD).status_code == 303


def test_the_wait_doubles_up_to_a_quarter_of_an_hour():
    assert [wait_after(n).total_seconds() for n in (4, 5, 6, 7, 50)] == [0, 15, 30, 60, 900]


def test_guesses_in_parallel_do_not_outrun_the_counter(client, olga, hashes):
    page = client.get("/sign-in")
    guess = {"csrf_token": token_on(page.text), "email": olga.email, "password": "a wrong guess"}
    threads = [
        threading.Thread(target=client.post, args=("/sign-in",), kwargs={"data": guess})
        for _ in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(hashes) == 5


def test_an_old_hash_is_made_anew_at_sign_in(client, session, olga):
    weak = passwords.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    olga.password_hash = weak.hash(PASSWORD)
    session.commit()
    attempt(client, olga.email, PASSWORD)
    session.refresh(olga)
    assert not passwords.needs_rehash(olga.password_hash)


def test_opening_a_one_time_link_does_not_use_it_up(client, session, marta, clock):
    token = create_link(session, marta, now=clock())
    session.commit()
    path = f"/sign-in/link?token={token}"
    for _ in range(3):
        assert client.get(path).status_code == 200
    answer = post(client, "/sign-in/link", seen_on=path, token=token)
    assert answer.status_code == 303
    assert client.get("/").status_code == 200


def test_a_one_time_link_works_once(client, behind_proxy, session, marta, clock):
    token = create_link(session, marta, now=clock())
    session.commit()
    path = f"/sign-in/link?token={token}"
    assert post(client, "/sign-in/link", seen_on=path, token=token).status_code == 303
    assert post(behind_proxy, "/sign-in/link", seen_on=path, token=token).status_code == 403
    assert behind_proxy.get("/").status_code == 303


def test_a_one_time_link_works_for_an_hour(client, session, marta, clock):
    token = create_link(session, marta, now=clock())
    session.commit()
    clock.move(timedelta(minutes=61))
    path = f"/sign-in/link?token={token}"
    assert post(client, "/sign-in/link", seen_on=path, token=token).status_code == 403


def test_signing_in_gives_a_new_session(signed_in, session, marta, clock):
    before = signed_in.cookies["odzew"]
    sign_in(signed_in, session, marta, now=clock())
    after = signed_in.cookies["odzew"]
    assert before != after
    assert len(session.exec(select(WebSession)).all()) == 1


def test_an_old_cookie_is_worth_nothing_after_signing_out(signed_in):
    old = signed_in.cookies["odzew"]
    assert post(signed_in, "/sign-out").headers["location"] == "/sign-in"
    signed_in.cookies.set("odzew", old)
    assert signed_in.get("/").headers["location"] == "/sign-in"


def test_an_idle_session_ends_after_eight_hours(signed_in, clock):
    clock.move(timedelta(hours=7))
    assert signed_in.get("/").status_code == 200
    clock.move(timedelta(hours=7))
    assert signed_in.get("/").status_code == 200
    clock.move(timedelta(hours=8, minutes=1))
    assert signed_in.get("/").status_code == 303


def test_a_session_cookie_is_for_the_browser_alone(client, session, marta, clock):
    token = create_link(session, marta, now=clock())
    session.commit()
    answer = post(client, "/sign-in/link", seen_on=f"/sign-in/link?token={token}", token=token)
    [cookie] = [c for c in answer.headers.get_list("set-cookie") if c.startswith("odzew=")]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Path=/" in cookie
    assert "Secure" not in cookie  # plain HTTP, which never leaves this machine
    assert "Domain" not in cookie


def test_behind_tls_the_cookie_is_secure_and_bound_to_the_host(behind_proxy, session, marta, clock):
    token = create_link(session, marta, now=clock())
    session.commit()
    path = f"/sign-in/link?token={token}"
    answer = post(behind_proxy, "/sign-in/link", seen_on=path, token=token)
    [cookie] = [c for c in answer.headers.get_list("set-cookie") if "odzew=" in c]
    assert cookie.startswith("__Host-odzew=")
    assert "Secure" in cookie
    assert "HttpOnly" in cookie
    assert behind_proxy.get("/").status_code == 200


def test_a_new_password_ends_the_other_sessions(signed_in, marta):
    before = signed_in.cookies["odzew"]
    answer = post(
        signed_in, "/account/password", seen_on="/account", password=PASSWORD, repeated=PASSWORD
    )
    assert answer.headers["location"] == "/account"
    assert signed_in.get("/account").status_code == 200
    post(signed_in, "/sign-out")
    signed_in.cookies.set("odzew", before)
    assert signed_in.get("/").status_code == 303
    signed_in.cookies.clear()
    assert attempt(signed_in, marta.email, PASSWORD).status_code == 303


@pytest.mark.parametrize(
    ("password", "repeated"),
    [
        ("short", "short"),
        (PASSWORD, "something else"),
        ("x" * 300, "x" * 300),
        ("a" * 12, "a" * 12),
    ],
)
def test_a_bad_new_password_is_explained_and_not_stored(
    signed_in, session, marta, password, repeated
):
    answer = post(
        signed_in, "/account/password", seen_on="/account", password=password, repeated=repeated
    )
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    session.refresh(marta)
    assert marta.password_hash is None


def test_a_password_is_not_changed_in_a_session_left_open(signed_in, clock):
    clock.move(timedelta(minutes=16))
    assert "new-password" not in signed_in.get("/account").text
    answer = post(
        signed_in, "/account/password", seen_on="/account", password=PASSWORD, repeated=PASSWORD
    )
    assert answer.status_code == 403


def test_signing_out_everywhere_ends_every_session(signed_in, behind_proxy, session, marta, clock):
    sign_in(behind_proxy, session, marta, now=clock())
    post(signed_in, "/account/sign-out-everywhere", seen_on="/account")
    assert signed_in.get("/").status_code == behind_proxy.get("/").status_code == 303


def test_the_language_switch_is_remembered_for_the_person(signed_in, session, marta):
    assert '<html lang="pl">' in signed_in.get("/").text
    answer = post(signed_in, "/language", language="en", next="/?status=all")
    assert answer.headers["location"] == "/?status=all"
    assert '<html lang="en">' in signed_in.get("/").text
    session.expire_all()
    assert find_person(session, marta.email).language == "en"


def test_before_signing_in_the_browser_chooses_the_language_until_a_person_does(client):
    assert '<html lang="pl">' in client.get("/sign-in").text
    english = {"Accept-Language": "de, en;q=0.8, pl;q=0.5"}
    assert '<html lang="en">' in client.get("/sign-in", headers=english).text
    post(client, "/language", seen_on="/sign-in", language="pl", next="/sign-in")
    assert '<html lang="pl">' in client.get("/sign-in", headers=english).text
