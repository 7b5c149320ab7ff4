"""Data sets by name; naming them needs no torch. `sanity.data.load` turns a name into tensors."""

from sanity.registry import Registry

REGISTRY = Registry(
    "dataset",
    "sanity.datasets",
    {
        "digits": "sanity.datasets.digits:Digits",
        "mnist": "sanity.datasets.mnist:MNIST",
        "fashion_mnist": "sanity.datasets.mnist:FashionMNIST",
        "cifar10": "sanity.datasets.cifar:CIFAR10",
        "cifar100": "sanity.datasets.cifar:CIFAR100",
        "tiny_imagenet": "sanity.datasets.folders:TinyImageNet",
        "imagefolder": "sanity.datasets.folders:ImageFolder",
    },
)
