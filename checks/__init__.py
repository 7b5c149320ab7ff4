"""Registers the sanity checks by name and composes them with `+`. Importing it loads no torch; `get` does."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sanity.config.registry import Registry
from sanity.errors import UserError

if TYPE_CHECKING:
    from checks.base import Check

REGISTRY = Registry(
    "check",
    "sanity.checks",
    {
        "none": "checks.none:Unperturbed",
        "random_labels": "checks.random_labels:RandomLabels",
        "random_pixels": "checks.random_pixels:RandomPixels",
        "resample": "checks.resample:Resample",
        "half_dataset": "checks.half_dataset:HalfDataset",
        "label_noise": "checks.label_noise:LabelNoise",
        "examples": "checks.examples:FewExamples",
        "one_class": "checks.one_class:OneClass",
        "noise_inputs": "checks.noise_inputs:NoiseInputs",
        "blank_inputs": "checks.blank_inputs:BlankInputs",
        "transfer": "checks.transfer:Transfer",
        "layerwise_rearrange": "checks.layerwise_rearrange:LayerwiseRearrange",
        "rewire": "checks.rewire:Rewire",
        "rearrange_units": "checks.rearrange_units:RearrangeUnits",
        "rearrange_kernels": "checks.rearrange_kernels:RearrangeKernels",
        "density_of": "checks.density_of:DensityOf",
        "positions_of": "checks.positions_of:PositionsOf",
        "layer_order": "checks.layer_order:LayerOrder",
        "layerwise_shuffle": "checks.layerwise_shuffle:LayerwiseShuffle",
        "permute_neurons": "checks.permute_neurons:PermuteNeurons",
        "reinit": "checks.reinit:Reinit",
        "invert": "checks.invert:Invert",
        "signed_reinit": "checks.signed_reinit:SignedReinit",
        "signed_constant": "checks.signed_constant:SignedConstant",
        "signed_shuffle": "checks.signed_shuffle:SignedShuffle",
        "sign_flip": "checks.sign_flip:SignFlip",
        "sign_of_end": "checks.sign_of_end:SignOfEnd",
        "freeze": "checks.freeze:Freeze",
        "at_epoch": "checks.at_epoch:AtEpoch",
        "other_init": "checks.other_init:OtherInit",
    },
)


def get(name: str, options: Mapping[str, Mapping[str, Any]] | None = None, **single: Any) -> "Check":
    """Returns the check called `name`, or several joined by `+`, applied from left to right.

    options: per part of a composed check, its options; `single` are those of a check that stands alone.
    Raises `UserError` for an unknown name or option and for a part named twice.
    """
    from checks.base import Composed, from_class  # which imports torch

    parts = [part.strip() for part in name.split("+")]
    if len(set(parts)) < len(parts):
        raise UserError(f"check '{name}' names a part twice")
    options_by_check = dict(options or {})
    if single:
        options_by_check[parts[0]] = {**options_by_check.get(parts[0], {}), **single}
    checks = {part: from_class(REGISTRY.load(part), part, options_by_check.get(part, {})) for part in parts}
    return next(iter(checks.values())) if len(checks) == 1 else Composed(checks)
