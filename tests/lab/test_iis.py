"""The web site: denied and missing paths look alike, headers come and go with the picture."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from flexiscan_lab.scenario import Page, Redirector, Site
from flexiscan_lab.scenarios.base import DELIVERED_SITE, HARDENED_SITE
from flexiscan_lab.servers.http_wire import RefusedRequest, Request, Response
from flexiscan_lab.servers.iis import answer, refused
from flexiscan_lab.servers.picture import Setting

SETTING = Setting("flexi.example.test")


def ask(site: Site | Redirector | Page, target: str, method: str = "GET", **options: Any) -> Response:
    host = options.get("host", SETTING.host)
    return answer(site, Request(method, target, "HTTP/1.1", (("host", host),)), SETTING, options.get("tls", True))


def names(response: Response) -> list[str]:
    return [name for name, _ in response.headers]


ADMIN_SPELLINGS = ["/admin", "/admin/", "/ADMIN/", "//admin/", "/./admin/", "/x/../admin/", "/%61dmin/", "\\admin\\"]


@pytest.mark.parametrize("target", [*ADMIN_SPELLINGS, "/admin/index.php", "/admin/xqzrv.php"])
@pytest.mark.parametrize("site", [HARDENED_SITE, replace(DELIVERED_SITE, admin="hidden")])
def test_a_hidden_admin_looks_like_a_missing_page(site: Site, target: str) -> None:
    assert ask(site, target) == ask(site, "/xqzrv/")
    assert ask(site, target).status == 404


@pytest.mark.parametrize("target", ADMIN_SPELLINGS[1:])
def test_an_open_admin_shows_its_login(target: str) -> None:
    response = ask(DELIVERED_SITE, target)
    assert response.status == 200
    assert b"<title>Admital Web</title>" in response.body
    assert b'type="password"' in response.body


@pytest.mark.parametrize(
    ("admin", "status"), [("forbidden", 403), ("unauthorised", 401), ("hidden", 404), ("open", 200)]
)
def test_what_the_address_filter_answers(admin: Any, status: int) -> None:
    assert ask(replace(HARDENED_SITE, admin=admin), "/admin/").status == status


@pytest.mark.parametrize("missing", ["login", "redirect-to-login", "unauthorised"])
def test_every_path_gets_the_same(missing: Any) -> None:
    site = replace(HARDENED_SITE, missing=missing)
    answers = [ask(site, target) for target in ("/admin/", "/Presentity/", "/mobile/", "/xqzrv/", "/")]
    assert len({(response.status, tuple(names(response))) for response in answers}) == 1


def test_an_echoing_page_names_the_path_safely() -> None:
    response = ask(replace(HARDENED_SITE, missing="echo"), "/<b>x")
    assert response.status == 200
    assert b"&lt;b&gt;x" in response.body


def test_a_hardened_site_tells_nothing() -> None:
    for target in ("/Presentity/", "/mobile/", "/Presentity", "/xqzrv", "/mobile/logo.png", "/api/"):
        told = {name.lower() for name in names(ask(HARDENED_SITE, target))}
        assert not told & {"server", "x-powered-by", "x-aspnet-version"}
        assert "strict-transport-security" in told


def test_a_delivered_site_tells_everything() -> None:
    assert ("X-Powered-By", "PHP/7.4.33") in ask(DELIVERED_SITE, "/mobile/").headers
    assert ("X-Powered-By", "ASP.NET") in ask(DELIVERED_SITE, "/mobile/").headers
    assert ("X-AspNet-Version", "2.0.50727") in ask(DELIVERED_SITE, "/Presentity/").headers
    assert ("X-AspNet-Version", "4.0.30319") in ask(DELIVERED_SITE, "/flexistat/").headers
    assert ("Server", "Microsoft-IIS/10.0") in ask(DELIVERED_SITE, "/xqzrv").headers
    assert "Strict-Transport-Security" not in names(ask(DELIVERED_SITE, "/"))


def test_the_courtesy_redirect_follows_the_scheme_iis_sees() -> None:
    assert ("Location", "http://flexi.example.test/Presentity/") in ask(DELIVERED_SITE, "/presentity").headers
    assert ("Location", "https://flexi.example.test/mobile/") in ask(HARDENED_SITE, "/Mobile").headers


def test_unknown_hosts_and_methods() -> None:
    with pytest.raises(RefusedRequest, match="Invalid Hostname"):
        ask(HARDENED_SITE, "/", host="192.0.2.10")
    assert ask(HARDENED_SITE, "/", host="FLEXI.example.test.:443").status == 302
    assert ask(DELIVERED_SITE, "/", host="192.0.2.10").status == 302
    assert ask(HARDENED_SITE, "/", method="TRACE") == ask(HARDENED_SITE, "/xqzrv")
    assert ask(DELIVERED_SITE, "/", method="FLEX").status == 405


def test_the_kernel_signs_its_own_refusals() -> None:
    problem = RefusedRequest(400, "Bad Request - Invalid URL")
    assert ("Server", "Microsoft-HTTPAPI/2.0") in refused(DELIVERED_SITE, problem).headers
    assert "Server" not in names(refused(HARDENED_SITE, problem))


@pytest.mark.parametrize("target", ["/", "/Presentity/x%20y/?a=1&b=%2F", "/..%2f"])
def test_a_redirect_keeps_path_and_query(target: str) -> None:
    response = ask(Redirector(), target, tls=False)
    assert response.status == 301
    assert response.headers == (("Location", f"https://flexi.example.test{target}"),)


def test_redirects_of_other_kinds() -> None:
    elsewhere = Setting("flexi.example.test", 8080, 8443)
    request = Request("GET", "/a", "HTTP/1.1", (("host", "evil.example"),))
    assert ("Location", "https://flexi.example.test:8443/a") in answer(Redirector(), request, elsewhere, False).headers
    trusting = Redirector(location="https://{asked}{target}")
    assert ("Location", "https://evil.example/a") in answer(trusting, request, elsewhere, False).headers
    only_root = Redirector(only_root=replace(HARDENED_SITE, admin="open"))
    assert ask(only_root, "/?x", tls=False).status == 301
    assert ask(only_root, "/admin/", tls=False).status == 200


def test_a_single_page() -> None:
    page = Page("Datatal CTStack Configuration", "menu")
    assert b"<title>Datatal CTStack Configuration</title>" in ask(page, "/").body
    assert ask(page, "/other").status == 404
