"""Whole mails as bytes; a test names only what it is about."""


def a_mail(
    body: str | bytes = "Dzień dobry, paczka nie dotarła.\n", **headers: str | None
) -> bytes:
    """A mail from a customer; underscores in header names become hyphens, None leaves one out."""
    fields: dict[str, str | None] = {
        "From": "Anna Nowak <anna@example.com>",
        "To": "reklamacje@sklep.example",
        "Subject": "Reklamacja",
        "Date": "Mon, 02 Mar 2026 10:00:00 +0100",
        "Message-ID": "<1@example.com>",
        "Content-Type": "text/plain; charset=utf-8",
    }
    for name, value in headers.items():
        fields[name.replace("_", "-")] = value
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items() if value is not None)
    data = body.encode() if isinstance(body, str) else body
    return head.encode() + b"\r\n" + data


def a_multipart(kind: str, *parts: bytes, **headers: str | None) -> bytes:
    """A multipart of whole parts, each with its own header."""
    body = b"".join(b"--b1\r\n" + part + b"\r\n" for part in parts) + b"--b1--\r\n"
    content_type = f"multipart/{kind}; boundary=b1"
    return a_mail(body, **{"Content_Type": content_type, "MIME_Version": "1.0", **headers})


def a_part(
    body: str | bytes, content_type: str = "text/plain; charset=utf-8", **more: str
) -> bytes:
    """One part of a multipart."""
    head = f"Content-Type: {content_type}\r\n"
    head += "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in more.items())
    return head.encode() + b"\r\n" + (body.encode() if isinstance(body, str) else body)
