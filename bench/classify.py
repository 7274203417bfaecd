"""``python -m bench.classify``: how fast mails are classified, beside a plain pipeline.

In one run, on the same mails: the peak of the machine (a large matrix product, 32 and 16 bits), the
naive ``transformers`` pipeline (one mail after the other, 32 bits), odzew's default, and, where
they are installed, the extra ``fast`` (PYTHONPATH=.venv/fast finds it) and ONNX Runtime. Medians
of five. Loading is measured in a fresh process.
"""

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import get_args

import numpy as np
from rich.console import Console
from rich.table import Table

from bench.onnx_encoder import onnx_encoders
from models.corpus import corpus
from models.evaluation import predict
from triage.classifier import Classifier
from triage.encoder import Encoder
from triage.evidence import explain
from triage.fast import FastEncoder, FastEncoderUnavailable, FastPrecision
from triage.triager import Triager

DEFAULT = Path("models/default")
CACHE = Path("var/bench-fast")  # converted models
REPEATS = 5


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.classify", description=__doc__)
    parser.add_argument("--mails", type=int, default=200)
    options = parser.parse_args()
    everything = corpus("validation")
    calibration = everything[::4]
    examples = [example for i, example in enumerate(everything) if i % 4][: options.mails]
    texts = [example.text for example in examples]
    classifier = Classifier.load(DEFAULT)
    runs: dict[str, Callable[[], np.ndarray]] = {}
    whole = Encoder.load(DEFAULT, precision="fp32")
    runs["naive pipeline, one by one, fp32"] = naive(whole, texts)
    runs["odzew, fp32"] = lambda: whole.encode(texts)
    default = Encoder.load(DEFAULT)
    if default.precision != "fp32":
        runs[f"odzew, default ({default.precision})"] = lambda: default.encode(texts)
    calibrating = [example.text for example in calibration]
    for fast in fast_encoders(default, calibrating):
        runs[f"odzew, extra fast (OpenVINO, {fast.precision})"] = partial(fast.encode, texts)
    with suppress(ImportError):
        for name, other in onnx_encoders(whole, calibrating):
            runs[f"ONNX Runtime, {name}"] = partial(other.encode, texts)
    console = Console()
    tokens = [len(row) for row in whole.tokens(texts)]
    work = sum(flops(whole, n) for n in tokens)
    peaks = {"fp32": peak("float32"), "bf16": peak("bfloat16")}
    console.print(
        f"{len(texts)} mails, {np.mean(tokens):.0f} tokens on average; peak of the machine: "
        f"{peaks['fp32'] / 1e9:.0f} GFLOP/s in fp32, {peaks['bf16'] / 1e9:.0f} in bf16"
    )
    embeddings = {name: run() for name, run in runs.items()}
    # In turns, so that what else the machine does hits all alike.
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(REPEATS):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)
    table = Table()
    for column in ("backend", "mails/s", "ratio", "share of bf16 peak", "accuracy", "same cause"):
        table.add_column(column, justify="right")
    base = statistics.median(next(iter(seconds.values())))
    first = next(iter(embeddings.values()))
    for name, values in seconds.items():
        middle = statistics.median(values)
        judged = predict(classifier, embeddings[name], examples)
        same = judged.predicted_causes == predict(classifier, first, examples).predicted_causes
        table.add_row(
            name,
            f"{len(texts) / middle:.1f}",
            f"{base / middle:.2f}",
            f"{work / middle / peaks['bf16']:.2f}",
            f"{judged.right.mean():.3f}",
            f"{same.mean():.3f}",
        )
    console.print(table)
    console.print(explaining(Triager(default, classifier), texts[:50]))
    console.print(loading())


def naive(encoder: Encoder, texts: Sequence[str]) -> Callable[[], np.ndarray]:
    """What everybody writes first: the feature-extraction pipeline, mail by mail, then the mean."""
    import torch
    from transformers import BertModel, PreTrainedTokenizerFast, pipeline

    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=str(DEFAULT / "tokenizer.json"),
        model_max_length=encoder.description.max_tokens,
        pad_token="<pad>",
        cls_token="<s>",
        sep_token="</s>",
    )
    config = encoder.model.config.__class__.from_dict(encoder.model.config.to_dict())
    config._attn_implementation = "sdpa"
    model = BertModel(config, add_pooling_layer=False)
    model.load_state_dict(encoder.model.state_dict(), strict=False)
    model.eval()
    extract = pipeline("feature-extraction", model=model, tokenizer=tokenizer)

    def run() -> np.ndarray:
        rows = []
        with torch.inference_mode():
            for text in texts:
                states = np.array(extract(encoder.description.prefix + text, truncation=True)[0])
                mean = states.mean(0)
                rows.append(mean / np.linalg.norm(mean))
        return np.array(rows, np.float32)

    return run


def fast_encoders(encoder: Encoder, calibration: Sequence[str]) -> Iterator[FastEncoder]:
    """What the extra ``fast`` makes of the encoder; nothing where it is not installed."""
    for precision in get_args(FastPrecision):
        with suppress(FastEncoderUnavailable):
            yield FastEncoder.build(encoder, CACHE, calibration, precision)


def flops(encoder: Encoder, tokens: int) -> float:
    """Multiplications and additions for one text: matrices and attention."""
    shape = encoder.description
    matrices = 4 * shape.hidden_size**2 + 2 * shape.hidden_size * shape.intermediate_size
    attention = 2 * tokens * shape.hidden_size
    return 2.0 * shape.layers * tokens * (matrices + attention)


def peak(kind: str) -> float:
    """Operations a second of a large matrix product."""
    import torch

    size = 2048
    a = torch.randn(size, size).to(getattr(torch, kind))
    with torch.inference_mode():
        a @ a
        start = time.perf_counter()
        for _ in range(5):
            a @ a
        return 5 * 2.0 * size**3 / (time.perf_counter() - start)


def explaining(triager: Triager, texts: Sequence[str]) -> str:
    """Seconds for the evidence of one mail: the median and the slowest."""
    seconds = []
    for text in texts:
        start = time.perf_counter()
        explain(triager, "", text)
        seconds.append(time.perf_counter() - start)
    return (
        f"evidence: {statistics.median(seconds):.2f} s a mail, {max(seconds):.2f} s at most, "
        f"over {len(texts)} mails"
    )


def loading() -> str:
    """Seconds to load after the imports, and memory in all, of a fresh process."""
    code = (
        "import time; import torch, transformers; from transformers import BertModel; "
        "from pathlib import Path; from triage.triager import Triager; start = time.time(); "
        "t = Triager.load(Path('models/default')); s = time.time() - start; "
        "t.triage([('Reklamacja', 'Gdzie moja paczka?')]); "
        # Not ru_maxrss: a child begins with that of its parent.
        "peak = open('/proc/self/status').read().split('VmHWM:')[1].split()[0]; "
        "print(f'loading: {s:.2f} s after the imports, {int(peak) / 1024:.0f} MB in all')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


if __name__ == "__main__":
    main()
