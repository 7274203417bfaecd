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
        return train_head(embeddings[chosen], targets[chosen], LABELS, mean=mean)

    mean = embeddings.mean(0)
    logits = out_of_fold_logits(
        embeddings - mean, np.arange(len(targets)) // 3 % 5, train, labels=3
    )
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


def test_what_is_in_no_fold_is_always_trained_on():
    embeddings, targets = a_separable_set(60)
    parts = np.where(np.arange(60) < 30, -1, np.arange(60) % 5)
    counts = []

    def train(chosen):
        counts.append((int(chosen[:30].sum()), int(chosen.sum())))
        return train_head(embeddings[chosen], targets[chosen], LABELS, mean=embeddings.mean(0))

    logits = out_of_fold_logits(embeddings - embeddings.mean(0), parts, train, labels=3)
    assert counts == [(30, 54)] * 5
    assert not logits[:30].any()
    assert logits[30:].any(1).all()


def test_a_weighty_example_pulls_the_head_to_its_label():
    embeddings = np.array([[1, 0]] * 10 + [[1, 0]], np.float32)
    targets = np.array([0] * 10 + [1])

    def chance(weight: float) -> float:
        weights = np.array([1.0] * 10 + [weight])
        head = train_head(
            embeddings,
            targets,
            ("a", "b"),
            mean=np.zeros(2, np.float32),
            weights=weights,
            balance=0,
        )
        return float(head.probabilities(embeddings[:1])[0, 1])

    assert chance(1) == pytest.approx(1 / 11, abs=0.02)
    assert chance(10) == pytest.approx(0.5, abs=0.02)


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
