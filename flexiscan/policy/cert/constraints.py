"""Name constraints of an authority (RFC 5280 4.2.1.10), for the kinds of names that matter to a server."""

from __future__ import annotations

from collections.abc import Iterable

from cryptography import x509

from flexiscan.policy.cert.certificate import Certificate


def breaks_constraints(certificate: Certificate, authority: Certificate) -> bool:
    """Whether the certificate carries a name that the authority may not issue for."""
    try:
        constraints = authority.extensions.get_extension_for_class(x509.NameConstraints).value
    except x509.ExtensionNotFound:
        return False
    permitted, excluded = constraints.permitted_subtrees or (), constraints.excluded_subtrees or ()
    for name in _names_of(certificate):
        if any(_lies_within(name, tree) for tree in excluded):
            return True
        same_kind = [tree for tree in permitted if isinstance(tree, type(name))]
        if same_kind and not any(_lies_within(name, tree) for tree in same_kind):
            return True
    return False


def _names_of(certificate: Certificate) -> list[x509.GeneralName]:
    names: list[x509.GeneralName] = [x509.IPAddress(address) for address in certificate.ip_addresses]
    names += [x509.DNSName(name) for name in certificate.dns_names if name.isascii()]
    if certificate.parsed.subject.rdns:
        names.append(x509.DirectoryName(certificate.parsed.subject))
    return names


def _lies_within(name: x509.GeneralName, tree: x509.GeneralName) -> bool:
    match name, tree:
        case x509.DNSName(), x509.DNSName():
            return _dns_within(name.value, tree.value)
        case x509.IPAddress(), x509.IPAddress():
            return name.value.version == tree.value.version and name.value in tree.value  # type: ignore[operator]
        case x509.DirectoryName(), x509.DirectoryName():
            return _begins_with(name.value.rdns, tree.value.rdns)
    return False


def _dns_within(name: str, tree: str) -> bool:
    """A constraint "example.com" holds for itself and all below; with a leading dot for all below alone."""
    wanted, root = name.lower().rstrip("."), tree.lower().rstrip(".")
    if not root:
        return True
    if root.startswith("."):
        return wanted.endswith(root)
    return wanted == root or wanted.endswith("." + root)


def _begins_with(
    name: Iterable[x509.RelativeDistinguishedName], beginning: Iterable[x509.RelativeDistinguishedName]
) -> bool:
    parts, wanted = list(name), list(beginning)
    return parts[: len(wanted)] == wanted
