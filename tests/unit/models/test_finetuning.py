"""Fine-tuning by its logic, on an encoder so small that an epoch takes no time."""

import json
import random
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.augmentation import augmented
from models.dataset import Example
from models.encoder_files import write_fine_tuned
from models.finetuning import Recipe, fine_tune
from triage.encoder import Encoder
from triage.quantization import pack_blocks, to_bytes

DEFAULT = Path("models/default")
WIDTH, LAYERS = 32, 2
CAUSES, URGENCIES = ("question", "other"), ("low", "critical")
RECIPE = Recipe(epochs=3, batch=8, rate=3e-3, head_rate=3e-2, contrastive=0.1)


@pytest.fixture
def base(tmp_path) -> Path:
    """A BERT of two layers with random weights and the shipped vocabulary."""
    from transformers import BertConfig, BertModel

    folder = tmp_path / "base"
    folder.mkdir()
    description = json.loads((DEFAULT / "encoder.json").read_text())
    description |= {"hidden_size": WIDTH, "layers": LAYERS, "heads": 2, "intermediate_size": 64}
    (folder / "encoder.json").write_text(json.dumps(description))
    for name in ("tokenizer.json", "NOTICE"):
        shutil.copyfile(DEFAULT / name, folder / name)
    config = BertConfig(
        vocab_size=description["vocabulary_size"],
        hidden_size=WIDTH,
        num_hidden_layers=LAYERS,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=description["positions"],
        type_vocab_size=1,
    )
    shapes = BertModel(config, add_pooling_layer=False).named_parameters()
    draw = np.random.default_rng(1)
    tensors = {}
    for name, parameter in shapes:
        array = draw.normal(size=tuple(parameter.shape)).astype(np.float32) * 0.1
        if "LayerNorm.weight" in name:
            array = np.ones_like(array)
        tensors[name] = pack_blocks(array) if "word_embeddings" in name else array
    (folder / "encoder.safetensors").write_bytes(to_bytes(tensors))
    return folder


def examples(n: int = 32) -> list[Example]:
    words = (("gdzie jest moja paczka", "kiedy"), ("oferta współpracy reklamowej", "pilne"))
    return [
        Example(f"{i}", f"{words[i % 2][0]} {i} {words[i % 2][1]}", CAUSES[i % 2], URGENCIES[i % 2])
        for i in range(n)
    ]


def tuned(base: Path, recipe: Recipe = RECIPE, **options) -> tuple[Encoder, np.ndarray]:
    encoder = Encoder.load(base, precision="fp32")
    head, _ = fine_tune(
        encoder, examples(), causes=CAUSES, urgencies=URGENCIES, recipe=recipe, **options
    )
    return encoder, head.weight


def test_two_kinds_of_mail_are_learnt_and_the_weights_survive_packing(base, tmp_path):
    encoder = Encoder.load(base, precision="fp32")
    cause, urgency = fine_tune(
        encoder, examples(), causes=CAUSES, urgencies=URGENCIES, recipe=RECIPE
    )
    written = tmp_path / "tuned"
    written.mkdir()
    write_fine_tuned(encoder, base, written)
    again = Encoder.load(written, precision="fp32")
    seen = again.encode([example.text for example in examples(10)])
    assert cause.logits(seen).argmax(1).tolist() == [0, 1] * 5
    assert urgency.logits(seen).argmax(1).tolist() == [0, 1] * 5
    assert again.hash != Encoder.load(base, precision="fp32").hash


def test_word_embeddings_stay_as_they_are_bit_for_bit(base, tmp_path):
    from safetensors.numpy import load_file

    encoder, _ = tuned(base)
    written = tmp_path / "tuned"
    written.mkdir()
    write_fine_tuned(encoder, base, written)
    before, after = (load_file(folder / "encoder.safetensors") for folder in (base, written))
    name = "embeddings.word_embeddings.weight.q4"
    np.testing.assert_array_equal(before[name], after[name])
    assert "encoder.layer.0.output.dense.weight.q8" in after


@pytest.mark.parametrize("contrastive", [0, 0.1])
def test_a_run_that_was_stopped_goes_on_and_ends_the_same(base, tmp_path, contrastive):
    recipe = replace(RECIPE, contrastive=contrastive)
    _, whole = tuned(base, recipe)
    checkpoint = tmp_path / "checkpoint.safetensors"

    class Stopped(Exception):
        pass

    def stop_in_the_second_epoch(done: int, total: int, _loss: float) -> None:
        if done > total // 2:
            raise Stopped

    with pytest.raises(Stopped):
        tuned(base, recipe, checkpoint=checkpoint, on_progress=stop_in_the_second_epoch)
    assert checkpoint.exists()
    steps: list[int] = []
    _, resumed = tuned(
        base, recipe, checkpoint=checkpoint, on_progress=lambda done, *_: steps.append(done)
    )
    assert steps[0] == 5  # four steps an epoch: the first epoch was not run again
    # Dropout draws other numbers after the stop, so alike and not equal.
    np.testing.assert_allclose(resumed, whole, atol=0.3 * np.abs(whole).max())
    assert not checkpoint.exists()


def test_a_checkpoint_of_another_run_is_not_gone_on_from(base, tmp_path):
    checkpoint = tmp_path / "checkpoint.safetensors"
    checkpoint.write_bytes(b"damaged")
    steps: list[int] = []
    tuned(base, checkpoint=checkpoint, on_progress=lambda done, *_: steps.append(done))
    assert steps[0] == 1


@pytest.mark.parametrize(
    "text", ["", "a", "Zażółć. Gęślą jaźń!", "x" * 3000, "Temat. " + "b " * 80]
)
def test_augmentation_leaves_a_text(text):
    rng = random.Random(3)
    for _ in range(60):
        assert bool(augmented(text, rng, 1.0)) == bool(text)
    assert augmented(text, rng, 0.0) == text
