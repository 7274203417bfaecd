from dataclasses import dataclass, field

import numpy as np
import pytest

from models.training import embed, out_of_fold_logits, train_head

LABELS = ("a", "b", "c")


def a_separable_set(n: int = 90) -> tuple[np.ndarray, np.ndarray]:
    """Three clouds far apart in 16 dimensions."""
    draw = np.random.default_rng(5)
    targets = np.arange(n) % 3
    centres = draw.normal(size=(3, 16)) * 3
    return (centres[targets] + draw.normal(size=(n, 16))).astype(np.float32), targets


def accuracy_out_of_fold(embeddings, targets) -> float:
    def train(chosen):
        mean = embeddings[chosen].mean(0)
        return train_head(embeddings[chosen], targets[chosen], LABELS, mean=mean), mean

    logits = out_of_fold_logits(embeddings, np.arange(len(targets)) // 3 % 5, train)
    return float((logits.argmax(1) == targets).mean())


def test_a_separable_set_is_learnt():
    assert accuracy_out_of_fold(*a_separable_set()) > 0.95


def test_shuffled_labels_are_not_learnt():
    embeddings, targets = a_separable_set()
    shuffled = np.random.default_rng(0).permutation(targets)
    assert accuracy_out_of_fold(embeddings, shuffled) < 0.55


def test_the_same_examples_give_the_same_head():
    embeddings, targets = a_separable_set()
    one, two = (train_head(embeddings, targets, LABELS, mean=embeddings.mean(0)) for _ in range(2))
    np.testing.assert_array_equal(one.weight, two.weight)
    np.testing.assert_array_equal(one.bias, two.bias)


def test_a_label_without_examples_is_never_predicted():
    embeddings, targets = a_separable_set()
    only = targets < 2
    head = train_head(embeddings[only], targets[only], LABELS, mean=embeddings[only].mean(0))
    assert 2 not in head.logits(embeddings[only] - embeddings[only].mean(0)).argmax(1)


def test_nothing_to_train_on_is_refused():
    with pytest.raises(ValueError, match="no examples"):
        out_of_fold_logits(np.empty((0, 4), np.float32), np.empty(0, np.int64), lambda _: None)


@dataclass
class CountingEncoder:
    """A stand-in: the embedding of a text is its length."""

    hash: str = "ab" * 32
    precision: str = "fp32"
    dimensions: int = 2
    asked: list[str] = field(default_factory=list)

    def encode(self, texts, *, on_progress=None):
        self.asked += texts
        return np.array([[len(text), 1] for text in texts], np.float32)


def test_a_text_is_encoded_once(tmp_path):
    encoder = CountingEncoder()
    first = embed(["jeden", "dwa", "jeden"], encoder, cache=tmp_path)
    again = embed(["dwa", "trzy"], encoder, cache=tmp_path)
    assert encoder.asked == ["jeden", "dwa", "trzy"]
    assert first[:, 0].tolist() == [5, 3, 5]
    assert again[:, 0].tolist() == [3, 4]


def test_another_encoder_has_another_cache(tmp_path):
    embed(["jeden"], CountingEncoder(), cache=tmp_path)
    other = CountingEncoder(hash="cd" * 32)
    embed(["jeden"], other, cache=tmp_path)
    assert other.asked == ["jeden"]


def test_a_damaged_cache_is_computed_anew(tmp_path):
    embed(["jeden"], CountingEncoder(), cache=tmp_path)
    [path] = tmp_path.glob("*.safetensors")
    path.write_bytes(b"not a cache")
    encoder = CountingEncoder()
    assert embed(["jeden"], encoder, cache=tmp_path)[0, 0] == 5
    assert encoder.asked == ["jeden"]


def test_without_a_cache_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    embed(["jeden"], CountingEncoder())
    assert list(tmp_path.iterdir()) == []


def test_no_texts_give_no_embeddings():
    assert embed([], CountingEncoder()).shape == (0, 2)
