"""Made-up sites for the web rules: the good one, and one for each trap."""

from __future__ import annotations

import html
import itertools
import random
from collections.abc import Callable

from tests.policy.web_world import HOST, Asked, Reply, Site

HTML = ("Content-Type", "text/html; charset=utf-8")
NOT_FOUND_TEXT = "<h1>404</h1><p>The page you asked for is not here, may have moved, or never was.</p>"
LOGIN_TEXT = (
    "<html><head><title>{title}</title></head><body><form method=post>"
    "<input name=user><input type=password name=password></form></body></html>"
)
ADMIN_LOGIN = LOGIN_TEXT.format(title="Sign on") + "<p>User type, domain name, language, version of the system</p>"
NAMED_LOGIN = LOGIN_TEXT.format(title="Admital Web")
PHP = ("Set-Cookie", "PHPSESSID=0a1b2c3d4e5f6a7b; path=/")


def missing(asked: Asked) -> Reply:
    """The good site's page for what is not there."""
    return Reply(404, NOT_FOUND_TEXT, (HTML,))


def good(asked: Asked) -> Reply:
    """A host as the guide wants it: the published applications, and 404 for the rest."""
    if asked.path == "/":
        return Reply(302, "", (HTML, ("Location", "/Presentity/")))
    if asked.path == "/%":
        return Reply(400, "<h2>Bad Request</h2>", (HTML,))
    if asked.path == "/Presentity":
        return Reply(301, "", (HTML, ("Location", f"https://{HOST}/Presentity/")))
    if asked.path == "/Presentity/":
        page = LOGIN_TEXT.format(title="Presentity") + '<input type="hidden" name="__VIEWSTATE" value="aGVq">'
        return Reply(200, page, (HTML,))
    if asked.path == "/mobile/":
        return Reply(200, "<?xml version='1.0'?><mobile><error>No ticket</error></mobile>", (HTML, PHP))
    if asked.path == "/tidweb/":
        return Reply(200, "<html><title>FlexiTid</title><body>Book a time</body></html>", (HTML, PHP))
    if asked.path == "/api/":
        return Reply(401, '{"error":"A valid ticket is required."}', (("Content-Type", "application/json"),))
    return missing(asked)


HSTS = ("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
PROTECTION = (("X-Content-Type-Options", "nosniff"), ("X-Frame-Options", "SAMEORIGIN"))
SESSION = ("Set-Cookie", "PHPSESSID=secret4711; path=/; Secure; HttpOnly; SameSite=Lax")


def sound(asked: Asked) -> Reply:
    """The good site with everything that goes beyond the guide as well."""
    reply = good(asked)
    kept = tuple(header for header in reply.headers if header[0] != "Set-Cookie")
    extra = (HSTS, *PROTECTION) if asked.path != "/%" else ()
    cookies = (SESSION,) if len(kept) != len(reply.headers) else ()
    return Reply(reply.status, reply.body, (*kept, *extra, *cookies))


def is_admin(asked: Asked) -> bool:
    """Whether the request is for the administration web, as IIS reads paths."""
    return asked.path.lower() == "/admin" or asked.path.lower().startswith("/admin/")


def with_admin(reply: Reply, site: Site = good) -> Site:
    """A site that gives this reply under /admin."""
    return lambda asked: reply if is_admin(asked) else site(asked)


def with_missing(answer: Site, *, admin: Site | None = None) -> Site:
    """The good site with another page for what is not there; /admin is missing unless said otherwise."""

    def site(asked: Asked) -> Reply:
        if is_admin(asked):
            return (admin or answer)(asked)
        reply = good(asked)
        return answer(asked) if reply == missing(asked) else reply

    return site


def always(reply: Reply) -> Site:
    """A site that gives the same reply to everything."""
    return lambda _: reply


def banning(after: int, reply: Reply, site: Site = good) -> Site:
    """From one request on, the same reply to everything."""
    return lambda asked: site(asked) if asked.number <= after else reply


def to_https(status: int = 301) -> Site:
    """The redirector: every path to the same path in TLS."""
    return lambda asked: Reply(status, "", (("Location", f"https://{HOST}{asked.target}"),))


def echoing(asked: Asked) -> Reply:
    """A page for every path that shows the path in several ways, a time and a token."""
    noise = random.Random(asked.number)
    body = (
        f"<html><head><title>Page {html.escape(asked.path)}</title></head><body><h1>Welcome</h1>"
        f"<p>You are at {html.escape(asked.target)} ({asked.path[::-1]}).</p><p>{noise.getrandbits(64):016x}</p>"
        f"<p>Served on Mon, 0{noise.randint(1, 9)} Jan 2024 1{noise.randint(0, 9)}:00:00 GMT</p>"
        "<p>Some words that stay the same whatever is asked for, as on most pages of this kind.</p></body></html>"
    )
    return Reply(200, body, (HTML,))


WORDS = "voice queue agent mailbox transfer greeting divert operator call presence line network server customer branch"


def dynamic(asked: Asked) -> Reply:
    """A page for every path, a part of which is chosen anew every time."""
    noise = random.Random(asked.number * 7919 + len(asked.target))
    words = WORDS.split()
    fixed = " ".join(f"{a} {b} page" for a, b in itertools.permutations(words[:6], 2))
    body = f"<html><title>Portal</title><body>{fixed} <p>{' '.join(noise.sample(words, 4))}</p></body></html>"
    return Reply(200, body, (HTML,))


def noisy(site: Site, seed: int, trouble: float = 0.03) -> Site:
    """Times, tokens, header order, and now and then a 503, a lost answer or a slow one."""
    source = random.Random(seed)

    def answer(asked: Asked) -> Reply:
        chance = source.random()
        if chance < trouble / 2:
            return Reply(503, "<h1>Service Unavailable</h1>", (HTML,))
        if chance < trouble:
            return Reply(outcome="timeout")
        reply = site(asked)
        extra = [("Date", f"t{source.random()}"), ("X-Request-Id", f"{source.getrandbits(64):x}"), ("Age", "1")]
        chosen = source.sample(extra, source.randint(0, 3))
        headers = list(reply.headers) + chosen
        if source.random() < 0.3:
            source.shuffle(headers)
        body = reply.body.replace("</", f"<!-- {source.getrandbits(40):010x} --></", 1)
        if reply.outcome != "response":
            return reply
        return Reply(reply.status, body, tuple(headers))

    return answer


def either(choose: Callable[[Asked], bool], yes: Site, no: Site) -> Site:
    """One of two sites, by the request."""
    return lambda asked: yes(asked) if choose(asked) else no(asked)
