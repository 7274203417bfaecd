"""Recognises a formal statement of withdrawal from a contract, by exact phrases only.

Whoever withdraws is owed a confirmation with date and time (art. 30 UPK, Directive 2011/83/EU
art. 11), so the acknowledgement is another one. It must not be sent for a guess: where a sentence
asks, negates, sets a condition, quotes, or tells of an earlier letter, this rule says no. Then
the ordinary acknowledgement goes out, which names the moment of receipt too (A-40).
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

from triage.quotation import split
from triage.text import without_runs

# A statement stands near the beginning; the rest of a very long text is not searched.
MAX_CHARACTERS = 65_536


def _pattern(phrase: str) -> re.Pattern[str]:
    """A phrase in folded letters; ``~n`` stands for up to n words, a space for any white space."""
    words = re.sub(r"~(\d) ", r"(?:\\S+\\s+){0,\1}?", phrase)
    return re.compile(rf"\b{words}".replace(" ", r"\s+"))


# What a Polish writer may withdraw from otherwise: a complaint, a claim, a demand.
_NOT_A_CLAIM = r"(?! od (?:~2 )?(?:reklamacj|roszcz|zadan|skarg|zarzut))"
_PHRASES = [
    _pattern(phrase)
    for phrase in (
        rf"odstepuj(?:e|emy)\b{_NOT_A_CLAIM} ~3 od ~6 "
        r"(?:umowy|zakupu|kupna|transakcji|zamowienia)\b",
        rf"oswiadcz(?:amy?|enie\w*)\W+(?:ze|iz) ~3 odstepuj(?:e|emy)\b{_NOT_A_CLAIM}",
        r"informuj(?:e|emy)\b\S* o (?:(?:moim|naszym)\S* )?odstapieniu od ~2 umowy\b",
        r"(?:skladamy?|przesylamy?|wysylamy?|zalaczamy?|dolaczamy?|w zalaczeniu|w zalaczniku)\b"
        r"\W* ~4 oswiadczenie o odstapieniu od ~2 umowy\b",
        r"korzystamy? z ~2 prawa (?:do )?odstapienia od ~2 umowy\b",
        r"hiermit widerrufe(?:n|\(n\))? (?:ich|wir)\b",
        r"(?:ich|wir) widerrufen? ~5 \w*(?:vertrag|bestellung|kauf)\w*\b",
        r"(?:(?:ich|wir) machen?|machen? (?:ich|wir)) ~2 von (?:meinem|unserem) ~2 widerrufsrecht "
        r"gebrauch\b",
        r"(?:i|we)(?:/we)?(?: \(\*\))? (?:hereby |formally )?(?:withdraw|am withdrawing|"
        r"are withdrawing) from ~5 (?:contract|agreement|purchase|sale)\b",
        r"(?:i|we)(?:/we)? hereby (?:cancel|rescind) ~5 "
        r"(?:contract|agreement|purchase|sale|order)\b",
        r"notice that (?:i|we)\S*(?: \(\*\))? ~1 cancel ~5 (?:contract|agreement|purchase|sale)\b",
        r"(?:i|we) (?:hereby |am |are )?exercis(?:e|ing) (?:my|our) ~1 right (?:of withdrawal|"
        r"to withdraw|to cancel)\b",
        r"odstupuj(?:i|u|eme) ~3 od ~5 (?:smlouvy|koupe|nakupu)\b",
        r"відмовля(?:юся|юсь|ємося|ємось) ~3 від ~5 (?:договору|угоди|контракту|покупки)\b",
        r"розрива(?:ю|ємо) ~3 (?:договір|угоду)\b",
    )
]

# Each of the phrases has one of these.
_WORD = re.compile(r"odst[ea]p|widerr|withdr|cancel|rescind|exercis|odstupuj|відмовля|розрива")
_NEGATIONS = {"nie", "not", "never", "nicht", "ne", "не"}
_THAT = {"ze", "iz", "that", "dass", "що"}
# Telling of an earlier letter: "napisałam, że odstępuję od umowy".
_REPORTED = re.compile(
    r"(?:na|prze)?pisal|(?:po)?informowal|zglosil|zglaszal|oswiadczyl|wyslal|powiedzial|wrote|said|"
    r"told|informed|emailed|geschrieben|mitgeteilt|(?:na)?psal|oznamil|informoval|(?:на)?писа[вл]|"
    r"повідоми[вл]"
)
_CONDITION = re.compile(
    r"\b(?:jesli|jezeli|gdyby\w*|o\s+ile|chyba\s+ze|w\s+(?:przeciwnym\s+)?razie|w\s+przypadku|if|"
    r"unless|wenn|falls|sofern|pokud|jestli(?:ze)?|kdyby\w*|якщо|якби)\b"
)
# Before the statement these make a question of it, or of the clause it stands in.
_WHETHER = re.compile(r"\b(?:czy|whether|ob|zda|чи)\b")
_HOW_OR_ELSE = re.compile(
    r"\b(?:jak|kiedy|gdy|albo|lub|inaczej|how|when|can|may|could|should|shall|must|do|or|otherwise|"
    r"wie|wann|kann|darf|oder|sonst|andernfalls|kdy|kdyz|nebo|anebo|jinak|як|коли|або|інакше)\b"
)
# Words after which "odstępuje" is the writer's own, with the last accent forgotten.
_SELF = {
    "ja",
    "niniejszym",
    "wiec",
    "dlatego",
    "zatem",
    "samym",
    "tez",
    "rowniez",
    "i",
    "oraz",
    "ze",
}
_OTHERS = re.compile(
    r"\b(?:sklep|firma|sprzedawca|sprzedajacy|klient|klientka|kupujacy|konsument|kto|ktos|ktory|"
    r"ktora|on|ona|strona|maz|zona|osoba|osob|ile|kazdy)\b"
)
# A consent, a mandate or a newsletter is revoked in German with the same verb.
_OTHER_REVOCATION = re.compile(
    r"einwilligung|zustimmung|newsletter|lastschrift|sepa|vollmacht|datenschutz|werbung"
)

# Lines after ">" and words in quotation marks are another's, or an example.
_QUOTED = re.compile(
    r"^[ \t]{0,3}>.*$|„[^„”“\"]{0,500}[”“\"]|«[^«»]{0,500}»|“[^“”]{0,500}”|"
    r"(?<!\S)\"(?!\s)[^\"]{0,500}\"",
    re.MULTILINE,
)
_SENTENCE_END = re.compile(r"[!?]+|(?<=\w{3})\.+(?=\s|$)|\.+(?=\s+[^\W\d_a-zа-яіїєґ])|\n\s*\n")
_CLAUSE_END = re.compile(r"[,;:()\n–—]|\s-\s")


def is_withdrawal(text: str) -> bool:
    """Whether the writer formally withdraws from the contract; see ``withdrawal_statement``."""
    return withdrawal_statement(text) is not None


def withdrawal_statement(text: str) -> str | None:
    """The sentence in which the writer withdraws from the contract, or None.

    text: what the customer wrote; older mail below it and words in quotation marks do not count.
    """
    text = without_runs(text[:MAX_CHARACTERS])
    if not _WORD.search(_fold(unicodedata.normalize("NFC", text))):
        return None  # nearly all mail, and to see that is much faster
    written = split(text).text
    own = _QUOTED.sub(" ", unicodedata.normalize("NFC", written))
    folded = _fold(own)
    for start, stop in _sentences(own):
        for phrase in _PHRASES:
            for match in phrase.finditer(folded, start, stop):
                if _is_meant(folded, own, match, start, stop):
                    return " ".join(own[start:stop].split())
    return None


def _is_meant(folded: str, own: str, match: re.Match[str], start: int, stop: int) -> bool:
    """Whether the writer states it: here and now, of himself, without question or condition."""
    before, after = folded[start : match.start()], folded[match.end() : stop]
    words = re.findall(r"\w+", before)
    clause = _CLAUSE_END.split(before)[-1]
    rest = _CLAUSE_END.split(after)
    if _NEGATIONS.intersection([*words[-1:], *re.findall(r"\w+", match[0])]):
        return False
    if words[-1:] and words[-1] in _THAT:
        told = words[-7:]
        if _NEGATIONS.intersection(told) or any(map(_REPORTED.match, told)):
            return False
    if _CONDITION.search(before) or _CONDITION.search(after):
        return False
    if _WHETHER.search(before) or _HOW_OR_ELSE.search(clause):
        return False
    # "Odstępuję od umowy, kiedy dostanę zwrot?" withdraws and then asks.
    if after.endswith("?") and len(rest) == 1:
        return False
    if "widerruf" in match[0]:
        # "Ich widerrufe den Vertrag nicht": German negates after the verb, in the same clause.
        negatable = re.split(r"\b(?:weil|da|denn|und|obwohl)\b", rest[0])[0]
        return not re.search(r"\bnicht\b", negatable) and not _OTHER_REVOCATION.search(
            folded, start, stop
        )
    return _in_first_person(own[match.start() : match.end()], words[-1:], clause)


def _in_first_person(statement: str, previous: list[str], clause: str) -> bool:
    """Whether the Polish verb is the writer's; other languages' verbs cannot be another's.

    With all its accents "odstępuje" is the third person, without any it is either.
    """
    verb = re.match(r"\w+", statement)
    if verb is None or _fold(verb[0]) not in ("odstepuje", "informuje") or verb[0][-1] in "ęĘ":
        return True
    if _OTHERS.search(clause):
        return False
    return verb[0].isascii() or not clause.strip() or bool(_SELF.intersection(previous))


def _sentences(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of each sentence; a question mark belongs to its sentence."""
    start = 0
    for end in _SENTENCE_END.finditer(text):
        yield start, end.end()
        start = end.end()
    yield start, len(text)


def _fold(text: str) -> str:
    """Lower case without accents, one character for each: positions stay those of ``text``."""
    return text if text.isascii() and text.islower() else "".join(map(_letter, text))


@lru_cache(maxsize=4096)
def _letter(character: str) -> str:
    if character in "łŁ":
        return "l"
    return unicodedata.normalize("NFKD", character)[0].lower()[:1]
