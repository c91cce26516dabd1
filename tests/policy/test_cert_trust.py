"""Trust and its causes, chain by chain, with `openssl verify` as the judge of what clients accept."""

from __future__ import annotations

import ipaddress
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import ExtendedKeyUsageOID

from flexiscan.policy.cert.anchors import read_anchors
from flexiscan.policy.cert.certificate import Certificate, read_certificate
from flexiscan.policy.cert.trust import judge_trust
from tests.policy.cert_chains import HOST, NOW, Issued, Wish, intermediate, issue, leaf, name, root, sign_again

OPENSSL = shutil.which("openssl")


@dataclass
class Scene:
    """What a server sends, and what is trusted."""

    sent: Sequence[Issued]
    anchors: Sequence[Issued]
    result: str
    partial: bool = False
    """The anchor is no root; OpenSSL's command must be told that this is meant."""
    openssl_accepts: bool | None = None
    """None: it agrees with us."""


def good() -> Scene:
    top = root()
    middle = intermediate(top)
    return Scene([leaf(middle), middle], [top], "trusted")


def misordered() -> Scene:
    top = root()
    first = intermediate(top, "First")
    second = intermediate(first, "Second")
    return Scene([leaf(second), first, second], [top], "trusted")


def with_root() -> Scene:
    top = root()
    middle = intermediate(top)
    return Scene([leaf(middle), middle, top], [top], "trusted")


def directly_under_the_root() -> Scene:
    top = root()
    return Scene([leaf(top)], [top], "trusted")


def doubled_and_with_a_stranger() -> Scene:
    top = root()
    middle = intermediate(top)
    return Scene([leaf(middle), middle, middle, root("Stranger")], [top], "trusted")


def no_key_identifiers() -> Scene:
    top = root(identifiers=False)
    middle = intermediate(top, identifiers=False)
    return Scene([leaf(middle, identifiers=False), middle], [top], "trusted")


def lifetime_of_825_days() -> Scene:
    top = root()
    return Scene([leaf(top, starts_days=-10, ends_days=815)], [top], "trusted")


def wildcard_name() -> Scene:
    top = root()
    return Scene([leaf(top, dns=["*.example.test"])], [top], "trusted")


def address_name() -> Scene:
    top = root()
    return Scene([leaf(top, dns=[], ips=["192.0.2.10", "2001:db8::10"])], [top], "trusted")


def no_alternative_name_and_no_purpose() -> Scene:
    top = root()
    return Scene([leaf(top, dns=[], purposes=None)], [top], "trusted")


def any_purpose() -> Scene:
    top = root()
    server = leaf(top, purposes=[ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE])
    return Scene([server], [top], "not-for-servers")


def cross_signed_by_an_unknown_root() -> Scene:
    """The new root is trusted; the server sends its cross certificate from an old root that is not."""
    old, new = root("Old root"), root("New root")
    cross = intermediate(old, subject=new.certificate.subject, key_name="New root")
    middle = intermediate(new)
    return Scene([leaf(middle), middle, cross], [new], "trusted")


def cross_signed_towards_an_expired_root() -> Scene:
    """As when DST Root CA X3 ended: one way leads to an expired anchor, the other to a good one."""
    old, new = root("Old root", ends_days=-5), root("New root")
    cross = intermediate(old, subject=new.certificate.subject, key_name="New root")
    middle = intermediate(new)
    return Scene([leaf(middle), middle, cross], [old, new], "trusted")


def expired_copy_of_a_renewed_root() -> Scene:
    """Same name and key; the server sends the old self-signed one, the store has the new one."""
    old, new = root("Renewed", ends_days=-5), root("Renewed")
    middle = intermediate(new)
    return Scene([leaf(middle), middle, old], [new], "trusted")


def two_authorities_of_one_name() -> Scene:
    top = root()
    right = intermediate(top, "Twin", key_name="right")
    wrong = intermediate(top, "Twin", key_name="wrong")
    return Scene([leaf(right), wrong, right], [top], "trusted")


def name_in_another_string_type_and_case() -> Scene:
    top = root(subject=name("Some Root", string_type=_ASN1Type.UTF8String))
    other = name("SOME  root", string_type=_ASN1Type.PrintableString)
    return Scene([leaf(top, issuer_name=other)], [top], "trusted")


def anchor_that_is_an_intermediate() -> Scene:
    middle = intermediate(root())
    return Scene([leaf(middle), middle], [middle], "trusted", partial=True)


def pinned_self_signed() -> Scene:
    own = issue(Wish(name(HOST), "Pinned", dns=[HOST]))
    return Scene([own], [own], "trusted", partial=True)


def names_permitted() -> Scene:
    top = root()
    middle = intermediate(
        top,
        permitted=[x509.DNSName("example.test"), x509.IPAddress(ipaddress.ip_network("192.0.2.0/24"))],
        excluded=[x509.DNSName("secret.example.test")],
    )
    return Scene([leaf(middle, ips=["192.0.2.10"]), middle], [top], "trusted")


def directory_name_permitted() -> Scene:
    top = root()
    organisation = x509.Name([x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, "Test")])
    middle = intermediate(top, permitted=[x509.DirectoryName(organisation)])
    return Scene([leaf(middle), middle], [top], "trusted")


def rsa_pss_chain() -> Scene:
    top = root("PSS root", key_kind="rsa2048", pss=True)
    return Scene([leaf(top, pss=True)], [top], "trusted")


def rsa_chain() -> Scene:
    top = root("RSA root", key_kind="rsa2048")
    return Scene([leaf(top, key_name="RSA leaf", key_kind="rsa2048")], [top], "trusted")


def ed25519_chain() -> Scene:
    top = root("Ed root", key_kind="ed25519")
    return Scene([leaf(top)], [top], "trusted")


def root_signed_with_sha1() -> Scene:
    plain = root("RSA root", key_kind="rsa2048")
    top = sign_again(plain, plain, "sha1")
    return Scene([leaf(top)], [top], "trusted")


def expired_leaf() -> Scene:
    """Its dates are another rule's matter; the authority behind it was sound while it lasted."""
    top = root()
    return Scene([leaf(top, ends_days=-3)], [top], "trusted", openssl_accepts=False)


def self_signed() -> Scene:
    return Scene([issue(Wish(name(HOST), "Self", dns=[HOST]))], [root()], "self-signed")


def leaf_only() -> Scene:
    top = root()
    return Scene([leaf(intermediate(top))], [top], "chain-incomplete")


def one_of_two_intermediates_missing() -> Scene:
    top = root()
    first = intermediate(top, "First")
    second = intermediate(first, "Second")
    return Scene([leaf(second), second], [top], "chain-incomplete")


def private_authority() -> Scene:
    mine = root(subject=name("Mine", "Private"), key_name="Mine")
    middle = intermediate(mine, subject=name("Middle", "Private"), key_name="Middle")
    return Scene([leaf(middle), middle, mine], [root()], "unknown-issuer")


def private_authority_without_its_root() -> Scene:
    mine = root(subject=name("Mine", "Private"), key_name="Mine")
    middle = intermediate(mine, subject=name("Middle", "Private"), key_name="Middle")
    return Scene([leaf(middle), middle], [root()], "unknown-issuer")


def impostor_of_the_root() -> Scene:
    top, fake = root(), root(key_name="Fake")
    middle = intermediate(fake)
    return Scene([leaf(middle), middle, fake], [top], "unknown-issuer")


def issued_by_a_leaf() -> Scene:
    top = root()
    evil = leaf(top, key_name="Evil", subject=name("evil.example.test"))
    return Scene([leaf(evil), evil], [top], "not-an-authority")


def issued_by_something_without_basic_constraints() -> Scene:
    top = root()
    evil = leaf(top, key_name="Evil", subject=name("evil.example.test"), ca=None)
    return Scene([leaf(evil), evil], [top], "not-an-authority")


def path_too_long() -> Scene:
    top = root(path_length=0)
    middle = intermediate(top)
    return Scene([leaf(middle), middle], [top], "not-an-authority")


def authority_that_may_not_sign() -> Scene:
    top = root()
    middle = intermediate(top, may_sign=False)
    return Scene([leaf(middle), middle], [top], "not-an-authority")


def expired_intermediate() -> Scene:
    top = root()
    middle = intermediate(top, ends_days=-1)
    return Scene([leaf(middle), middle], [top], "authority-expired")


def expired_root() -> Scene:
    top = root(ends_days=-1)
    return Scene([leaf(top)], [top], "authority-expired")


def intermediate_of_tomorrow() -> Scene:
    top = root()
    middle = intermediate(top, starts_days=1)
    return Scene([leaf(middle), middle], [top], "authority-not-yet-valid")


def for_clients_only() -> Scene:
    top = root()
    return Scene([leaf(top, purposes=[ExtendedKeyUsageOID.CLIENT_AUTH])], [top], "not-for-servers")


def authority_for_mail_only() -> Scene:
    top = root()
    middle = intermediate(top, purposes=[ExtendedKeyUsageOID.EMAIL_PROTECTION])
    return Scene([leaf(middle), middle], [top], "not-for-servers")


def signed_with_sha1() -> Scene:
    top = root("RSA root", key_kind="rsa2048")
    return Scene([sign_again(leaf(top), top, "sha1")], [top], "weak-signature")


def signed_with_md5() -> Scene:
    top = root("RSA root", key_kind="rsa2048")
    return Scene([sign_again(leaf(top), top, "md5")], [top], "weak-signature")


def intermediate_signed_with_sha1() -> Scene:
    top = root("RSA root", key_kind="rsa2048")
    middle = sign_again(intermediate(top), top, "sha1")
    return Scene([leaf(middle), middle], [top], "weak-signature")


def name_outside_of_the_constraint() -> Scene:
    top = root()
    middle = intermediate(top, permitted=[x509.DNSName("other.test")])
    return Scene([leaf(middle), middle], [top], "name-not-permitted")


def name_excluded() -> Scene:
    top = root()
    middle = intermediate(top, excluded=[x509.DNSName("example.test")])
    return Scene([leaf(middle), middle], [top], "name-not-permitted")


def address_outside_of_the_constraint() -> Scene:
    top = root()
    middle = intermediate(top, permitted=[x509.IPAddress(ipaddress.ip_network("198.51.100.0/24"))])
    return Scene([leaf(middle, dns=[], ips=["192.0.2.10"]), middle], [top], "name-not-permitted")


def critical_extension_that_nobody_knows() -> Scene:
    top = root()
    return Scene([leaf(top, critical_unknown=True)], [top], "unknown-critical-extension")


SCENES: tuple[Callable[[], Scene], ...] = (
    good, misordered, with_root, directly_under_the_root, doubled_and_with_a_stranger, no_key_identifiers,
    lifetime_of_825_days, wildcard_name, address_name, no_alternative_name_and_no_purpose, any_purpose,
    cross_signed_by_an_unknown_root, cross_signed_towards_an_expired_root, expired_copy_of_a_renewed_root,
    two_authorities_of_one_name, name_in_another_string_type_and_case, anchor_that_is_an_intermediate,
    pinned_self_signed, names_permitted, directory_name_permitted, rsa_pss_chain, rsa_chain, ed25519_chain,
    root_signed_with_sha1, expired_leaf, self_signed, leaf_only, one_of_two_intermediates_missing,
    private_authority, private_authority_without_its_root, impostor_of_the_root, issued_by_a_leaf,
    issued_by_something_without_basic_constraints, path_too_long, authority_that_may_not_sign,
    expired_intermediate, expired_root, intermediate_of_tomorrow, for_clients_only, authority_for_mail_only,
    signed_with_sha1, signed_with_md5, intermediate_signed_with_sha1, name_outside_of_the_constraint, name_excluded,
    address_outside_of_the_constraint, critical_extension_that_nobody_knows,
)  # fmt: skip


def certificates(issued: Sequence[Issued]) -> tuple[Certificate, ...]:
    found = tuple(read_certificate(one.der) for one in issued)
    assert all(found)
    return tuple(certificate for certificate in found if certificate is not None)


@pytest.mark.parametrize("make", SCENES, ids=lambda make: make.__name__)
def test_trust_has_the_right_cause(make: Callable[[], Scene]) -> None:
    scene = make()
    anchors = read_anchors("".join(one.pem for one in scene.anchors))
    result, params = judge_trust(certificates(scene.sent), anchors, NOW)
    assert result == scene.result
    assert params["subject"]


@pytest.mark.skipif(OPENSSL is None, reason="openssl is not installed")
@pytest.mark.parametrize("make", SCENES, ids=lambda make: make.__name__)
def test_openssl_agrees(make: Callable[[], Scene], tmp_path: Path) -> None:
    scene = make()
    expected = scene.result == "trusted" if scene.openssl_accepts is None else scene.openssl_accepts
    assert openssl_verifies(scene, tmp_path) == expected


def openssl_verifies(scene: Scene, folder: Path) -> bool:
    """`openssl verify` for a server's purpose, at security level 1: what ordinary clients built on it do."""
    assert OPENSSL is not None
    files = {"anchors": scene.anchors, "sent": scene.sent[1:], "leaf": scene.sent[:1]}
    for label, issued in files.items():
        (folder / f"{label}.pem").write_text("".join(one.pem for one in issued))
    command = [OPENSSL, "verify", "-no-CApath", "-no-CAstore", "-purpose", "sslserver", "-auth_level", "1"]
    command += ["-attime", str(int(NOW.timestamp())), "-CAfile", "anchors.pem"]
    command += ["-partial_chain"] if scene.partial else []
    command += ["-untrusted", "sent.pem"] if scene.sent[1:] else []
    done = subprocess.run([*command, "leaf.pem"], cwd=folder, capture_output=True, check=False)
    return done.returncode == 0


def test_a_missing_intermediate_is_named() -> None:
    scene = one_of_two_intermediates_missing()
    anchors = read_anchors("".join(one.pem for one in scene.anchors))
    _, params = judge_trust(certificates(scene.sent), anchors, NOW)
    assert params["missing"] == "CN=First,O=Test"


def test_a_maze_of_certificates_ends() -> None:
    """Many authorities of one name and key that all issued each other: the search is cut off, and not a pass."""
    maze = [root(key_name="Maze", label="Maze") for _ in range(40)]
    server = leaf(maze[0])
    result, _ = judge_trust(certificates([server, *maze]), read_anchors(root("Other").pem), NOW)
    assert result in ("too-many-paths", "unknown-issuer")


def test_a_bundle_may_hold_text_and_rubbish() -> None:
    top = root()
    pem = "# my authorities\n" + top.pem + "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\nmore"
    anchors = read_anchors(pem)
    assert sum(map(len, anchors.by_subject.values())) == 1
    assert not read_anchors("nothing at all").by_subject
