"""Defines the settings of all methods: how the budget is shared, in how many rounds, when, and what is retrained."""

from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal, Self

from pydantic import Field
from torch import nn

from methods.rounds import MOST_ROUNDS, ladder
from sanity.config.moment import END, INIT, Moment, WeightsMoment, is_share, placed
from sanity.errors import UserError
from sanity.masks import patterns
from sanity.masks.allocation import Allocation, Counts, SmartRatio
from sanity.masks.layerwise import FROM, AllocationName, LayerRates
from sanity.masks.pattern_base import Pattern
from sanity.masks.patterns import PatternName

Rewind = Literal["init", "weights", "learning_rate", "fine_tune", "redraw"]
_MOMENTS = ("scored_at", "rewind_epoch", "weights_at")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Turns scores into a ticket: the options that every method has, and what follows from them alone.

    allocation: how many weights each layer keeps: `global`, by one ranking; or, whatever the scores (see
        `sanity.masks.layerwise`): uniform | uniform_first_dense | uniform_plus | erk | er | balanced | pyramidal
        | igq | layer_rates | smart_ratio; or `from:METHOD`, as many as METHOD's mask (its default options, those of a
        paper: `from:snip@lee2019`, or others: `from:synflow[rounds=1]`) of the same network, data, ratio and seed.
    convolution_rate: of layer_rates: what a round removes of a convolution, as a multiple of what it removes of a
        linear layer (of the last layer it removes half). Several rounds need `removed_per_round`; without it there is
        one, whose share follows from the ratio.
    smart_decay: of smart_ratio: a layer's share by its place l of L: quadratic (L-l+1)^2 + (L-l+1), linear L-l+1, cubic
        (L-l+1)^3, ascending l^2 + l, or one density for all (balanced).
    smart_linear_keep: of smart_ratio: the share of the classifier that is kept.
    smart_layer_count: of smart_ratio: whether L counts every layer (Su et al. 2020) or the nominal depth (Atanov et al.
        2021), see `sanity.masks.allocation.SmartRatio`.
    smart_normaliser: of smart_ratio: whether the shares are normalised over the `convolutions` (Su et al.) or `all`
        layers (Atanov et al.).
    invert: keep the lowest scores instead (the inversion ablation of Frankle et al. 2021).
    pattern: which weights are kept or removed together: `unstructured`, every weight by itself; or N:M, as in 2:4, N of
        every M consecutive weights along the input dimension (of a convolution: channels * height * width). The ratio
        is then 1 - N/M, and a layer whose input dimension is no multiple of M stays dense. Or `channel`, the filters of
        convolutions, whose scores are summed: the ratio is then the share of all channels that goes, `counts` counts
        them, and one stays in every layer; channels that residual connections add go together, linear layers stay.
        `inner_channel` leaves these whole: in a ResNet only channels inside its blocks go.
    counts: how many weights a round keeps: round(density * N) (`rounded`), or as a paper's code counts, int(density *
        N) (`kept_floored`), N - int(ratio * N) (`removed_floored`), `one_more_kept` or one fewer
        (`one_more_than_floored`); or those that remain less the round's share of them rounded up (`removed_ceiled`), or
        `one_more_removed`.
    rounds: how often it scores and prunes; what a round pruned stays pruned.
    schedule: the density after round i of n is density^(i/n) (exponential) or 1 - ratio * i/n (linear).
    removed_per_round: fraction of the remaining weights that each round removes; sets the number of rounds instead.
    scored_at: the weights that are scored: of the `init`ialisation, of the `end` of dense training, or of a moment of
        it: an epoch (3 or 3ep), an iteration (1000it) or a share of the schedule (5%). `best` is the epoch whose test
        accuracy is highest (the first of equal ones), best30 that of the first 30 epochs: the test set then chooses,
        and accuracies are no longer those of unseen examples.
    rewind: what is retrained. `init`: the initialisation. `weights`: weights and batch-norm buffers of `rewind_epoch`.
        `learning_rate`: the weights and buffers that were scored, the schedule set back to `rewind_epoch`.
        `fine_tune`: the weights that were scored, at the schedule's last learning rate. The optimizer starts afresh
        in every case, as in the code of Atanov et al. 2021. `redraw`: new initial weights, drawn for every round anew
        (Renda et al.: lottery_reset_to=reinitialize).
    rewind_epoch: the k of weight and learning-rate rewinding: an epoch, an iteration (500it), or a share of the
        schedule (5%: 8 of 160 epochs, 1 of 20; the nearest epoch, 1 at least); 0 with `weights` is the lottery ticket.
    weights_at: of weight rewinding: the moment whose weights are retrained, where it is not `rewind_epoch`; `best` too.
    retrain_epochs: how long the ticket trains; by default to the end of the schedule, `fine_tune` as long as the
        dense network did.
    retrain_lr: the constant learning rate at which the ticket trains, in place of the schedule's: fine-tuning at any
        rate (`rewind=fine_tune`), or rewound weights at a low one; the forced learning rate of Renda et al.'s code.
    """

    allocation: AllocationName = "global"
    convolution_rate: Annotated[float, Field(gt=0, le=1)] = 0.5
    smart_decay: Literal["quadratic", "linear", "ascending", "cubic", "balanced"] = "quadratic"
    smart_linear_keep: Annotated[float, Field(ge=0, le=1)] = 0.3
    smart_layer_count: Literal["counted", "nominal"] = "counted"
    smart_normaliser: Literal["convolutions", "all"] = "convolutions"
    invert: bool = False
    pattern: PatternName = "unstructured"
    counts: Counts = "rounded"
    rounds: Annotated[int, Field(ge=1, le=MOST_ROUNDS)] = 1
    schedule: Literal["exponential", "linear"] = "exponential"
    removed_per_round: Annotated[float, Field(gt=0, lt=1)] | None = None
    scored_at: WeightsMoment = "init"
    rewind: Rewind = "init"
    rewind_epoch: Moment = 0
    weights_at: WeightsMoment | None = None
    retrain_epochs: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    retrain_lr: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None

    def ratios(self, ratio: float) -> list[float]:
        """Returns the fraction of all weights removed after each round; the last is `ratio`, in (0, 1)."""
        return ladder(ratio, self.rounds, self.schedule, self.removed_per_round)

    def placed(self, epochs: int) -> Self:
        """Returns the method on a schedule of that many epochs: shares of it become whole epochs, one at least."""
        moments = {name: getattr(self, name) for name in _MOMENTS}
        changed: dict[str, Any] = {name: placed(value, epochs) for name, value in moments.items() if is_share(value)}
        for name in ("rewind_epoch", "weights_at"):
            if moments[name] in (INIT, END):
                changed[name] = 0 if moments[name] == INIT else epochs
        return replace(self, **changed) if changed else self

    @property
    def counts_from(self) -> str:
        """The method whose layer counts it takes, as `snip` or `synflow[rounds=1]`; empty where no method is named."""
        return self.allocation.removeprefix(FROM) if self.allocation.startswith(FROM) else ""

    def rule(self) -> str | Allocation:
        """Returns the allocation with this method's options."""
        if self.allocation == "layer_rates":
            if self.rounds > 1 and self.removed_per_round is None:
                raise UserError(
                    f"allocation=layer_rates with rounds={self.rounds}: what a round removes of a layer follows from "
                    "its share of all weights; set removed_per_round, which sets the number of rounds"
                )
            return LayerRates(self.removed_per_round, self.convolution_rate)
        if self.allocation != "smart_ratio":
            return self.allocation
        return SmartRatio(
            self.smart_decay, self.smart_linear_keep, self.smart_layer_count, normaliser=self.smart_normaliser
        )

    def kept_together(self, net: nn.Module) -> Pattern:
        """Returns the pattern of that name in `net`."""
        return patterns.get(self.pattern, net)
