"""Which pieces of the 250,002 stay, and the tokenizer that is made of them."""

import json
import struct
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence, Set

import numpy as np
import sentencepiece
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

Piece = tuple[str, float]

SPACE = "\u2581"  # sentencepiece writes a space so
SPECIAL = 4  # <s>, <pad>, </s>, <unk> come first and stay
_BATCH = 20_000


def build_tokenizer(pieces: Sequence[Piece]) -> Tokenizer:
    """A fast tokenizer like that of XLM-RoBERTa.

    pieces: unigram model with <s>, <pad>, </s>, <unk> at 0 to 3.
    """
    tokenizer = Tokenizer(models.Unigram(list(pieces), unk_id=3, byte_fallback=False))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Precompiled(_nmt_nfkc()), normalizers.Replace(Regex(" {2,}"), " ")]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement=SPACE, prepend_scheme="always")
    tokenizer.decoder = decoders.Metaspace(replacement=SPACE, prepend_scheme="always")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A </s> </s> $B </s>",
        special_tokens=[("<s>", 0), ("</s>", 2)],
    )
    return tokenizer


def to_json(tokenizer: Tokenizer) -> str:
    """``tokenizer.json`` on one line, each score as the shortest text of its 32-bit float."""
    content = json.loads(tokenizer.to_str())
    content["model"]["vocab"] = [
        [piece, float(str(np.float32(score)))] for piece, score in content["model"]["vocab"]
    ]
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")) + "\n"


def kept_pieces(
    pieces: Sequence[Piece],
    texts: Sequence[str],
    words: Sequence[str],
    *,
    dictionary: Set[str],
    least: int,
) -> list[int]:
    """Indices of the pieces that stay, ascending.

    A piece of characters that people of these languages may type stays when it is a single one, a
    number, a whole word of the dictionary (lower case), occurs in a running text, or at least
    ``least`` times in the word lists.
    """
    tokenizer = build_tokenizer(pieces)
    in_texts, in_words = count(tokenizer, texts), count(tokenizer, words)
    kept = set(range(SPECIAL))
    for index, (piece, _) in enumerate(pieces):
        if index < SPECIAL or not all(_is_ours(character) for character in piece):
            continue
        core = piece.replace(SPACE, "")
        whole_word = piece.startswith(SPACE) and core.lower() in dictionary
        plain = len(core) <= 1 or not any(character.isalpha() for character in core)
        if plain or whole_word or in_texts[index] or in_words[index] >= least:
            kept.add(index)
    return sorted(kept)


def count(tokenizer: Tokenizer, texts: Sequence[str]) -> Counter[int]:
    """How often each piece occurs."""
    counts: Counter[int] = Counter()
    for start in range(0, len(texts), _BATCH):
        batch = list(texts[start : start + _BATCH])
        for encoding in tokenizer.encode_batch_fast(batch, add_special_tokens=False):
            counts.update(encoding.ids)
    return counts


def changed_share(whole: Tokenizer, kept: Sequence[int], texts: Sequence[str]) -> float:
    """Share of the tokens of ``texts`` whose piece is no longer in the vocabulary."""
    before = count(whole, texts)
    return 1 - sum(before[index] for index in kept) / sum(before.values())


def _is_ours(character: str) -> bool:
    """Latin and Cyrillic letters, marks, digits, punctuation, currency signs and emoji."""
    if character == SPACE:
        return True
    try:
        name = unicodedata.name(character)
    except ValueError:
        return False
    if unicodedata.category(character)[0] in "LM":
        return name.startswith(("LATIN", "CYRILLIC", "COMBINING"))
    point = ord(character)
    if unicodedata.category(character)[0] == "N" and point > 0xFF:
        return False  # digits of other scripts; the normalisation makes plain ones of the rest
    return point < 0x3000 or 0x1F000 <= point <= 0x1FAFF or 0xFE00 <= point <= 0xFE0F


def _nmt_nfkc() -> bytes:
    """sentencepiece's compiled normalisation rules "nmt_nfkc", which XLM-RoBERTa uses.

    They are field 2 of the normaliser, field 3 of the model that sentencepiece serialises.
    """
    model = sentencepiece.SentencePieceNormalizer(rule_name="nmt_nfkc").serialized_model_proto()
    [normalizer] = [value for number, value in _fields(model) if number == 3]
    [rules] = [value for number, value in _fields(normalizer) if number == 2]
    return rules


def _fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """The length-delimited fields of a protocol buffer message; others are skipped."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        match key & 7:
            case 0:
                _, at = _varint(message, at)
            case 2:
                length, at = _varint(message, at)
                yield key >> 3, message[at : at + length]
                at += length
            case 5:
                at += struct.calcsize("<I")
            case kind:
                raise ValueError(f"unexpected wire type {kind} in sentencepiece's model")


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at
