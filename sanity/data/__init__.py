"""Registers data sets by name, without importing torch. `sanity.data.dataset.load` reads one into tensors."""

from sanity.config.registry import Registry

REGISTRY = Registry(
    "dataset",
    "sanity.datasets",
    {
        "digits": "sanity.data.digits:Digits",
        "mnist": "sanity.data.mnist:MNIST",
        "fashion_mnist": "sanity.data.mnist:FashionMNIST",
        "cifar10": "sanity.data.cifar:CIFAR10",
        "cifar100": "sanity.data.cifar:CIFAR100",
        "tiny_imagenet": "sanity.data.folders:TinyImageNet",
        "imagenet": "sanity.data.folders:ImageNet",
        "imagefolder": "sanity.data.folders:ImageFolder",
    },
    of_functions="sanity.data.functions:as_source",
)
