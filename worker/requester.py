"""Whom a ticket belongs to when From is somebody who handed the mail on (rules B-F1 to B-F6)."""

from dataclasses import dataclass

from worker.headers import Address, addresses, strict_address
from worker.parsed_message import ForwardedMessage, KnownAddresses, RequesterSource, in_domains
from worker.structure import Part


@dataclass(frozen=True)
class Requester:
    addr: str  # "" where nobody is named
    source: RequesterSource
    doubt: str | None = None  # why no mail may go there before a person confirmed it


def requester(
    root: Part,
    *,
    known: KnownAddresses,
    senders: tuple[Address, ...],
    reply_to: tuple[Address, ...],
    forwarded: ForwardedMessage | None,
) -> Requester:
    """The requester of a mail; senders and reply_to are the mailboxes of From and Reply-To.

    A forward by somebody who is not a trusted forwarder belongs to the forwarder.
    """
    with_address = [s.addr for s in senders if s.addr]
    sender = with_address[0] if with_address else ""
    answer_to = reply_to[0].addr if len(reply_to) == 1 else ""
    if sender and sender in known.contact_forms:
        if answer_to and not known.is_own(answer_to):
            return Requester(answer_to, "form")
        return Requester("", "none", "B-F5: the form names no single customer in Reply-To")
    if original := _behind_group(root, senders, answer_to, known):
        return original
    if sender and in_domains(sender, known.relays):
        return Requester(sender, "relay")
    if forwarded is not None and known.is_trusted_forwarder(sender):
        return _forwarded_requester(forwarded, known)
    if not sender:
        return Requester("", "none", "B-D2: From names no address")
    doubt = "B-D2: From names several addresses" if len(with_address) > 1 else None
    # Elsewhere Reply-To is followed only within the organisation of the sender (B-D3).
    if answer_to and answer_to != sender and same_organisation(answer_to, sender):
        return Requester(answer_to, "reply_to", doubt)
    return Requester(sender, "from", doubt)


def _forwarded_requester(forwarded: ForwardedMessage, known: KnownAddresses) -> Requester:
    forwarded = forwarded.origin or forwarded
    if not forwarded.from_addr:
        return Requester("", "none", "B-F6: the forwarded mail names no address")
    if known.is_own(forwarded.from_addr):
        return Requester(
            forwarded.from_addr, "forward", "B-F6: the forwarded mail is the shop's own"
        )
    doubt = None if forwarded.complete else "B-F6: the forwarded header is not complete"
    return Requester(forwarded.from_addr, "forward", doubt)


def _behind_group(
    root: Part, senders: tuple[Address, ...], answer_to: str, known: KnownAddresses
) -> Requester | None:
    """The author of a mail whose From a group has rewritten to "Jan via Reklamacje <group@...>"."""
    sender = senders[0].addr if senders else ""
    original = _original_sender(root)
    if sender in known.groups or _named_in(root, known.groups):
        found = original or answer_to
        return Requester(found, "group") if found else None
    # A group that is not configured: its author is believed only where two fields agree.
    rewritten = bool(senders) and " via " in f" {senders[0].name} "
    if rewritten and original and original == answer_to:
        return Requester(original, "reply_to", "B-F2: the group is not in the configuration")
    return None


def same_organisation(one: str, other: str) -> bool:
    """Whether two addresses lie in one domain, or one in a domain below the other's."""
    first, second = one.rpartition("@")[2], other.rpartition("@")[2]
    return first == second or first.endswith(f".{second}") or second.endswith(f".{first}")


def _original_sender(root: Part) -> str:
    for name in ("x-original-from", "x-original-sender"):
        found = [a.addr for a in addresses(root.get(name)) if a.addr]
        if len(found) == 1:
            return strict_address(found[0])
    return ""


def _named_in(root: Part, groups: tuple[str, ...]) -> bool:
    listed = root.get("list-id").lower()
    return bool(listed) and any(g.replace("@", ".") in listed for g in groups)
