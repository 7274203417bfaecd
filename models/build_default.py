"""``python -m models.build_default``: the shipped classifier from its corpus and encoder."""

import argparse
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from models.building import build
from models.dataset import read_examples
from triage.encoder import Encoder

HERE = Path(__file__).parent
# To be raised whenever another classifier is shipped: installations replace an older one by it.
VERSION = "default-1"


def main() -> None:
    options = _arguments()
    console = Console(stderr=True)
    examples = read_examples(sorted(options.examples.glob("*.jsonl")))
    # Always 32 bits: the heads must not depend on the processor that trained them.
    encoder = Encoder.load(options.encoder, precision="fp32")
    with Progress(console=console) as progress:
        task = progress.add_task("reading the mails", total=len(examples))
        manifest, report = build(
            examples,
            encoder,
            options.output,
            version=options.version,
            parent=None,
            created_at=datetime.now(UTC),
            cache=options.cache,
            encoder_folder=options.encoder,
            on_progress=lambda done, total: progress.update(task, completed=done, total=total),
        )
    Console().print(report.table(), highlight=False)
    size = sum(entry.size for entry in manifest.files.values())
    console.print(f"{options.output}: {manifest.version}, {size / 1e6:.1f} MB")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m models.build_default", description=__doc__)
    parser.add_argument(
        "--examples", type=Path, default=HERE / "data/train", help="folder of labelled mails"
    )
    parser.add_argument("--encoder", type=Path, default=HERE / "default", help="base encoder")
    parser.add_argument("--output", type=Path, default=HERE / "default")
    parser.add_argument("--version", default=VERSION, help="default: %(default)s")
    parser.add_argument("--cache", type=Path, help="folder that keeps embeddings between runs")
    return parser.parse_args()


if __name__ == "__main__":
    main()
