"""Settings of every test: networks this small only wait for each other's threads."""

import os

import torch

os.environ.setdefault("OMP_NUM_THREADS", "1")  # of the processes that tests start
torch.set_num_threads(1)
