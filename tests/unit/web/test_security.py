import re

import pytest
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from sqlalchemy import inspect, text

from storage.database import open_session
from storage.files import FileStore
from tests.unit.web.conftest import SAME_ORIGIN, post, token_on
from tests.unit.web.samples import Mail, a_ticket, fill

EXPECTED = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


@pytest.fixture
def ticket(session, files):
    ticket = a_ticket(
        session, Mail("Temat", "Treść", attachments=(("a.txt", "text/plain", b"abc"),)), files=files
    )
    session.commit()
    return ticket


def routes(client: TestClient) -> list[APIRoute]:
    found = [route for route in walk(client.app.routes) if isinstance(route, APIRoute)]
    assert len(found) > 10
    return found


def walk(some_routes):
    for route in some_routes:
        yield route
        inner = getattr(route, "original_router", None)
        if inner is not None:
            yield from walk(inner.routes)


def path_of(route: APIRoute, ticket) -> str:
    path = route.path.replace("{reference}", ticket.reference)
    return path.replace("{attachment_id}", "1")


def test_every_answer_carries_the_headers(signed_in, ticket):
    paths = [path_of(r, ticket) for r in routes(signed_in) if "GET" in r.methods]
    paths += ["/nothing/here", "/static/page.css", "/static/nothing"]
    for path in paths:
        headers = signed_in.get(path).headers
        assert {name: headers[name] for name in EXPECTED} == EXPECTED, path
        assert "camera=()" in headers["permissions-policy"]
        assert "default-src 'none'" in headers["content-security-policy"], path
        assert "unsafe" not in headers["content-security-policy"]
        if not path.startswith("/static/page"):
            assert headers["cache-control"] == "no-store", path
        assert "strict-transport-security" not in headers  # plain HTTP


def test_refusals_and_failures_carry_the_headers_too(client, monkeypatch):
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a secret detail")

    monkeypatch.setattr("web.auth.find_person", broken)
    answers = [
        client.get("/", headers={"Host": "evil.example"}),
        client.post("/sign-in", headers={"Sec-Fetch-Site": "cross-site"}),
        client.post("/sign-in", content=b"x" * (1024 * 1024 + 1)),
        post(client, "/sign-in", seen_on="/sign-in", email="a@b.example"),
    ]
    assert [answer.status_code for answer in answers] == [400, 403, 413, 500]
    for answer in answers:
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert re.search("Identyfikator błędu: [0-9a-f]{8}", answer.text)
        assert "secret detail" not in answer.text
        assert "Traceback" not in answer.text


def test_behind_tls_browsers_are_told_to_stay_there(behind_proxy):
    assert "max-age" in behind_proxy.get("/sign-in").headers["strict-transport-security"]


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8080", 200),
        ("localhost", 200),
        ("[::1]:8080", 200),
        ("sklep.example", 200),
        ("desk.sklep.example:443", 200),
        ("evil.example", 400),
        ("notsklep.example", 400),
        ("127.0.0.1.evil.example", 400),
        ("", 400),
    ],
)
def test_only_known_names_of_the_host_are_answered(client, host, status):
    assert client.get("/sign-in", headers={"Host": host}).status_code == status


def test_a_probe_may_call_by_any_name(client):
    assert client.get("/healthz", headers={"Host": "10.0.0.7:8080"}).text == "ok\n"
    assert client.get("/readyz", headers={"Host": "10.0.0.7:8080"}).text == "ok\n"


def test_every_form_needs_its_token(signed_in, ticket):
    posts = [route for route in routes(signed_in) if "POST" in route.methods]
    assert len(posts) >= 8
    for route in posts:
        path = path_of(route, ticket)
        assert signed_in.post(path, data={"cause": "other"}).status_code == 403, path
        wrong = {"cause": "other", "csrf_token": "wrong"}
        assert signed_in.post(path, data=wrong).status_code == 403, path
    assert signed_in.get("/").status_code == 200


def test_every_other_route_needs_a_signed_in_person(client, ticket):
    public = {"/sign-in", "/sign-in/link", "/sign-out", "/language", "/healthz", "/readyz"}
    public.add("/metrics")  # has a token of its own: test_metrics
    for route in routes(client):
        if route.path in public:
            continue
        path = path_of(route, ticket)
        if "GET" in route.methods:
            answer = client.get(path)
        else:
            answer = post(client, path, seen_on="/sign-in", cause="other", status="closed")
        assert answer.status_code == 303, path
        assert answer.headers["location"].startswith("/sign-in")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, 303),
        ({"Sec-Fetch-Site": "none"}, 303),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "http://127.0.0.1:8080"}, 403),
        ({"Origin": "http://127.0.0.1:8080"}, 303),
        ({"Origin": "https://127.0.0.1:8080"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({}, 403),
    ],
)
def test_f_10_a_form_of_another_site_is_refused(signed_in, ticket, headers, status):
    form = {"csrf_token": token_on(signed_in.get("/").text), "status": "waiting"}
    del signed_in.headers["Sec-Fetch-Site"]
    path = f"/tickets/{ticket.reference}/status"
    assert signed_in.post(path, data=form, headers=headers).status_code == status


def test_the_token_of_another_session_is_refused(signed_in, ticket):
    signed_in.cookies.clear()
    foreign = token_on(signed_in.get("/sign-in").text)
    assert foreign
    answer = signed_in.post(
        f"/tickets/{ticket.reference}/status", data={"csrf_token": foreign, "status": "closed"}
    )
    assert answer.status_code == 303
    assert answer.headers["location"] == "/sign-in"


def test_a_body_without_a_length_is_still_limited(client):
    chunks = (b"x" * 65536 for _ in range(20))
    answer = client.post(
        "/sign-in",
        content=chunks,
        headers={**SAME_ORIGIN, "Content-Type": "application/x-www-form-urlencoded"},
    )
    assert answer.status_code == 413


@pytest.mark.parametrize(
    ("content", "content_type", "status"),
    [
        (b"{}", "application/json", 415),
        (b"a=\xff", "application/x-www-form-urlencoded", 400),
        (b"&".join(b"a=1" for _ in range(201)), "application/x-www-form-urlencoded", 400),
    ],
)
def test_what_is_no_form_is_refused(client, content, content_type, status):
    answer = client.post("/sign-in", content=content, headers={"Content-Type": content_type})
    assert answer.status_code == status


def test_get_has_no_side_effects(signed_in, engine, session, settings):
    fill(session, FileStore(settings.storage.path))
    session.commit()
    before = snapshot(engine)
    seen, waiting = set(), ["/", "/account", "/sign-in", "/healthz", "/readyz"]
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        page = signed_in.get(path)
        assert page.status_code < 400, path
        if "html" in page.headers.get("content-type", ""):
            links = re.findall(r'href="(/[^"#]*)"', page.text)
            waiting += [link.replace("&amp;", "&") for link in links]
    assert len(seen) > 40
    assert snapshot(engine) == before


def snapshot(engine) -> dict[str, list[tuple[object, ...]]]:
    with open_session(engine) as session:
        return {
            table: [tuple(row) for row in session.execute(text(f"SELECT * FROM {table}"))]
            for table in inspect(engine).get_table_names()
        }


def test_a_page_refers_to_no_other_host_and_has_nothing_inline(signed_in, session, files):
    for ticket in fill(session, files)[:8]:
        session.commit()
        for path in ("/", f"/tickets/{ticket.reference}", "/account"):
            page = signed_in.get(path).text
            assert not re.search(r'(?:src|href|action)="(?:https?:)?//', page)
            assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:", page, re.I)
            assert re.findall(r"<script[^>]*>", page) == re.findall(
                r'<script src="/static/page\.js[^>]*>', page
            )


def test_the_database_being_away_is_said(signed_in, engine):
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE instance"))
        connection.execute(text("DROP TABLE mailbox_cursor"))
    assert signed_in.get("/healthz").status_code == 200
    assert signed_in.get("/readyz").status_code == 503
    answer = signed_in.get("/")
    assert answer.status_code == 503
    assert "bazą danych" in answer.text


def test_a_nul_is_refused_before_it_reaches_a_database(signed_in):
    """PostgreSQL's text cannot hold it; without this it would be an error of ours."""
    assert signed_in.get("/?cause=%00").status_code == 400
    assert signed_in.get("/tickets/a%00b").status_code == 400
    form = {"email": "anna\0@sklep.example", "password": "x"}
    headers = {"Sec-Fetch-Site": "same-origin"}
    assert signed_in.post("/sign-in", data=form, headers=headers).status_code == 400
