"""The one interface of all methods: a score, and the four settings that turn a score into a ticket."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil, log
from typing import Annotated, Any, ClassVar, Literal, Self

import torch
from pydantic import Field
from torch import Tensor, nn

from methods import REGISTRY
from methods.scoring_copy import scoring_copy
from sanity.allocation import Allocation, SmartRatio, check_ratio
from sanity.errors import UserError, unknown
from sanity.masks import Mask, Scores, Survivors, allocate, check_finite, prunable
from sanity.moment import END, INIT, Moment, is_share, placed
from sanity.options import fill
from sanity.seeds import derive
from sanity.seeds import generator as seeded
from sanity.source_hash import source_hash
from sanity.store.identity import differing

Batches = Sequence[tuple[Tensor, Tensor]]


_MOMENTS = ("scored_at", "rewind_epoch")


@dataclass(frozen=True, kw_only=True)
class Method(ABC):
    """A pruning method: what it scores, how the budget is shared, in how many rounds, when, and what is retrained.

    A method of one's own derives from this class, overrides `saliency` and is a frozen dataclass of its options.

    allocation: how many weights each layer keeps: global | uniform | erk | smart_ratio.
    smart_decay: of smart_ratio: a layer's share by its place l of L: quadratic (L-l+1)^2 + (L-l+1), linear L-l+1, cubic
        (L-l+1)^3, ascending l^2 + l, or one density for all (balanced).
    smart_linear_keep: of smart_ratio: the share of the classifier that is kept.
    smart_layer_count: of smart_ratio: whether L counts every layer (Su et al. 2020) or the nominal depth (Atanov et al.
        2021), see `sanity.allocation.SmartRatio`.
    invert: keep the lowest scores instead (the inversion ablation of Frankle et al. 2021).
    rounds: how often it scores and prunes; what a round pruned is never revived.
    schedule: the density after round i of n is density^(i/n) (exponential) or 1 - ratio * i/n (linear).
    removed_per_round: fraction of the remaining weights that each round removes; sets the number of rounds instead.
    scored_at: the weights that are scored: of the `init`ialisation, of the `end` of dense training, or of a moment of
        it: an epoch (3 or 3ep), an iteration (1000it) or a share of the schedule (5%).
    rewind: what is retrained. `init`: the initialisation. `weights`: weights and batch-norm buffers of `rewind_epoch`.
        `learning_rate`: the weights and buffers that were scored, the schedule set back to `rewind_epoch`.
        `fine_tune`: the weights that were scored, at the schedule's last learning rate. The optimizer starts afresh
        in every case, as in the code of Atanov et al. 2021.
    rewind_epoch: the k of weight and learning-rate rewinding: an epoch, an iteration (500it), or a share of the
        schedule (5%: 8 of 160 epochs, 1 of 20; the nearest epoch, 1 at least); 0 with `weights` is the lottery ticket.
    retrain_epochs: how long the ticket trains; by default to the end of the schedule, `fine_tune` as long as the
        dense network did.
    """

    needs_data: ClassVar[bool] = False
    double: ClassVar[bool] = False
    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {}

    allocation: Literal["global", "uniform", "erk", "smart_ratio"] = "global"
    smart_decay: Literal["quadratic", "linear", "ascending", "cubic", "balanced"] = "quadratic"
    smart_linear_keep: Annotated[float, Field(ge=0, le=1)] = 0.3
    smart_layer_count: Literal["counted", "nominal"] = "counted"
    invert: bool = False
    rounds: Annotated[int, Field(ge=1)] = 1
    schedule: Literal["exponential", "linear"] = "exponential"
    removed_per_round: Annotated[float, Field(gt=0, lt=1)] | None = None
    scored_at: Moment = "init"
    rewind: Literal["init", "weights", "learning_rate", "fine_tune"] = "init"
    rewind_epoch: Moment = 0
    retrain_epochs: Annotated[int, Field(ge=1)] | None = None

    @abstractmethod
    def saliency(self, net: nn.Module, batches: Batches, generator: torch.Generator) -> dict[str, Tensor]:
        """The score of every prunable weight of `net`, keyed and shaped like `self.targets(net)`; higher is kept.

        net: a copy in full precision and evaluation mode, to be used freely but for its weights, which must stay.
        batches: (examples, targets) on the device of `net` and in its precision.
        generator: a CPU generator, the only source of randomness.
        """

    def targets(self, net: nn.Module) -> dict[str, nn.Parameter]:
        """The parameters that are scored and pruned: the weights of all convolutions and linear layers."""
        return prunable(net)

    def prepare(self, net: nn.Module, generator: torch.Generator) -> None:  # noqa: B027 (a hook, optional)
        """Turns the copy of the network into the one that is scored; once, before the first round."""

    def score(self, model: nn.Module, batches: Batches, generator: torch.Generator | None = None) -> dict[str, Tensor]:
        """The scores of the weights of `model`: parameter name -> tensor of the weight's shape, higher is kept.

        model: any module; left bit for bit as it is, also where this raises.
        batches: (examples, targets) pairs; methods that need no data read only the examples' shape.
        generator: None stands for one seeded with zero.

        Raises `UserError` naming the parameter whose score is NaN or infinite.
        """
        source = generator if generator is not None else seeded(0, "score")
        with scoring_copy(model, batches, self.double) as (net, prepared):
            self.prepare(net, derive(source, "prepare"))
            return self._scores(net, prepared, source)

    def mask(self, model: nn.Module, batches: Batches, ratio: float, generator: torch.Generator | None = None) -> Mask:
        """The mask after all rounds: parameter name -> boolean tensor, true where the weight is kept.

        Exactly round((1 - ratio) * N) weights are kept (smart_ratio: its published counts). Arguments as for `score`.
        Raises `UserError` for a ratio outside (0, 1) or one that leaves no weight.
        """
        source = generator if generator is not None else seeded(0, "score")
        with scoring_copy(model, batches, self.double) as (net, prepared):
            self.prepare(net, derive(source, "prepare"))
            targets = self.targets(net)
            left = Survivors(targets)
            for step, removed in enumerate(self.ratios(ratio)):
                scores = self._scores(net, prepared, derive(source, step) if step else source)
                gone = left.prune(scores, removed, self.rule())
                with torch.no_grad():
                    for name, parameter in targets.items():
                        parameter.put_(gone[name], parameter.new_zeros(()).expand(len(gone[name])))
            return left.mask()

    def prune(self, model: nn.Module, batches: Batches, ratio: float, generator: torch.Generator, alive: Mask) -> Mask:
        """One round by itself: scores `model` where `alive` and removes weights until `ratio` of all are gone."""
        with scoring_copy(model, batches, self.double) as (net, prepared):
            self.prepare(net, derive(generator, "prepare"))
            with torch.no_grad():
                for name, parameter in self.targets(net).items():
                    parameter.masked_fill_(~alive[name], 0)
            return allocate(self._scores(net, prepared, generator), ratio, self.rule(), alive)

    def ratios(self, ratio: float) -> list[float]:
        """The fraction of all weights that is gone after each round; the last is `ratio`, which must lie in (0, 1)."""
        check_ratio(ratio)
        rounds = self.rounds
        if self.removed_per_round is not None:
            exact = log(1 - ratio) / log(1 - self.removed_per_round)
            rounds = max(1, ceil(exact - 1e-9))
            return [*(1 - (1 - self.removed_per_round) ** i for i in range(1, rounds)), ratio]
        if self.schedule == "linear":
            return [*(ratio * i / rounds for i in range(1, rounds)), ratio]
        return [*(1 - (1 - ratio) ** (i / rounds) for i in range(1, rounds)), ratio]

    def placed(self, epochs: int) -> Self:
        """The method on a schedule of that many epochs: shares of it become whole epochs, one at least."""
        moments = {name: getattr(self, name) for name in _MOMENTS}
        changed: dict[str, Any] = {name: placed(value, epochs) for name, value in moments.items() if is_share(value)}
        if moments["rewind_epoch"] in (INIT, END):
            changed["rewind_epoch"] = 0 if moments["rewind_epoch"] == INIT else epochs
        return replace(self, **changed) if changed else self

    def key(self) -> list[Any]:
        """What names this method in stored results: its name, the options that differ from their defaults, and a hash
        of its source where it is not ours. Methods of one key give one mask for the same network and data."""
        return [REGISTRY.name_of(type(self)), differing(self), source_hash(type(self))]

    def rule(self) -> str | Allocation:
        """The allocation with this method's options."""
        if self.allocation != "smart_ratio":
            return self.allocation
        return SmartRatio(self.smart_decay, self.smart_linear_keep, self.smart_layer_count)

    def _scores(self, net: nn.Module, batches: Batches, generator: torch.Generator) -> dict[str, Tensor]:
        given = self.saliency(net, batches, generator)
        self._check(net, given)
        # in module order, whatever the order they came in: ties and layers are told apart by position
        scores = {name: given[name].detach() for name in self.targets(net)}
        return {name: -score for name, score in scores.items()} if self.invert else scores

    def _check(self, net: nn.Module, scores: Scores) -> None:
        owner, weights = type(self).__name__, self.targets(net)
        if missing := [name for name in weights if name not in scores]:
            raise UserError(f"{owner} gives no score for '{missing[0]}'")
        for name, score in scores.items():
            if name not in weights:
                raise UserError(f"{owner} scores '{name}', which is none of the weights: {', '.join(weights)}")
            if score.shape != weights[name].shape or not score.is_floating_point():
                got, wanted = (f"{value.dtype} {tuple(value.shape)}" for value in (score, weights[name]))
                raise UserError(f"{owner} scores '{name}' with {got}, but its weight has {wanted}")
        check_finite(scores)


def chunks(batch: tuple[Tensor, Tensor], size: int | None) -> Iterator[tuple[Tensor, Tensor, float]]:
    """Parts of a batch of at most `size` examples (None: the whole), each with its share of the batch's mean."""
    examples, targets = batch
    step = size or len(examples)
    for start in range(0, len(examples), step):
        part = slice(start, start + step)
        yield examples[part], targets[part], len(examples[part]) / len(examples)


def from_class(cls: type[Method], name: str, variant: str, options: Mapping[str, Any]) -> Method:
    """An instance of `cls` with the settings of `variant` under `options`."""
    if not (isinstance(cls, type) and issubclass(cls, Method)):
        raise UserError(f"method {name} is no class that derives from methods.base.Method")
    if variant and variant not in cls.variants:
        raise unknown(f"variant of {name}", variant, cls.variants)
    preset = cls.variants[variant] if variant else {}
    return fill(cls, {**preset, **options}, name)
