import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from triage.encoder import FILES, DamagedEncoderError, Encoder, encoder_hash
from triage.quantization import read_packed, to_bytes

DEFAULT = Path("models/default")
TEXTS = [
    "Wazon przyszedł stłuczony.",
    "Gdzie jest moja paczka? Czekam już drugi tydzień i nikt mi nie odpowiada na maile.",
    "x",
    "",
    "My parcel never came. " * 200,  # more tokens than are read
]


@pytest.fixture
def copied(tmp_path):
    """A copy of the shipped encoder that a test may damage."""
    for name in FILES:
        shutil.copyfile(DEFAULT / name, tmp_path / name)
    return tmp_path


def test_embeddings_have_length_one(encoder):
    embeddings = encoder.encode(TEXTS)
    assert (embeddings.shape, embeddings.dtype) == ((5, 384), np.float32)
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1, rtol=1e-5)


def test_an_embedding_does_not_depend_on_what_is_beside_it(encoder):
    together = encoder.encode(TEXTS)
    alone = np.concatenate([encoder.encode([text]) for text in TEXTS])
    np.testing.assert_allclose(together, alone, atol=1e-3)


def test_texts_about_the_same_are_nearer(encoder):
    a, b, c = encoder.encode(
        ["Wazon przyszedł stłuczony", "The vase arrived broken", "Poproszę fakturę na firmę"]
    )
    assert a @ b > a @ c


def test_no_texts_give_no_embeddings(encoder):
    assert encoder.encode([]).shape == (0, 384)


def test_progress_counts_up_to_all_texts(encoder):
    seen = []
    encoder.encode(TEXTS, on_progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (5, 5)
    assert seen == sorted(seen)


def test_the_hash_changes_with_any_of_the_files(copied):
    before = encoder_hash(copied)
    assert before == encoder_hash(DEFAULT)
    with (copied / "encoder.json").open("a") as file:
        file.write(" ")
    assert encoder_hash(copied) != before


def test_a_missing_file_is_named(copied):
    (copied / "tokenizer.json").unlink()
    with pytest.raises(DamagedEncoderError, match=r"tokenizer\.json"):
        Encoder.load(copied)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": 9}, "cannot run"),
        ({"colour": "red"}, "not the description"),
        ({"vocabulary_size": 5}, "encoder.json says 5"),
        ({"layers": 11}, "unknown weights"),
        ({"intermediate_size": 768}, "expected"),
    ],
)
def test_a_description_of_another_encoder_is_refused(copied, change, message):
    path = copied / "encoder.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(DamagedEncoderError, match=message):
        Encoder.load(copied)


def test_weights_that_are_not_finite_are_refused(copied):
    path = copied / "encoder.safetensors"
    tensors = read_packed(path)
    name = "embeddings.LayerNorm.bias"
    tensors[name] = np.full(384, np.inf, np.float32)
    path.write_bytes(to_bytes(tensors))
    with pytest.raises(DamagedEncoderError, match=f"{name} has weights that are not finite"):
        Encoder.load(copied)
