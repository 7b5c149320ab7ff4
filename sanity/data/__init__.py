"""Data sets by name; naming them needs no torch. `sanity.data.dataset.load` turns a name into tensors."""

from sanity.registry import Registry

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
        "imagefolder": "sanity.data.folders:ImageFolder",
    },
)
