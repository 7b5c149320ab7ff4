"""Defines networks as published code does: functions and `torch.nn.Module` classes, no class of this suite."""

import torch
from torch import Tensor, nn


def perceptron(num_classes: int, image_size: int = 28, hidden: int = 16, dropout: float = 0.0) -> nn.Module:
    """A perceptron for grey images."""
    return nn.Sequential(
        *(nn.Flatten(), nn.Linear(image_size * image_size, hidden), nn.ReLU(), nn.Dropout(dropout)),
        nn.Linear(hidden, num_classes),
    )


class Sequence(nn.Module):
    """Reads an image row by row: convolutions in one dimension, then attention over what they give.

    It has what no rule draws: a class token, positions and a gate for each channel.
    """

    def __init__(self, input_shape: tuple[int, int, int], n_classes: int, width: int = 16, heads: int = 2) -> None:
        super().__init__()
        channels, height, _ = input_shape
        self.rows = nn.Conv1d(channels * height, width, 3, padding=1)
        self.gate = nn.Conv1d(channels * height, width, 3, padding=1)
        self.token = nn.Parameter(torch.randn(1, 1, width) * 0.02)
        self.places = nn.Parameter(torch.randn(1, 1 + input_shape[2], width) * 0.02)
        self.norm, self.attention = nn.LayerNorm(width), nn.MultiheadAttention(width, heads, batch_first=True)
        self.head = nn.Linear(width, n_classes)

    def forward(self, images: Tensor) -> Tensor:
        lines = images.flatten(1, 2)
        steps = (self.rows(lines) * self.gate(lines).sigmoid()).transpose(1, 2)
        steps = torch.cat([self.token.expand(len(steps), -1, -1), steps], 1) + self.places
        states = self.norm(steps)
        steps = steps + self.attention(states, states, states, need_weights=False)[0]
        logits: Tensor = self.head(steps[:, 0])
        return logits


def of_sides(input_size: tuple[int, int], num_classes: int) -> nn.Module:
    """Takes height and width."""
    return nn.Sequential(nn.Flatten(), nn.Linear(input_size[0] * input_size[1], num_classes))


def seeds_itself(num_classes: int) -> nn.Module:
    """Draws the same weights always."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, num_classes))


def unsaid(num_classes: int, hidden) -> nn.Module:  # type: ignore[no-untyped-def]
    """Has a parameter without a type or default."""
    return nn.Sequential(nn.Flatten(), nn.Linear(64, hidden), nn.Linear(hidden, num_classes))
