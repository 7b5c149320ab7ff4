"""Registers models and initialisations by name, without importing torch."""

from typing import Any

from sanity.config.registry import Registry

LIBRARIES = ("torchvision", "timm")


class _Models(Registry):
    """Registers models; those of torchvision and timm, and functions and modules of the user's, become models too."""

    def load(self, name: str) -> Any:
        """Imports the class of models called `name`; `torchvision:NAME` and `timm:NAME` need not be registered."""
        if ":" not in name:
            return super().load(name)
        from torch import nn  # what the help reads imports no torch

        from sanity.models import constructors  # which imports torch

        if name.partition(":")[0] in LIBRARIES:
            return constructors.from_library(name)
        loaded = super().load(name)
        return constructors.class_of(loaded, name) if issubclass(loaded, nn.Module) else loaded

    def fingerprint(self, name: str) -> str:
        """Returns a hash of the source of a user's network; of a library's, the library's version."""
        if name.partition(":")[0] not in LIBRARIES:
            return super().fingerprint(name)
        from sanity.models.constructors import library_version  # which imports torch

        return library_version(name)


REGISTRY = _Models(
    "model",
    "sanity.models",
    {
        "lenet_300_100": "sanity.models.lenet:LeNet300x100",
        "lenet5": "sanity.models.lenet:LeNet5",
        "lenet5_small": "sanity.models.lenet:LeNet5Small",
        "conv2": "sanity.models.lenet:Conv2",
        "conv4": "sanity.models.lenet:Conv4",
        "conv6": "sanity.models.lenet:Conv6",
        "resnet8": "sanity.models.resnet:ResNet8",
        "resnet20": "sanity.models.resnet:ResNet20",
        "resnet32": "sanity.models.resnet:ResNet32",
        "resnet44": "sanity.models.resnet:ResNet44",
        "resnet56": "sanity.models.resnet:ResNet56",
        "resnet110": "sanity.models.resnet:ResNet110",
        "resnetb20": "sanity.models.bottleneck:ResNetB20",
        "resnetb56": "sanity.models.bottleneck:ResNetB56",
        "resnetb110": "sanity.models.bottleneck:ResNetB110",
        "vgg11": "sanity.models.vgg:VGG11",
        "vgg13": "sanity.models.vgg:VGG13",
        "vgg16": "sanity.models.vgg:VGG16",
        "vgg19": "sanity.models.vgg:VGG19",
        "resnet18": "sanity.models.imagenet_resnet:ResNet18",
        "resnet50": "sanity.models.imagenet_resnet:ResNet50",
    },
    of_functions="sanity.models.constructors:class_of",
)

AS_BUILT, AS_BUILT_NONZERO = "as_built", "as_built_nonzero"
INITS = Registry(
    "initialisation",
    "sanity.inits",
    {
        "kaiming_fan_in": "sanity.models.init:KaimingFanIn",
        "kaiming_fan_out": "sanity.models.init:KaimingFanOut",
        "xavier_normal": "sanity.models.init:XavierNormal",
        "signed_constant": "sanity.models.init:SignedConstant",
        "standard_normal": "sanity.models.init:StandardNormal",
        "random_normal": "sanity.models.init:RandomNormal",
        "truncated_normal": "sanity.models.init:TruncatedNormal",
        "glorot": "sanity.models.init:Glorot",
        "he": "sanity.models.init:He",
        "lee2019": "sanity.models.init:Lee2019",
        "gahaalt2019": "sanity.models.init:Gahaalt2019",
        "lee2019_narrow": "sanity.models.init:Lee2019Narrow",
        "grasp": "sanity.models.init:GraSP",
        "su2020_vgg": "sanity.models.init:Su2020VGG",
        "goyal2017": "sanity.models.zero_ends:Goyal2017",
        "renda2020": "sanity.models.zero_ends:Renda2020",
        "frankle2021": "sanity.models.init:Frankle2021",
        "openlth": "sanity.models.init:OpenLTH",
        AS_BUILT: "sanity.models.init:AsBuilt",
        AS_BUILT_NONZERO: "sanity.models.init:AsBuiltNonzero",
    },
)
