"""HTML to the text a reader sees.

Parsed by lexbor as browsers do, walked without recursion. What a browser does not show is left out:
scripts, styles, comments, and elements hidden by an attribute or their style; text hidden that way
is aimed at filters and classifiers, not at people. A line of a quotation (``blockquote``) knows how
deep it lies, so that quoted history can be told apart without looking at the markup again.
"""

import re
from dataclasses import dataclass

from selectolax.lexbor import LexborHTMLParser, LexborNode

MAX_HTML = 2 * 1024 * 1024  # characters read of one document
MAX_TEXT = 1024 * 1024  # characters written
MAX_LINES = 50_000
MAX_NODES = 60_000
MAX_TAGS = 2 * MAX_NODES  # opening and closing ones that are given to lexbor
# Lexbor looks at the open elements for nearly every tag, makes formatting elements anew where they
# overlap others, and compares each attribute of an element with all others. What a document would
# cost is estimated before: steps, bytes made anew, and attributes of one element.
MAX_STEPS = 40_000_000
MAX_REPEATED = 32 * 1024 * 1024
MAX_ATTRIBUTES = 1000

_DROPPED = frozenset(
    [
        "head",
        "script",
        "style",
        "title",
        "template",
        "noscript",
        "object",
        "embed",
        "applet",
        "iframe",
        "svg",
        "math",
        "select",
        "option",
        "textarea",
        "audio",
        "video",
        "canvas",
        "map",
    ]
)
_BLOCKS = frozenset(
    [
        "address",
        "article",
        "aside",
        "blockquote",
        "body",
        "center",
        "dd",
        "details",
        "dialog",
        "div",
        "dl",
        "dt",
        "fieldset",
        "figcaption",
        "figure",
        "footer",
        "form",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "header",
        "hr",
        "html",
        "li",
        "main",
        "nav",
        "ol",
        "p",
        "pre",
        "section",
        "summary",
        "table",
        "tbody",
        "tfoot",
        "thead",
        "tr",
        "ul",
        "caption",
    ]
)
_PARAGRAPHS = frozenset(
    ["p", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "ul", "ol", "table", "pre"]
)
# A "<" in a sentence is none, but a tag may be long.
_TAG = re.compile(r"<[^<>]{0,2000}>|<[a-zA-Z/!][^<>]*>")
# A comment, or a tag with its attributes; quoted values may hold what looks like a tag.
_MARKUP = re.compile(
    r"<(?:!--(?:(?!-->).)*+|(/?)([a-zA-Z][^\s/>]*+)((?:[^>\"']++|\"[^\"]*+\"|'[^']*+')*+))",
    re.DOTALL,
)
# Elements that hold none of their kind without another element between, and those without content.
_FLAT = frozenset(
    """
    p tr td th tbody thead tfoot caption colgroup col html head body
    area base bgsound br embed frame hr img input keygen link meta param source track wbr
    """.split()  # noqa: SIM905 - as a list of literals nobody could read it
)
_FORMATTING = frozenset("a b big code em font i nobr s small strike strong tt u".split())  # noqa: SIM905
_OVERLAPPING = 20  # formatting elements that are open at once in careless, not in hostile mail
_NODE_BYTES = 200
_SIGNATURES = frozenset(
    ("gmail_signature", "moz-signature", "signature", "ms-outlook-mobile-signature", "x_signature")
)
_CITED = frozenset(
    ("gmail_quote", "yahoo_quoted", "protonmail_quote", "zmail_extra", "tutanota_quote", "quote")
)
_SPACES = re.compile(r"[ \t\r\n\f]+")
_HIDDEN_STYLE = re.compile(
    r"display:none|visibility:hidden|mso-hide:all|opacity:0(?:\.0+)?(?:;|$|!)"
    r"|font-size:[01](?:px|pt|em|%)?(?:;|$|!)|max-height:0(?:px)?(?:;|$|!)"
)


@dataclass(frozen=True)
class Line:
    """One line of text; ``depth`` is how many quotations it lies in."""

    depth: int
    text: str
    signature: bool = False  # the program that wrote it marked it as one
    cited: bool = False  # marked as quoted history, not merely indented


def to_lines(html: str) -> tuple[Line, ...]:
    """The visible text of a document, line by line; at most MAX_TEXT characters."""
    html = html[:MAX_HTML]
    affordable = _affordable(html)
    if affordable is None:
        text = _TAG.sub("\n", html)[:MAX_TEXT]
        return tuple(Line(0, line) for line in text.split("\n") if line.strip())
    tree = LexborHTMLParser(affordable)
    root = tree.root
    if root is None:
        return ()
    writer = _Writer()
    _walk(root, writer)
    return writer.finish()


def to_text(lines: tuple[Line, ...]) -> str:
    """The lines as they are read."""
    return "\n".join(line.text for line in lines)


def to_quoted_text(lines: tuple[Line, ...]) -> str:
    """The lines with a ``>`` for each quotation they lie in, as in a plain text mail.

    Without marked signatures, unless there is nothing else. A document that lies in a quotation as
    a whole, which no program marked as the mail that is answered, is indented and not quoted.
    """
    written = [line for line in lines if not line.signature]
    if not any(line.text for line in written):
        written = list(lines)
    indented = min((line.depth for line in written if line.text), default=0)
    if indented and any(line.cited for line in written):
        indented = 0
    return "\n".join(_marked(line.depth - indented, line.text) for line in written)


def _marked(depth: int, text: str) -> str:
    return f"{'>' * depth} {text}" if depth > 0 else text


def _affordable(html: str) -> str | None:
    """The document up to MAX_TAGS tags, or None where lexbor would need long or much for it.

    An estimate: what stands in a script or a title counts as markup, too.
    """
    opened: dict[str, int] = {}
    formatting: dict[str, list[int]] = {}  # bytes of each open element
    depth = overlapping = held = steps = repeated = of_root = 0
    for count, match in enumerate(_MARKUP.finditer(html)):
        closing, name, attributes = match.groups()
        if name is None:
            continue
        if count >= MAX_TAGS:
            return html[: match.start()]
        name = name.lower()
        if len(attributes) > MAX_ATTRIBUTES or name in ("html", "body"):
            crowd = len(attributes.split())
            of_root += crowd * (name in ("html", "body"))  # attributes of all of them are joined
            if crowd > MAX_ATTRIBUTES or of_root > MAX_ATTRIBUTES:
                return None
        if name in _FLAT:
            pass
        elif not closing:
            opened[name] = opened.get(name, 0) + 1
            depth += 1
            if name in _FORMATTING:
                formatting.setdefault(name, []).append(len(attributes) + _NODE_BYTES)
                overlapping += 1
                held += len(attributes) + _NODE_BYTES
        elif opened.get(name):
            opened[name] -= 1
            depth -= 1
            if name in _FORMATTING:
                overlapping -= 1
                held -= formatting[name].pop()
        steps += depth
        repeated += held * (overlapping > _OVERLAPPING)
        if steps > MAX_STEPS or repeated > MAX_REPEATED:
            return None
    return html


class _Writer:
    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.pieces: list[str] = []
        self.filled = False  # whether the pieces of this line say something
        self.depth = 0
        self.cited = 0  # how many marked quotations are open
        self.signature = 0  # how many marked signatures are open
        self.preformatted = 0
        self.size = 0

    def text(self, text: str) -> None:
        if self.preformatted:
            first, *rest = text.split("\n")
            self.pieces.append(first)
            for line in rest[:MAX_LINES]:
                self.end_line(even_empty=True)
                self.pieces.append(line)
        else:
            self.pieces.append(_SPACES.sub(" ", text))
        self.filled = self.filled or bool(text.strip())
        self.size += len(text)

    def end_line(self, *, even_empty: bool = False) -> None:
        text = "".join(self.pieces)
        text = text.rstrip() if self.preformatted else _SPACES.sub(" ", text).strip(" ")
        self.pieces, self.filled = [], False
        if text.strip("\u00a0 ") or even_empty:
            text = text if self.preformatted else text.strip("\u00a0")
            self._add(text)

    def gap(self) -> None:
        """An empty line, unless there is one or nothing stands before it."""
        if self.lines and self.lines[-1].text:
            self._add("")

    def _add(self, text: str) -> None:
        if len(self.lines) >= MAX_LINES:
            self.size = MAX_TEXT
            return
        self.lines.append(Line(self.depth, text, self.signature > 0, self.cited > 0))

    def finish(self) -> tuple[Line, ...]:
        self.end_line()
        while self.lines and not self.lines[-1].text:
            self.lines.pop()
        return tuple(self.lines)


def _walk(root: LexborNode, writer: _Writer) -> None:
    """Depth first, without recursion: a mail may nest a million elements."""
    node: LexborNode | None = root
    level = nodes = 0
    while node is not None and nodes < MAX_NODES and writer.size < MAX_TEXT:
        nodes += 1
        child = node.child if _open(node, writer) else None
        if child is not None:
            node = child
            level += 1
            continue
        while node is not None:
            _close(node, writer)
            if level == 0:
                return
            if node.next is not None:
                node = node.next
                break
            node = node.parent
            level -= 1


def _open(node: LexborNode, writer: _Writer) -> bool:
    """Write what begins here; whether to look inside."""
    tag = node.tag or ""
    if tag == "-text":
        writer.text(node.text_content or "")
        return False
    if tag == "br":
        writer.end_line(even_empty=True)
        return False
    if tag in _DROPPED or (tag.startswith("-") and tag != "-document"):
        return False
    if _is_hidden(node):
        return False
    if tag in _BLOCKS:
        writer.end_line()
        if tag in _PARAGRAPHS:
            writer.gap()
    if _is_signature(node):
        writer.end_line()
        writer.signature += 1
    if tag == "blockquote":
        writer.depth += 1
    writer.cited += _is_cited(node)
    if tag == "pre":
        writer.preformatted += 1
    elif tag == "li":
        writer.pieces.append("")
    elif tag in ("td", "th") and writer.filled:
        writer.pieces.append(" ")
    return True


def _close(node: LexborNode, writer: _Writer) -> None:
    tag = node.tag or ""
    if tag not in _BLOCKS or _is_hidden(node):
        return
    writer.end_line()
    if _is_signature(node):
        writer.signature -= 1
    writer.cited -= _is_cited(node)
    if tag == "blockquote":
        writer.depth = max(writer.depth - 1, 0)
    elif tag == "pre":
        writer.preformatted = max(writer.preformatted - 1, 0)
    if tag in _PARAGRAPHS:
        writer.gap()


def _is_signature(node: LexborNode) -> bool:
    """Whether Gmail, Thunderbird or Outlook marked a block as a signature."""
    if node.tag not in ("div", "pre", "table", "p"):
        return False
    attributes = node.attributes
    if not attributes:
        return False
    names = f"{attributes.get('class') or ''} {attributes.get('id') or ''}".lower().split()
    return not _SIGNATURES.isdisjoint(names)


def _is_cited(node: LexborNode) -> bool:
    """Whether a mail program marked a block as the mail that is answered."""
    if node.tag not in ("blockquote", "div"):
        return False
    attributes = node.attributes
    if not attributes:
        return False
    if node.tag == "blockquote" and (attributes.get("type") or "").lower() == "cite":
        return True
    return not _CITED.isdisjoint((attributes.get("class") or "").lower().split())


def _is_hidden(node: LexborNode) -> bool:
    attributes = node.attributes
    if not attributes:
        return False
    if "hidden" in attributes:
        return True
    style = attributes.get("style")
    if not style:
        return False
    return _HIDDEN_STYLE.search(_SPACES.sub("", style[:2000]).lower()) is not None
