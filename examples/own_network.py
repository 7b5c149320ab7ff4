"""A network of one's own: a dataclass of options that builds a module for any input shape and number of classes.

python -m sanity.run model=own_network:Separable model.width=48 methods=snip ratio=0.8
"""

from dataclasses import dataclass

from torch import nn

from sanity.models.base import InputShape, Model


@dataclass(frozen=True)
class Separable(Model):
    """Depthwise-separable convolutions (Howard et al. 2017) at full resolution, average pooling, one linear layer.

    width: channels.
    blocks: how many separable convolutions follow the first convolution.
    """

    width: int = 32
    blocks: int = 2

    def build(self, input_shape: InputShape, classes: int) -> nn.Module:
        """The network from (N, *input_shape) to logits (N, classes); the suite draws its initial weights."""
        width = self.width
        layers: list[nn.Module] = [nn.Conv2d(input_shape[0], width, 3, padding=1, bias=False)]
        for _ in range(self.blocks):
            layers += [nn.BatchNorm2d(width), nn.ReLU()]
            layers.append(nn.Conv2d(width, width, 3, padding=1, groups=width, bias=False))
            layers.append(nn.Conv2d(width, width, 1, bias=False))
        pool = [nn.BatchNorm2d(width), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
        return nn.Sequential(*layers, *pool, nn.Linear(width, classes))
