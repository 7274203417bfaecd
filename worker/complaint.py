"""What a ticket is about: whose complaint a message carries, and in which words."""

from dataclasses import dataclass, replace
from typing import Literal

from triage.entities import order_numbers, remedy
from triage.language import detect
from triage.quotation import split
from triage.withdrawal import is_withdrawal
from worker.parsed_message import ParsedMessage

RequesterStatus = Literal["known", "suggested", "missing"]


@dataclass(frozen=True)
class Complaint:
    """The request in a person's mail; of a forward by the shop's own people, the inner mail's."""

    subject: str
    text: str  # what a classifier reads
    comment: str  # what the forwarder wrote above it
    requester_addr: str
    requester_name: str
    requester_status: RequesterStatus
    language: str | None  # ISO 639-1, of the complaint and not of a colleague's comment
    order_numbers: tuple[str, ...] = ()
    remedy: str | None = None  # what is asked for
    is_withdrawal: bool = False  # from the contract, which the law has confirmed


def complaint_in(message: ParsedMessage) -> Complaint:
    """Take the complaint out of a message.

    A forward with an incomplete header block only suggests its sender: a person confirms the
    address before anything is sent to it (acknowledgement rules, decision 1).
    """
    complaint = _complaint(message)
    words = f"{complaint.subject}\n{complaint.text}"
    return replace(
        complaint,
        order_numbers=tuple(order_numbers(words)),
        remedy=remedy(complaint.text),
        is_withdrawal=is_withdrawal(complaint.text),
    )


def _complaint(message: ParsedMessage) -> Complaint:
    inner = message.forwarded if message.requester_source == "forward" else None
    if inner is None:
        return Complaint(
            subject=message.subject,
            text=message.text or message.body,
            comment="",
            requester_addr=message.requester_addr,
            requester_name=message.requester_name,
            requester_status=_status(message.requester_addr, sure=message.requester_sure),
            language=message.language,
        )
    inner = inner.origin or inner
    # Somebody who only says that he is a colleague may name anybody.
    sure = message.requester_sure and message.authenticity != "fail"
    text = split(inner.body).text or inner.body
    return Complaint(
        subject=inner.subject or message.subject,
        text=text,
        comment=message.text,
        requester_addr=message.requester_addr,
        requester_name=inner.from_name,
        requester_status=_status(message.requester_addr, sure=sure),
        language=detect(f"{inner.subject}\n{text}"),
    )


def _status(addr: str, *, sure: bool) -> RequesterStatus:
    if not addr:
        return "missing"
    return "known" if sure else "suggested"
