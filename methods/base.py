"""Defines the interface of all methods: a score, and the settings that turn a score into a ticket."""

import copy
import logging
from abc import ABC
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from methods.aspects import EVERYTHING, Aspect
from methods.budget import held_to_the_budget
from methods.data import ScoringData
from methods.moments import Watch
from methods.registry import REGISTRY
from methods.scores import check_scores, products_are_the_saliency
from methods.scoring_copy import remember, restore, scoring_copy, statistics_needed, zero
from methods.settings import Settings
from sanity.config.source_hash import code_key
from sanity.errors import UserError, of_ones_own
from sanity.masks import Mask, RankedMask, Scores, Survivors, check_feasible, kept, prunable
from sanity.masks.allocation import Allocation, kept_after
from sanity.masks.products import Products
from sanity.masks.ranking import as_ranked
from sanity.masks.updates import MaskUpdates
from sanity.seeds import derive
from sanity.seeds import generator as seeded
from sanity.store.identity import differing

log = logging.getLogger("sanity")
Batches = Sequence[tuple[Tensor, Tensor]]
_MANY_TIES = 0.01


@dataclass(frozen=True, kw_only=True)
class Method(Settings, ABC):
    """A pruning method: what it scores, how the budget is shared, in how many rounds, when, and what is retrained.

    A method of one's own derives from this class and is a frozen dataclass of its options. It overrides `saliency`, or
    `mask` where it constructs its mask without a score; that mask is held to the same budget.

    needs_data: whether it reads training examples, which `data` then describes.
    double: whether it scores in float64.
    revive: whether a later round may keep a weight that an earlier one pruned. It then has its old value again, which
        `methods.scoring_copy.original_weights` tells while it is pruned.
    exact_counts: whether a constructed mask must keep the budget's count. reads_files: whether it comes from files.
    healed_by: checks that must raise the accuracy of its tickets, of a control whose defect is known.
    """

    version: ClassVar[int] = 1
    """Raised where the same options come to give another mask: its results, and no others, are then computed anew."""
    needs_data: ClassVar[bool] = False
    double: ClassVar[bool] = False
    revive: ClassVar[bool] = False
    exact_counts: ClassVar[bool] = True
    reads_files: ClassVar[bool] = False
    healed_by: ClassVar[frozenset[str]] = frozenset()
    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {}

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "mask" in vars(cls):
            cls.mask = held_to_the_budget(cls.mask)  # type: ignore[method-assign]
        if "looks_at" not in vars(cls) and {"saliency", "mask", "prepare", "targets"} & vars(cls).keys():
            cls.looks_at = Method.looks_at  # type: ignore[method-assign]  # another formula may look at more

    def __new__(cls, *_: Any, **__: Any) -> Self:
        if cls.saliency is Method.saliency and cls.mask is Method.mask:
            raise UserError(f"{cls.__name__} overrides neither saliency nor mask, so that nothing tells what it keeps")
        return super().__new__(cls)

    @property
    def called(self) -> str:
        """The user's word for it, which messages use: a registered name, `module:Class` or `file.py:Class`."""
        return REGISTRY.word_for(type(self))

    @property
    def data(self) -> ScoringData | None:
        """Which training examples it scores on; None where it needs none."""
        return None

    @property
    def looks_at(self) -> frozenset[Aspect]:
        """What the mask may depend on (`methods.aspects`). A method that looks at less may say so; it is proven."""
        return EVERYTHING if self.needs_data else EVERYTHING - {"data"}

    @property
    def needs_start(self) -> bool:
        """Whether it compares the scored weights with those before training (`methods.scoring_copy.start_of`)."""
        return False

    @property
    def watch(self) -> Watch | None:
        """How dense training is watched until the mask is drawn; None where `scored_at` says when."""
        return None

    def saliency(self, net: nn.Module, batches: Batches, generator: torch.Generator) -> dict[str, Tensor]:
        """Returns the score of every prunable weight, keyed and shaped like `self.targets(net)`; higher is kept.

        net: a copy in full precision and evaluation mode, to be used freely but for its weights, which must stay.
        batches: (examples, targets) on the device of `net` and in its precision.
        generator: a CPU generator, the only source of randomness.
        """
        raise UserError(f"{self.called} constructs its mask and has no score")

    def products(self, net: nn.Module, batches: Batches, generator: torch.Generator) -> Products | None:
        """Returns the factors of |slope * weight|, where that is what `saliency` gives; a search multiplies few."""
        return None

    def targets(self, net: nn.Module) -> dict[str, nn.Parameter]:
        """Returns the parameters that are scored and pruned: the weights of all convolutions and linear layers."""
        return prunable(net)

    def prepare(self, net: nn.Module, generator: torch.Generator) -> None:
        """Turns the copy of the network into the one that is scored; once, before the first round."""

    def bare_passes(self, net: nn.Module, batches: Batches) -> None:
        """Runs only the forward and backward passes that one round of the formula needs.

        net: as `saliency` gets it. `python -m sanity.scoring_cost` compares the time of a mask with this.
        """

    def score(self, model: nn.Module, batches: Batches, generator: torch.Generator | None = None) -> dict[str, Tensor]:
        """Returns the scores of the weights of `model`: parameter name -> tensor of the weight's shape, higher is kept.

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
        """Returns the mask after all rounds: parameter name -> boolean tensor, true where the weight is kept.

        Exactly round((1 - ratio) * N) weights are kept (smart_ratio: its published counts). Arguments as for `score`.
        Raises `UserError` for a ratio outside (0, 1) or one that leaves no weight, and, where a subclass overrides it,
        for a mask of other names, shapes or counts.
        """
        ratios = self.ratios(ratio)
        self.check_feasible(model, ratio)
        return self._rounds(model, batches, ratios, generator)

    def prune(self, model: nn.Module, batches: Batches, ratio: float, generator: torch.Generator, alive: Mask) -> Mask:
        """Runs one round: scores `model` where `alive` and removes weights until `ratio` of all are gone."""
        if not self.constructs:
            return self._rounds(model, batches, [ratio], generator, alive)
        return self.among_alive(self.mask(model, batches, ratio, generator), alive)

    def among_alive(self, mask: Mask, alive: Mask) -> Mask:
        """Returns a mask that was constructed. Raises `UserError` where it keeps a weight that is not `alive`."""
        if any((layer & ~alive[name]).any() for name, layer in mask.items()):
            raise UserError(f"{self.called} constructs its mask, which several rounds cannot refine; set rounds=1")
        return mask

    @property
    def constructs(self) -> bool:
        """Whether the method makes its mask directly, without a score for every weight."""
        return type(self).saliency is Method.saliency

    def _rounds(
        self,
        model: nn.Module,
        batches: Batches,
        ratios: Sequence[float],
        generator: torch.Generator | None,
        alive: Mask | None = None,
    ) -> Mask:
        """Scores and prunes until each of `ratios` is gone, among the weights that are `alive` (None: all)."""
        source = generator if generator is not None else seeded(0, "score")
        with scoring_copy(model, batches, self.double) as (net, prepared):
            self.prepare(net, derive(source, "prepare"))
            targets, pattern = self.targets(net), self.kept_together(model)
            if self.revive:
                remember(net, targets)
            if alive is not None:
                zero(targets, {name: (~layer).flatten().nonzero().squeeze(1) for name, layer in alive.items()})
            survivors = Survivors(targets, None if self.revive else alive, pattern)
            for step, ratio in enumerate(ratios):
                scores = self._to_rank(net, prepared, derive(source, step) if step else source)
                keep = self._keep(survivors, ratio, ratios[step - 1] if step else None)
                if self.revive:
                    survivors = Survivors(targets, pattern=pattern)
                    restore(net, targets)
                zero(targets, survivors.prune_round(scores, ratio, self.rule(), keep, is_finite=True))
                del scores  # before the next round's, which get their memory
            return self._reported(survivors.mask())

    def _keep(self, survivors: Survivors, ratio: float, ratio_before: float | None) -> int | None:
        """Returns how many weights the round to `ratio` keeps; None for the usual number."""
        if self.counts == "rounded":
            return None
        if ratio_before is None:  # the first round, or one by itself
            ladder = self.ratios(ratio) if self.removed_per_round is not None else []
            is_later = survivors.left() < survivors.total
            ratio_before = ladder[-2] if is_later and len(ladder) > 1 else 1 - survivors.left() / survivors.total
        return kept_after(self.counts, survivors.total, ratio, survivors.left(), ratio_before)

    def _reported(self, mask: RankedMask) -> Mask:
        """Returns `mask`; says so in the log where position decided on many of its weights."""
        if mask.ties > _MANY_TIES * kept(mask):
            tied = f"{mask.ties} of {kept(mask)} kept weights scored the same as removed ones"
            log.warning("%s: %s; their position in the network decided", self.called, tied)
        return mask

    def key(self) -> list[Any]:
        """Names this method in stored results: its name, the options that differ from their defaults, and its code.

        Of the code: the version where it is not the first, and a hash of the source where it is not ours. Methods of
        one key give one mask for the same network and data.
        """
        return [REGISTRY.name_of(type(self)), differing(self), code_key(type(self))]

    def at(self, ratio: float, seed: int) -> Self:
        """Returns the method of one ratio and seed, e.g. with the file that holds its mask."""
        return self

    def mask_updates(self, ratio: float) -> MaskUpdates | None:
        """Returns how the mask changes while a ticket of this ratio trains; None: it stays as it was found."""
        return None

    def check_training(self) -> None:
        """Raises `UserError` where its options make no sense in the training of its tickets; asked before any runs."""

    @property
    def starts_dense(self) -> bool:
        """Whether the mask comes about in the ticket's training alone, which starts from the dense network."""
        rule = self.mask_updates(0.5)
        return rule is not None and rule.starts_dense

    def printed_accuracy(self) -> float | None:
        """Returns the test accuracy in percent that a paper prints for the unperturbed ticket, if one is given."""
        return None

    def inputs(self) -> str:
        """Names what the mask depends on beside options, network and data, e.g. by the digest of a file."""
        return ""

    def why_no_data_checks(self) -> str:
        """Returns the reason why checks of the data can say nothing of this method; empty where they can."""
        return ""

    def allocated(self, rule: Allocation) -> Self:
        """Returns the method with another allocation, for one search: a copy of it, by `replace`, has its own again."""
        other = copy.copy(self)
        object.__setattr__(other, "rule", lambda: rule)
        return other

    def check_feasible(self, net: nn.Module, ratio: float) -> None:
        """Raises `UserError` where no mask of `net` can have this ratio, whatever the scores."""
        self.ratios(ratio)
        if self.constructs and self.invert:
            raise UserError(f"{self.called} constructs its mask: there is no ranking to invert")
        with of_ones_own(f"{type(self).__name__}.targets"):
            targets = self.targets(net)
        if not isinstance(targets, Mapping) or not targets:
            raise UserError(f"{type(self).__name__}.targets must return the parameters to prune by name, at least one")
        pattern = self.kept_together(net)
        if self.constructs and pattern.keeps_units_whole:
            raise UserError(f"{self.called} constructs its mask, which pattern={self.pattern} cannot shape")
        check_feasible(targets, ratio, self.rule(), pattern)

    def rehearse(self, model: nn.Module, batches: Batches) -> None:
        """Raises `UserError` where one of `batches` has a single example and batch norm needs more; cheap."""
        single = [batch for batch in batches if len(batch[0]) == 1][:1]
        if single and not self.constructs:
            with scoring_copy(model, single, self.double) as (net, prepared), statistics_needed(self.called):
                self.prepare(net, seeded(0, "prepare"))
                self.bare_passes(net, prepared)

    def _to_rank(self, net: nn.Module, batches: Batches, generator: torch.Generator) -> Scores | Products:
        """Returns what a round ranks: products where that will do, else scores."""
        if not self.invert and not self.revive and products_are_the_saliency(self):
            with statistics_needed(self.called):
                products = self.products(net, batches, generator)
            if products is not None:
                return products
        return self._scores(net, batches, generator)

    def _scores(self, net: nn.Module, batches: Batches, generator: torch.Generator) -> dict[str, Tensor]:
        with statistics_needed(self.called):
            by_name = self.saliency(net, batches, generator)
        weights = self.targets(net)
        check_scores(by_name, weights, self.called)
        # Always in module order: ties between scores are broken by position.
        scores = {name: as_ranked(by_name[name].detach()) for name in weights}
        return {name: -score for name, score in scores.items()} if self.invert else scores
