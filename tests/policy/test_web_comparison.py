"""The parts of the comparison: what is taken out, what stays, and that hostile text costs no time."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flexiscan.model.facts import HttpExchange
from flexiscan.policy.web.classes import classify, is_block_page
from flexiscan.policy.web.fingerprint import Baseline, baseline, fingerprint, similarity
from flexiscan.policy.web.handlers import cookie_names, handlers_of
from flexiscan.policy.web.location import destination, relation
from flexiscan.policy.web.normalise import title_of, words_of
from flexiscan.policy.web.telling import load_telling_headers

HOST = "flexi.example.test"
NAMES = frozenset({HOST, "192.0.2.10"})
KEPT_CHARACTERS = 16 * 1024
BUDGET_S = 3.0
"""Of processor time, on a slow machine; a quadratic expression takes many times that."""


def answer(
    body: str = "", *headers: tuple[str, str], target: str = "/admin/", status: int = 200, scheme: str = "https"
) -> HttpExchange:
    return HttpExchange.model_validate(
        {
            "scheme": scheme,
            "method": "GET",
            "target": target,
            "host": HOST,
            "outcome": "response",
            "status": status,
            "headers": headers,
            "body_text": body,
        }
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("at 12:30 on Mon, 01 Jan 2024", "at 09:01 on Tuesday, 3 Feb 2025"),
        ("id 6f9619ff-8b86-d011-b42d-00c04fc964ff", "id 00000000-8b86-d011-b42d-00c04fc964ff"),
        (
            '<input type="hidden" name="__VIEWSTATE" value="aGVsbG8=">',
            '<input type="hidden" name="__VIEWSTATE" value="x">',
        ),
        ('<script nonce="abc">', '<script nonce="defg">'),
        ("token 0123456789abcdef", "token fedcba98"),
        ("session dGhpcyBpcyBhIGxvbmcgdG9rZW4x end", "session c29tZXRoaW5nIGVsc2UgYXQgYWxsMTIz end"),
        ("visitor 17 of 230", "visitor 18 of 231"),
    ],
)
def test_takes_out_what_changes(one: str, other: str):
    assert words_of(one, "/x/") == words_of(other, "/x/")


@pytest.mark.parametrize(
    "page",
    [
        "No page {path} here",
        "No page {upper} here",
        "No page {encoded} here",
        "No page {reversed} here",
        "No page {windows} here",
        'Go <a href="{path}?back=1">back</a> to {path}',
    ],
)
def test_takes_out_the_echo(page: str):
    def shown(path: str) -> str:
        return page.format(
            path=path,
            upper=path.upper(),
            encoded=path.replace("/", "%2F"),
            reversed=path[::-1],
            windows=path.replace("/", "\\"),
        )

    assert words_of(shown("/admin/"), "/admin/") == words_of(shown("/qwert/"), "/qwert/")


def test_keeps_what_says_something():
    assert {"log", "in"} <= set(words_of("<h1>Log in</h1>", "/x/"))
    assert words_of("Welcome to voice mail", "/x/") != words_of("Page not found", "/x/")


def test_titles():
    assert title_of("<html><TITLE lang=en>\n A &amp;  B <!-- 7 --></TITLE>") == "A & B"
    assert title_of("no title") == ""


def test_similarity_is_one_for_itself_and_low_for_strangers():
    page = fingerprint(answer("One two three four five six seven", ("Server", "x")))
    other = fingerprint(answer("Eight nine ten eleven twelve thirteen", ("X-Other", "y")))
    assert similarity(page, page) == 1.0
    assert similarity(page, other) < 0.2


@pytest.mark.parametrize(
    ("changed", "likeness"),
    [
        (answer("Not here, sorry, not at all"), "same"),
        (answer("Not here, sorry, not at all", ("Date", "x"), ("ETag", "y")), "same"),
        (answer("Not here, sorry, not at all", status=404), "different"),
        (answer("Not here, sorry, not at all", ("Server", "other")), "near"),
        (answer("Something else that is quite another page"), "different"),
        (answer('Not here, sorry, not at all <input type="password">'), "different"),
        (answer("Not here, sorry, not at all", ("Location", "/y")), "different"),
    ],
)
def test_likeness(changed: HttpExchange, likeness: str):
    controls = [fingerprint(answer("Not here, sorry, not at all", target=t)) for t in ("/abcde/", "/fghij/")]
    assert baseline(controls).compare(fingerprint(changed)) == likeness


def test_noise_widens_the_circle_and_too_much_of_it_says_nothing():
    fixed = " ".join(f"word{a}{b}" for a in "abcdef" for b in "ghijk")
    quiet = baseline(fingerprint(answer(f"{fixed} {c}")) for c in ("one", "one"))
    noisy = baseline(fingerprint(answer(f"{fixed} {c}")) for c in ("red green blue", "cat dog bird"))
    other = fingerprint(answer(f"{fixed} sun moon star"))
    assert quiet.compare(other) == "near"
    assert noisy.compare(other) == "same"
    assert noisy.stable
    assert not baseline(fingerprint(answer(c * 3)) for c in ("a b c d e f ", "g h i j k l ")).stable
    assert not Baseline((), 1.0, frozenset()).stable


@pytest.mark.parametrize(
    ("location", "target", "scheme", "expected"),
    [
        ("https://flexi.example.test/admin/", "/admin/", "http", "https"),
        ("https://FLEXI.example.test.:443/x", "/admin/", "http", "https"),
        ("https://192.0.2.10/admin/", "/admin/", "http", "https"),
        ("https://other.example.test/", "/admin/", "http", "other"),
        ("/admin/", "/admin", "https", "slash"),
        ("http://flexi.example.test/admin/", "/admin", "https", "slash"),
        ("login.php", "/admin/", "https", "below"),
        ("/admin/start", "/admin", "https", "below"),
        ("/Presentity/", "/admin/", "https", "same"),
        ("/administrators/", "/admin", "https", "same"),
        ("//other.example.test/x", "/admin", "https", "other"),
        ("ftp://flexi.example.test/", "/admin", "https", ""),
        ("http://[::1/", "/admin", "https", ""),
        ("https://flexi.example.test:99999/", "/admin", "https", ""),
    ],
)
def test_where_a_redirect_leads(location: str, target: str, scheme: str, expected: str):
    assert relation(answer("", ("Location", location), status=302, target=target, scheme=scheme), NAMES) == expected


def test_no_destination_without_a_redirect():
    assert destination(answer("", ("Location", "/x"), status=200)) is None
    assert destination(answer("", status=302)) is None


@pytest.mark.parametrize(
    ("exchange", "handlers"),
    [
        (answer("", ("X-Powered-By", "PHP/5.4")), {"php"}),
        (answer("", ("X-Powered-By", "ASP.NET")), set()),
        (answer("", ("Set-Cookie", "PHPSESSID=1; path=/")), {"php"}),
        (answer("", ("Expires", "Thu, 19 Nov 1981 08:52:00 GMT")), {"php"}),
        (answer("No input file specified.\n"), {"php"}),
        (answer("", ("Set-Cookie", "ASP.NET_SessionId=abc")), {"aspnet"}),
        (answer('<input name="__VIEWSTATE" value="">'), {"aspnet"}),
        (answer("", ("X-AspNet-Version", "2.0")), {"aspnet"}),
        (answer("plain"), set()),
    ],
)
def test_signs_of_handlers(exchange: HttpExchange, handlers: set[str]):
    assert handlers_of(exchange) == handlers


def test_cookie_names_without_their_changing_parts():
    cookies = (("Set-Cookie", "b=1"), ("Set-Cookie", "ASPSESSIONIDQABCDEFG=1"), ("Set-Cookie", "srv0a1b2c3d=1"))
    assert cookie_names(answer("", *cookies)) == ("ASPSESSIONID#", "b", "srv#")


@pytest.mark.parametrize(
    ("text", "is_block"),
    [
        ("The requested URL was rejected. Please consult your administrator. Your support ID is: 1234567890", True),
        ("Access denied. You have been blocked by the web application firewall.", True),
        ("Sorry, you have been blocked. Cloudflare Ray ID: 8a7b6c5d4e", True),
        ("403 - Forbidden: Access is denied. You do not have permission to view this directory or page.", False),
        ("404 - File or directory not found. The resource might have been removed.", False),
        ("Welcome. Contact support: ID card needed. Our firewall keeps you safe.", False),
        ("", False),
    ],
)
def test_block_pages(text: str, is_block: bool):
    assert is_block_page(answer(text)) is is_block


@given(st.text(max_size=400), st.sampled_from([200, 302, 404, 500]), st.text(max_size=40))
def test_any_text_is_read(body: str, status: int, value: str):
    headers = (("Location", value), ("Set-Cookie", value), ("Server", value), ("Via", value))
    exchange = answer(body, *headers, status=status)
    print_of_page = fingerprint(exchange)
    assert baseline([print_of_page, print_of_page]).includes(print_of_page)
    assert classify(exchange, NAMES)
    assert len(load_telling_headers().found_in(exchange)) <= len(headers)


@pytest.mark.parametrize(
    "piece",
    [
        "<input ",
        "<input name=__a ",
        "<input type",
        "\n",
        " ",
        "a",
        "a" * 15 + " ",
        "1a",
        "Warning</b>: ",
        "Fatal error ",
        "request ",
        "blocked by ",
        "support id ",
        "support id" + " " * 300,
        "<title>",
        "<!--",
        "<meta ",
        "Version Information: ",
        "%2F",
        "0" * 31 + "-",
    ],
)
def test_hostile_text_costs_no_time(piece: str):
    text = (piece * KEPT_CHARACTERS)[:KEPT_CHARACTERS]
    long = (piece.strip() or "-") * 4000
    began = time.process_time()
    exchange = answer(text, ("Server", long), ("Via", long), ("Location", long), ("Set-Cookie", long), status=302)
    fingerprint(exchange)
    classify(exchange, NAMES)
    classify(answer(text, status=500), NAMES)
    load_telling_headers().found_in(exchange)
    assert time.process_time() - began < BUDGET_S
