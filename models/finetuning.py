"""Fine-tuning the encoder: all layers of the transformer learn causes and urgencies together.

Half an hour to hours on a processor; done for the shipped classifier, and by a shop
that wants more than new heads. Word embeddings stay as they are: most of the weights, and words
that no training mail has must keep their meaning.
"""

import hashlib
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from models.augmentation import augmented
from models.dataset import Example, dataset_hash
from triage.classifier import Head
from triage.encoder import Encoder, best_precision

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Recipe:
    """How to fine-tune; the defaults are what the shipped classifier was made with."""

    epochs: int = 5
    batch: int = 32  # texts a step
    rate: float = 1e-4  # learning rate of the topmost layer
    head_rate: float = 1e-3
    layer_decay: float = 0.9  # each layer learns so much slower than the one above it
    warm_up: float = 0.1  # share of the steps during which the rate grows
    weight_decay: float = 0.01
    urgency: float = 1.0  # weight of the urgency's loss beside the cause's
    contrastive: float = 0.3  # weight of the supervised contrastive loss: Khosla et al. 2020
    augmentation: float = 0.3  # share of texts that are changed, anew in each epoch
    smoothing: float = 0.05  # label smoothing
    average: float = 0.99  # decay of the moving average of the weights; 0: none
    seed: int = 0


# The scale of the heads' inputs: embeddings have length 1, and logits need a longer lever.
_SCALE = 16.0
_PROJECTED = 128  # dimensions
_TEMPERATURE = 0.1  # of the contrastive loss
_FROZEN = "embeddings.word_embeddings"

Progress = Callable[[int, int, float], None]  # steps done, steps in all, mean loss so far


def fine_tune(
    encoder: Encoder,
    examples: Sequence[Example],
    *,
    causes: tuple[str, ...],
    urgencies: tuple[str, ...],
    recipe: Recipe = Recipe(),
    teacher: tuple[np.ndarray, np.ndarray] | None = None,
    checkpoint: Path | None = None,
    on_progress: Progress | None = None,
) -> tuple[Head, Head]:
    """Train the encoder's layers in place, and return the heads of cause and urgency.

    encoder: loaded with 32 bits. teacher: what another classifier says of the examples, as
    probabilities of shape (n, causes) and (n, urgencies); half of each target then comes from it
    (distillation: Hinton et al. 2015). checkpoint: a file written after each epoch, from which a
    run that was stopped goes on; it is removed at the end; not with a teacher. The same arguments
    on the same machine give the same weights.
    """
    import torch

    # Gradients of a text that is long learnt are next to nothing, and processors take a hundred
    # times as long for numbers below 1e-38.
    torch.set_flush_denormal(True)
    torch.manual_seed(recipe.seed)
    training = _Training(encoder, examples, causes, urgencies, recipe)
    if teacher is not None:
        training.follow(*teacher)
    key = run_key(encoder, examples, recipe)
    done = 0 if checkpoint is None else training.resume(checkpoint, key)
    encoder.model.train()
    try:
        for epoch in range(done, recipe.epochs):
            training.run_epoch(epoch, on_progress)
            if checkpoint is not None:
                training.save(checkpoint, key, epoch + 1)
    finally:
        encoder.model.eval()  # type: ignore[no-untyped-call]
    training.take_average()
    if checkpoint is not None:
        checkpoint.unlink(missing_ok=True)
    return training.head("cause", causes), training.head("urgency", urgencies)


def run_key(encoder: Encoder, examples: Sequence[Example], recipe: Recipe) -> str:
    """The same for runs that give the same weights; in hexadecimal."""
    parts = f"{recipe} {dataset_hash(examples)} {encoder.hash}"
    return hashlib.sha256(parts.encode()).hexdigest()


class _Training:
    """Weights, heads, optimiser and targets of one run."""

    def __init__(
        self,
        encoder: Encoder,
        examples: Sequence[Example],
        causes: tuple[str, ...],
        urgencies: tuple[str, ...],
        recipe: Recipe,
    ) -> None:
        import torch

        self.encoder, self.examples, self.recipe = encoder, examples, recipe
        self.heads = torch.nn.ModuleDict(
            {
                "cause": torch.nn.Linear(encoder.dimensions, len(causes)),
                "urgency": torch.nn.Linear(encoder.dimensions, len(urgencies)),
            }
        )
        for parameter in self.heads.parameters():
            torch.nn.init.zeros_(parameter)
        device = encoder.model.device
        self.heads.to(device)
        self.cause_targets = _targets([e.cause for e in examples], causes, recipe.smoothing)
        for row, example in zip(self.cause_targets, examples, strict=True):
            _share_with_secondary(row, example, causes)
        self.cause_targets = self.cause_targets.to(device)
        self.urgency_targets = _targets(
            [e.urgency for e in examples], urgencies, recipe.smoothing
        ).to(device)
        # The contrastive losses pull at projections of the embedding, so that sorting by cause does
        # not wipe out what tells the urgencies apart: Chen et al. 2020, section 4.2.
        self.projections = torch.nn.ModuleDict(
            {
                name: torch.nn.Linear(encoder.dimensions, _PROJECTED, bias=False)
                for name in ("cause", "urgency")
            }
        )
        # Critical mails are few, and missing one is what hurts.
        counts = self.urgency_targets.argmax(1).bincount(minlength=len(urgencies)).float()
        self.balance = (counts.mean() / counts.clamp(1)) ** 0.5
        self.projections.to(device)
        learning = [self.heads, self.projections] if recipe.contrastive else [self.heads]
        groups = _groups(encoder.model, learning, recipe)
        self.optimiser = torch.optim.AdamW(groups, weight_decay=recipe.weight_decay)
        self.rates = [group["lr"] for group in self.optimiser.param_groups]
        self.weights = [p for group in self.optimiser.param_groups for p in group["params"]]
        self.average = [weight.detach().clone() for weight in self.weights]
        self.steps_per_epoch = -(-len(examples) // recipe.batch)
        self.half = torch.autocast(
            device.type, torch.bfloat16, enabled=best_precision(device) == "bf16"
        )

    def follow(self, cause: np.ndarray, urgency: np.ndarray) -> None:
        import torch

        for targets, said in ((self.cause_targets, cause), (self.urgency_targets, urgency)):
            targets.lerp_(torch.from_numpy(said).to(targets), 0.5)

    def run_epoch(self, epoch: int, on_progress: Progress | None) -> None:
        rng = random.Random(f"{self.recipe.seed} {epoch}")
        order = list(range(len(self.examples)))
        rng.shuffle(order)
        steps = self.recipe.epochs * self.steps_per_epoch
        mean_loss = 0.0
        for number in range(self.steps_per_epoch):
            step = epoch * self.steps_per_epoch + number
            batch = order[number * self.recipe.batch : (number + 1) * self.recipe.batch]
            loss = self._step(batch, step / steps, rng)
            self._move_average(step)
            mean_loss += (loss - mean_loss) / min(number + 1, 20)
            if on_progress is not None:
                on_progress(step + 1, steps, mean_loss)

    def _step(self, batch: list[int], done: float, rng: random.Random) -> float:
        import torch
        from torch.nn.attention import SDPBackend, sdpa_kernel

        for group, rate in zip(self.optimiser.param_groups, self.rates, strict=True):
            group["lr"] = rate * _schedule(done, self.recipe.warm_up)
        texts = [
            augmented(self.examples[index].text, rng, self.recipe.augmentation) for index in batch
        ]
        # The plain attention learns faster than the fused one on short texts.
        with self.half, sdpa_kernel(SDPBackend.MATH):
            embeddings = self.encoder.embed_tokens(self.encoder.tokens(texts))
        loss = torch.nn.functional.cross_entropy(
            self.heads["cause"](embeddings * _SCALE), self.cause_targets[batch]
        )
        loss = loss + self.recipe.urgency * torch.nn.functional.cross_entropy(
            self.heads["urgency"](embeddings * _SCALE),
            self.urgency_targets[batch],
            weight=self.balance,
        )
        if self.recipe.contrastive:
            for name, targets in (
                ("cause", self.cause_targets[batch]),
                ("urgency", self.urgency_targets[batch]),
            ):
                projected = self.projections[name](embeddings)
                loss = loss + self.recipe.contrastive * _contrastive(projected, targets.argmax(1))
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.weights, 1.0)
        self.optimiser.step()
        return float(loss.item())

    def _move_average(self, step: int) -> None:
        decay = min(self.recipe.average, (step + 1) / (step + 10))
        for kept, now in zip(self.average, self.weights, strict=True):
            kept.lerp_(now.detach(), 1 - decay)

    def take_average(self) -> None:
        """Put the averaged weights in the place of the last ones: Izmailov et al. 2018."""
        if self.recipe.average:
            for kept, now in zip(self.average, self.weights, strict=True):
                now.data.copy_(kept)

    def head(self, name: str, labels: tuple[str, ...]) -> Head:
        weight, bias = (p.detach().cpu().numpy() for p in self.heads[name].parameters())
        return Head(labels=labels, weight=(weight * _SCALE).astype(np.float32), bias=bias.copy())

    def save(self, path: Path, key: str, epochs: int) -> None:
        """Write everything that the next epoch starts from, whole or not at all."""
        import torch
        from safetensors.torch import save_file

        tensors: dict[str, torch.Tensor] = {}
        for index, (weight, average) in enumerate(zip(self.weights, self.average, strict=True)):
            state = self.optimiser.state[weight]
            tensors |= {
                f"{index}.weight": weight.detach(),
                f"{index}.average": average,
                f"{index}.first": state["exp_avg"],
                f"{index}.second": state["exp_avg_sq"],
                f"{index}.step": state["step"],
            }
        fresh = path.with_suffix(".new")
        save_file(tensors, fresh, metadata={"key": key, "epochs": str(epochs)})
        fresh.replace(path)

    def resume(self, path: Path, key: str) -> int:
        """Go on from a checkpoint of this very run; the number of epochs that it has done."""
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, "pt") as file:
                metadata = file.metadata() or {}
                if metadata.get("key") != key:
                    return 0
                for index, weight in enumerate(self.weights):
                    weight.data.copy_(file.get_tensor(f"{index}.weight"))
                    self.average[index].copy_(file.get_tensor(f"{index}.average"))
                    self.optimiser.state[weight] = {
                        "step": file.get_tensor(f"{index}.step"),
                        "exp_avg": file.get_tensor(f"{index}.first").to(weight.device),
                        "exp_avg_sq": file.get_tensor(f"{index}.second").to(weight.device),
                    }
        except (OSError, SafetensorError):
            return 0
        return int(metadata["epochs"])


def _targets(values: Sequence[str], labels: tuple[str, ...], smoothing: float) -> "torch.Tensor":
    import torch

    rows = torch.full((len(values), len(labels)), smoothing / len(labels))
    for row, value in zip(rows, values, strict=True):
        row[labels.index(value)] += 1 - smoothing
    return rows


def _share_with_secondary(row: "torch.Tensor", example: Example, causes: tuple[str, ...]) -> None:
    for code in example.secondary[:1]:
        if code in causes:
            row *= 0.85
            row[causes.index(code)] += 0.15


def _groups(
    model: "torch.nn.Module", others: Sequence["torch.nn.Module"], recipe: Recipe
) -> list[dict[str, object]]:
    """Parameters with their learning rates: the deeper the layer, the slower it learns."""
    layers = 1 + max(
        int(m.group(1))
        for n, _ in model.named_parameters()
        if (m := re.search(r"layer\.(\d+)\.", n))
    )
    groups: dict[int, list[torch.nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        frozen = name.startswith(_FROZEN)
        parameter.requires_grad_(not frozen)
        if not frozen:
            found = re.search(r"layer\.(\d+)\.", name)
            groups.setdefault(int(found.group(1)) if found else -1, []).append(parameter)
    result: list[dict[str, object]] = [
        {"params": group, "lr": recipe.rate * recipe.layer_decay ** (layers - 1 - depth)}
        for depth, group in groups.items()
    ]
    fresh = [parameter for module in others for parameter in module.parameters()]
    return [*result, {"params": fresh, "lr": recipe.head_rate}]


def _schedule(done: float, warm_up: float) -> float:
    """Linear warm-up, then a linear way down; 0 to 1."""
    return done / warm_up if done < warm_up else max(0.0, (1 - done) / (1 - warm_up))


def _contrastive(projected: "torch.Tensor", labels: "torch.Tensor") -> "torch.Tensor":
    """Supervised contrastive loss within a batch: Khosla et al. 2020, equation 2."""
    import torch

    centred = torch.nn.functional.normalize(projected - projected.mean(0).detach(), dim=1)
    same = (labels[:, None] == labels[None, :]).float()
    same.fill_diagonal_(0)
    own = torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    logits = (centred @ centred.T / _TEMPERATURE).masked_fill(own, -1e9)
    log_shares = torch.log_softmax(logits, 1)
    have = same.sum(1) > 0
    if not have.any():
        return projected.sum() * 0
    return -((log_shares * same).sum(1)[have] / same.sum(1)[have]).mean()
