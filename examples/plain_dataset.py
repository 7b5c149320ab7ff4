"""A data set of one's own without a class: a function that returns (train, test), here two pairs of arrays.

python -m sanity.run dataset=plain_dataset.py:squares model=lenet_300_100 methods=snip ratio=0.9
"""

import numpy as np


def squares() -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """A bright square in one of four corners, under noise; images (N, H, W) uint8, classes (N,)."""
    random = np.random.RandomState(0)

    def split(count: int) -> tuple[np.ndarray, np.ndarray]:
        classes = random.randint(4, size=count)
        images = random.randint(0, 120, size=(count, 12, 12))
        for image, corner in zip(images, classes, strict=True):
            row, column = 6 * (corner // 2), 6 * (corner % 2)
            image[row : row + 6, column : column + 6] += 100
        return images.astype(np.uint8), classes

    return split(400), split(200)
