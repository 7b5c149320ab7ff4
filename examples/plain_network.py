"""A network as published code has it, without a class of this suite: model=plain_network.py:Rows.

Reads an image row by row: gated convolutions in one dimension, then attention over the steps.

python -m sanity.run model=plain_network.py:Rows model.width=16 methods=snip checks=reinit ratio=0.8
"""

import torch
from torch import Tensor, nn


class Rows(nn.Module):
    """A sequence model: a class token and places that no rule draws, a gate, attention."""

    def __init__(self, input_shape: tuple[int, int, int], num_classes: int, width: int = 32, heads: int = 4) -> None:
        super().__init__()
        channels, height, length = input_shape
        self.values = nn.Conv1d(channels * height, width, 3, padding=1)
        self.gate = nn.Conv1d(channels * height, width, 3, padding=1)
        self.token = nn.Parameter(torch.randn(1, 1, width) * 0.02)
        self.places = nn.Parameter(torch.randn(1, 1 + length, width) * 0.02)
        self.norm, self.attention = nn.LayerNorm(width), nn.MultiheadAttention(width, heads, batch_first=True)
        self.mlp = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 64), nn.GELU(), nn.Linear(64, width))
        self.head = nn.Linear(width, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        lines = images.flatten(1, 2)
        steps = (self.values(lines) * self.gate(lines).sigmoid()).transpose(1, 2)
        steps = torch.cat([self.token.expand(len(steps), -1, -1), steps], 1) + self.places
        states = self.norm(steps)
        steps = steps + self.attention(states, states, states, need_weights=False)[0]
        logits: Tensor = self.head((steps + self.mlp(steps))[:, 0])
        return logits
