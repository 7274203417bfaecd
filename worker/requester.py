"""Whom a ticket belongs to when From is somebody who handed the mail on (rules B-F1 to B-F6)."""

import re
from dataclasses import dataclass

from config.addresses import plain_address
from triage.mail_words import VIA
from worker.form_fields import FormFields
from worker.headers import Address, addresses
from worker.parsed_message import ForwardedMessage, KnownAddresses, RequesterSource, in_domains
from worker.structure import Part

_MAILTO = re.compile(r"mailto:([^>?,\s]{1,254})", re.IGNORECASE)
_ORIGINAL_FIELDS = ("x-original-from", "x-original-sender")  # a group adds them
_GROUP_FIELDS = ("list-id", "list-post", *_ORIGINAL_FIELDS)
_FORM_DOUBT = "B-L1: From is the shop's, Reply-To a stranger's: a form without configuration?"
_GROUP_DOUBT = "B-F2: the group is not in the configuration"


@dataclass(frozen=True)
class Requester:
    addr: str  # "" where nobody is named
    source: RequesterSource
    doubt: str | None = None  # why no mail may go there before a person confirmed it
    name: str = ""
    sure: bool = True  # False: the address is only a suggestion


def requester(
    root: Part,
    *,
    known: KnownAddresses,
    senders: tuple[Address, ...],
    reply_to: tuple[Address, ...],
    forwarded: ForwardedMessage | None,
    form: FormFields | None = None,
) -> Requester:
    """The requester of a mail; senders and reply_to are the mailboxes of From and Reply-To.

    form: the fields of a configured contact form's mail.
    A forward by somebody who is not a trusted forwarder belongs to the forwarder.
    """
    with_address = [s for s in senders if s.addr]
    first = with_address[0] if with_address else Address("", "")
    sender = first.addr
    answer_to = reply_to[0] if len(reply_to) == 1 else Address("", "")
    handed_on = forwarded is not None and known.is_trusted_forwarder(sender)
    if form is not None:
        return _behind_form(answer_to, form, known)
    if sender and sender in known.contact_forms and not handed_on:
        return _behind_form(answer_to, FormFields((), "", None), known)
    if original := _behind_group(root, first, answer_to, known, handed_on=handed_on):
        return original
    if sender and in_domains(sender, known.relays):
        return Requester(sender, "relay")
    if forwarded is not None and handed_on:
        return _forwarded_requester(forwarded, known)
    if not sender:
        return Requester("", "none", "B-D2: From names no address")
    if _is_strangers(answer_to.addr, known) and known.is_own(sender):
        return Requester(answer_to.addr, "form", _FORM_DOUBT, answer_to.name, sure=False)
    doubt = "B-D2: From names several addresses" if len(with_address) > 1 else None
    # Elsewhere Reply-To is followed only within the organisation of the sender (B-D3).
    if answer_to.addr not in ("", sender) and same_organisation(answer_to.addr, sender):
        return Requester(answer_to.addr, "reply_to", doubt, answer_to.name or first.name)
    return Requester(sender, "from", doubt, first.name)


def _forwarded_requester(forwarded: ForwardedMessage, known: KnownAddresses) -> Requester:
    forwarded = forwarded.origin or forwarded
    addr, name = forwarded.from_addr, forwarded.from_name
    if not addr:
        return Requester("", "none", "B-F6: the forwarded mail names no address")
    if known.is_own(addr):
        return Requester(addr, "forward", "B-F6: the forwarded mail is the shop's own", name)
    if not forwarded.complete:
        doubt = "B-F6: the forwarded header is not complete"
        return Requester(addr, "forward", doubt, name, sure=False)
    return Requester(addr, "forward", None, name)


# --- contact forms -----------------------------------------------------------------------------


def is_form(
    root: Part, known: KnownAddresses, *, sender: str, reply_to: tuple[Address, ...], forward: bool
) -> bool:
    """Whether a mail is what somebody typed into a configured contact form.

    forward: its subject says that it is one.
    The address of a form is often one that people write from, too: an answer is no form's, nor is
    a forward that names no stranger in Reply-To.
    """
    if sender not in known.contact_forms or root.has("in-reply-to") or root.has("references"):
        return False
    by_hand = forward and known.is_trusted_forwarder(sender)
    return not by_hand or any(_is_strangers(address.addr, known) for address in reply_to)


def _behind_form(answer_to: Address, form: FormFields, known: KnownAddresses) -> Requester:
    """Reply-To, if it names one stranger, else the one stranger of the form's e-mail field."""
    if _is_strangers(answer_to.addr, known) and "." in answer_to.addr.rpartition("@")[2]:
        return Requester(answer_to.addr, "form", name=form.name or answer_to.name)
    strangers = [addr for addr in form.addrs if _is_strangers(addr, known)]
    if len(strangers) == 1:
        return Requester(strangers[0], "form", name=form.name)
    found = "several addresses" if strangers else "no address"
    return Requester("", "none", f"B-F5: the form names {found} of a customer", form.name)


def _is_strangers(addr: str, known: KnownAddresses) -> bool:
    return bool(addr) and not known.is_own(addr) and addr not in known.contact_forms


# --- groups ------------------------------------------------------------------------------------


def is_through_group(root: Part, known: KnownAddresses) -> bool:
    """Whether a group of the shop handed the mail on; it then marks it as a mailing list does.

    One of the configuration is known by From, List-Id or List-Post. Any other is a list in a
    domain of the shop that strangers write to, or that the mail is addressed to; a newsletter of
    the shop is neither.
    """
    if is_configured_group(root, known):
        return True
    names = [name for name in _list_names(root) if in_domains(name, known.own_domains)]
    if not names:
        return False
    senders = [a for a in addresses(root.get("from")) if a.addr]
    if any(not known.is_own(a.addr) or VIA.search(f" {a.name} ") for a in senders):
        return True
    to = [a.addr for field in ("to", "cc") for v in root.all(field) for a in addresses(v)]
    return any(addr.replace("@", ".") in names for addr in to)


def is_configured_group(root: Part, known: KnownAddresses) -> bool:
    """Whether From, List-Id or List-Post names a group of the configuration (B.8 row 15)."""
    if not known.groups:
        return False
    named = {a.addr.replace("@", ".") for a in addresses(root.get("from"))} | set(_list_names(root))
    return any(group.replace("@", ".") in named for group in known.groups)


def is_rewritten(root: Part, known: KnownAddresses) -> bool:
    """Whether From is not the author but the group, as in "Jan via Reklamacje <group@...>"."""
    sender = next((a for a in addresses(root.get("from")) if a.addr), Address("", ""))
    return sender.addr in known.groups or bool(VIA.search(f" {sender.name} "))


def _list_names(root: Part) -> list[str]:
    """The addresses of List-Id and List-Post with a dot for the ``@``."""
    listed = root.get("list-id").lower().rpartition("<")[2].partition(">")[0].strip()
    posts = [post.lower() for post in _MAILTO.findall(root.get("list-post"))]
    return [plain_address(name).replace("@", ".") for name in (listed, *posts) if name]


def _behind_group(
    root: Part, first: Address, answer_to: Address, known: KnownAddresses, *, handed_on: bool
) -> Requester | None:
    """The author of a mail whose From a group has rewritten to "Jan via Reklamacje <group@...>".

    The author is believed where the group is the shop's and in the configuration, and suggested
    where two fields agree. A group that leaves From as it was hides nobody.
    """
    if first.addr not in known.groups and not any(map(root.has, _GROUP_FIELDS)):
        return None
    configured = is_configured_group(root, known)
    through_group = configured or is_through_group(root, known)
    if not is_rewritten(root, known):
        if through_group and not configured and not handed_on and _is_strangers(first.addr, known):
            return Requester(first.addr, "from", _GROUP_DOUBT, first.name, sure=False)
        return None
    named = [_original(root, field) for field in _ORIGINAL_FIELDS]
    authors = [a for a in (*named, answer_to) if a.addr not in ("", first.addr)]
    name = next((author.name for author in authors if author.name), _author_in(first.name))
    believed = configured and (first.addr in known.groups or known.is_own(first.addr))
    agreed = [a.addr for a in authors if sum(b.addr == a.addr for b in authors) > 1]
    addr = next((a.addr for a in authors), "") if believed else next(iter(agreed), "")
    if handed_on and known.is_own(addr):
        return None
    if addr:
        return Requester(addr, "group", None if believed else _GROUP_DOUBT, name, sure=believed)
    if through_group:
        doubt = "B-F2: the group names no author" if believed else _GROUP_DOUBT
        return Requester("", "none", doubt, name)
    return None


def _original(root: Part, field: str) -> Address:
    """The one mailbox of a field."""
    found = [a for a in addresses(root.get(field)) if a.addr]
    return found[0] if len(found) == 1 else Address("", "")


def _author_in(name: str) -> str:
    """Jan, of "'Jan' via Reklamacje"."""
    return VIA.split(f" {name} ")[0].strip(" '\"")


def same_organisation(one: str, other: str) -> bool:
    """Whether two addresses lie in one domain, or one in a domain below the other's."""
    first, second = one.rpartition("@")[2], other.rpartition("@")[2]
    return first == second or first.endswith(f".{second}") or second.endswith(f".{first}")
