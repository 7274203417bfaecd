"""Texts and word lists of the five languages, out of Debian packages: what the shop's mail may use.

The packages are downloaded with ``apt-get download`` and unpacked into a folder, never installed.
"""

import gzip
import random
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

PACKAGES = (
    "fortunes",
    "fortunes-cs",
    "fortunes-de",
    "fortunes-min",
    "fortunes-pl",
    "hunspell-cs",
    "manpages",
    "manpages-cs",
    "manpages-de",
    "manpages-pl",
    "manpages-uk",
    "wamerican",
    "wngerman",
    "wpolish",
    "wukrainian",
)
_WORD_LISTS = ("polish", "american-english", "ngerman", "ukrainian")
_WITHOUT_DIACRITICS = str.maketrans("ąćęłńóśźżĄĆĘŁŃÓŚŹŻ", "acelnoszzACELNOSZZ")
_ROFF_HEADER = ('.\\"', "'\\\"", ".TH", ".SH", ".de", ".if", ".ie")


def download(folder: Path) -> None:
    """Unpack PACKAGES below ``folder``; raises CalledProcessError when apt or dpkg fails."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["apt-get", "download", *PACKAGES], cwd=folder, check=True, capture_output=True)
    for package in sorted(folder.glob("*.deb")):
        subprocess.run(["dpkg", "-x", package.name, "."], cwd=folder, check=True)


def running_texts(folder: Path) -> tuple[list[str], list[str]]:
    """Texts in all five languages to count pieces in, and Polish texts that are held out.

    Polish counts three times: as written, without diacritics (as people type on a phone) and in
    capitals (as angry people type).
    """
    polish = list(_fortunes(folder, "pl"))
    seen, held_out = polish[: int(len(polish) * 0.7)], polish[int(len(polish) * 0.7) :]
    texts = seen + [plain(text) for text in seen] + [text.upper() for text in seen[:3000]]
    for language in ("pl", "de", "cs", "uk", ""):
        texts.extend(_manual(folder, language))
    for language in ("de", "cs", ""):
        texts.extend(_fortunes(folder, language))
    return texts, held_out


def dictionary(folder: Path) -> frozenset[str]:
    """Every word of the word lists, in lower case."""
    lists = [_czech(folder), *(_word_list(folder, name) for name in _WORD_LISTS)]
    return frozenset(word.lower() for words in lists for word in words)


def words(folder: Path, *, seed: int = 0) -> list[str]:
    """A sample of the words of all five languages, many also as they begin a sentence."""
    draw = random.Random(seed)
    polish = draw.sample(_word_list(folder, "polish"), 1_000_000)
    ukrainian = draw.sample(_word_list(folder, "ukrainian"), 500_000)
    czech = _czech(folder)
    return [
        *polish,
        *(plain(word) for word in polish[:200_000]),
        *_word_list(folder, "american-english"),
        *_word_list(folder, "ngerman"),
        *ukrainian,
        *czech,
        *(word.capitalize() for word in [*polish[:200_000], *ukrainian[:200_000], *czech]),
    ]


def plain(text: str) -> str:
    """Polish without its diacritics."""
    return text.translate(_WITHOUT_DIACRITICS)


def _word_list(folder: Path, name: str) -> list[str]:
    lines = (folder / "usr/share/dict" / name).read_text("utf-8", errors="replace").splitlines()
    return [line.strip() for line in lines if line.strip()]


def _czech(folder: Path) -> list[str]:
    """The stems of the Czech spelling dictionary, which has no plain word list."""
    lines = (folder / "usr/share/hunspell/cs_CZ.dic").read_text("utf-8", errors="replace")
    return [line.split("/")[0] for line in lines.splitlines()]


def _fortunes(folder: Path, language: str) -> Iterator[str]:
    for path in sorted((folder / "usr/share/games/fortunes" / language).glob("*")):
        if path.suffix in {".dat", ".u8"} or path.is_symlink() or not path.is_file():
            continue
        content = path.read_bytes()
        try:
            text = content.decode()
        except UnicodeDecodeError:
            text = content.decode("iso8859-2", errors="replace")
        for fortune in re.split(r"\n%+\n", text):
            if len(fortune.strip()) > 20:
                yield fortune.strip().replace("\n", " ")


def _manual(folder: Path, language: str) -> Iterator[str]:
    for path in sorted((folder / "usr/share/man" / language).glob("man*/*.gz")):
        with gzip.open(path, "rt", encoding="utf-8", errors="replace") as lines:
            for line in lines:
                if not line.startswith(_ROFF_HEADER):
                    text = _without_markup(line)
                    if len(text) > 30:
                        yield text


def _without_markup(line: str) -> str:
    """A line of a manual page without the commonest roff requests and escapes."""
    line = re.sub(r"^\.[A-Za-z]{1,3}\s*", "", line.strip())
    line = re.sub(r"\\f(\[[A-Z]*\]|.)|\\\(..|\\\[[^\]]*\]", "", line)
    return line.replace("\\-", "-").replace("\\&", "").replace("\\", "")
