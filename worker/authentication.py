"""Whether the servers of the shop say that a mail is from whom it says (RFC 8601, RFC 8617).

Only a field that the shop's own server wrote counts: its authserv-id is configured, and it stands
above the first Received field of somebody else. No result is *unknown*, which is no failure; most
providers add none.
"""

import re
from dataclasses import dataclass

from config.addresses import plain_address
from worker.parsed_message import Authenticity, KnownAddresses
from worker.received import BY_HOST
from worker.structure import Part

_COMMENT = re.compile(r"\([^()]{0,2000}\)")
_RESULT = re.compile(
    r"^\s*([a-z0-9-]{1,20})\s*(?:/\s*\d+\s*)?=\s*([a-z]{1,20})\b(.*)$", re.I | re.S
)
_PROPERTY = re.compile(r"([a-z0-9-]{1,20}\.[a-z0-9-]{1,40})\s*=\s*\"?([^\s;\"]{1,320})", re.I)
_POLICY = re.compile(
    r"\bp(?:olicy)?(?:\.[a-z-]{1,40})?\s*[=:]\s*\"?(none|quarantine|reject)\b", re.I
)
_ACTION = re.compile(
    r"\b(?:action|dis|disposition)\s*=\s*\"?(none|quarantine|reject|oreject)\b", re.I
)


@dataclass(frozen=True)
class Authentication:
    """What the shop's server found; ``unknown`` where it says nothing."""

    outcome: Authenticity = "unknown"
    reason: str = ""  # of a failure: rule and sentence
    judged: bool = False  # a server of the shop has looked at it

    @property
    def in_doubt(self) -> bool:
        """Looked at, without anything that speaks for it. Not looked at is no doubt."""
        return self.judged and self.outcome != "pass"


def authentication(root: Part, *, known: KnownAddresses, from_addr: str) -> Authentication:
    """Judge a mail by the newest trusted Authentication-Results field.

    DMARC passes, or SPF or DKIM passes for the domain of From: ``pass``. DMARC fails and the domain
    asks for rejection or quarantine: ``fail``, unless a trusted forwarder's ARC seal says that it
    passed before the forwarding changed it (rules B-A1 to B-A3).
    """
    results = _trusted_results(root, known)
    if results is None:
        return Authentication()
    domain = from_addr.rpartition("@")[2]
    dmarc = next((r for r in results if r.method == "dmarc"), None)
    aligned = any(
        r.result == "pass" and _related(r.domain, domain)
        for r in results
        if r.method in ("dkim", "spf")
    )
    if (dmarc is not None and dmarc.result == "pass") or aligned:
        return Authentication("pass", judged=True)
    if _sealed(root, results, known, domain):
        return Authentication("pass", judged=True)
    if dmarc is not None and dmarc.result in ("fail", "permerror") and dmarc.rejects:
        return Authentication(
            "fail", "B-A2: the sender's domain asks to refuse mail that it did not sign", True
        )
    return Authentication("unknown", judged=True)


@dataclass(frozen=True)
class _Result:
    method: str  # dmarc, dkim, spf, arc
    result: str  # pass, fail, none, ...
    domain: str  # that passed or failed; "" where it is not said
    rejects: bool  # the policy asks for rejection or quarantine


def _trusted_results(root: Part, known: KnownAddresses) -> list[_Result] | None:
    """The results of the topmost field of a server of the shop, or None."""
    if not known.authserv_ids:
        return None
    for name, value in root.fields:
        if name == "received" and known.trusted_hosts:
            host = BY_HOST.search(value)
            if host is None or host[1].lower() not in known.trusted_hosts:
                return None  # what stands below was written before the mail reached the shop
        if name == "authentication-results":
            head, _, rest = value[:8192].partition(";")
            identifier = head.split()[0].lower() if head.split() else ""
            if identifier in known.authserv_ids:
                return _results(rest)
    return None


def _results(text: str) -> list[_Result]:
    found = []
    for part in text.split(";"):
        plain = _COMMENT.sub(" ", part)
        match = _RESULT.match(plain)
        if match is None:
            continue
        method, result = match[1].lower(), match[2].lower()
        properties = {key.lower(): value.lower() for key, value in _PROPERTY.findall(match[3])}
        domain = next(
            (
                properties[key].rpartition("@")[2]
                for key in ("header.d", "header.i", "smtp.mailfrom", "smtp.helo", "header.from")
                if key in properties
            ),
            "",
        )
        policy, action = _POLICY.search(part), _ACTION.search(part)
        rejects = any(m is not None and m[1].lower() != "none" for m in (policy, action))
        found.append(_Result(method, result, domain, rejects))
    return found


def _sealed(root: Part, results: list[_Result], known: KnownAddresses, domain: str) -> bool:
    """Whether a trusted forwarder vouches that the mail had passed when it came to him (B-A3)."""
    if not any(r.method == "arc" and r.result == "pass" for r in results):
        return False
    seals = [dict(_tags(value)) for value in root.all("arc-seal")]
    newest = max(seals, key=lambda seal: _instance(seal.get("i", "")), default={})
    if newest.get("d", "").lower() not in known.trusted_sealers:
        return False
    for value in root.all("arc-authentication-results"):
        instance, _, rest = value[:8192].partition(";")
        if _instance(instance.partition("=")[2]) == 1:
            first = _results(rest.partition(";")[2])
            return any(
                r.result == "pass"
                and (r.method == "dmarc" or (r.method == "dkim" and _related(r.domain, domain)))
                for r in first
            )
    return False


def _tags(value: str) -> list[tuple[str, str]]:
    pairs = (tag.partition("=") for tag in value[:8192].split(";"))
    return [(key.strip().lower(), rest.strip()) for key, _, rest in pairs]


def _instance(text: str) -> int:
    return int(text.strip()) if text.strip().isdigit() else 0


def _related(one: str, other: str) -> bool:
    """Relaxed alignment (RFC 7489 §3.1), without a list of suffixes: one lies in the other."""
    one, other = plain_address(one.strip(".")), plain_address(other.strip("."))
    if not one or not other or "." not in one or "." not in other:
        return False
    return one == other or one.endswith(f".{other}") or other.endswith(f".{one}")
