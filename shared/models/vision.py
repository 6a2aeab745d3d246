"""Small convolutional networks in torch for small images (chapter 7)."""

import numpy as np
import torch
from torch import nn

from shared import chance

POOLING = {"max": nn.MaxPool2d, "average": nn.AvgPool2d}


def cnn(side, channels=8, kernel=3, depth=2, pooling="max", seed=0):
    """`depth` blocks of convolution, ReLU and halving, doubling the channels, then a linear layer to 10 classes.

    Images are (n, side²), flat. pooling "stride" halves by stepping two pixels at a time instead of pooling.
    """
    if pooling not in (*POOLING, "stride"):
        raise ValueError(f"cnn: unknown pooling {pooling!r}; choose from {', '.join(POOLING)}, stride")
    if side < 2**depth:
        raise ValueError(f"cnn: {side} pixels cannot be halved {depth} times")
    torch.manual_seed(chance.integer(seed))
    layers, into = [nn.Unflatten(1, (1, side, side))], 1
    for out in channels * 2 ** np.arange(depth):
        strided = pooling == "stride"
        layers += [nn.Conv2d(into, int(out), kernel, stride=2 if strided else 1, padding=kernel // 2), nn.ReLU()]
        layers += [] if strided else [POOLING[pooling](2, ceil_mode=True)]
        into, side = int(out), -(-side // 2)
    model = nn.Sequential(*layers, nn.Flatten(), nn.Linear(into * side**2, 10))
    return model.to(memory_format=torch.channels_last)


def moved(images, side, right, down):
    """Flat images (n, side²) moved by whole pixels; what leaves on one side is lost, and zeros enter on the other."""
    x = np.zeros((len(images), side, side))
    rows, cols = np.arange(side) - down, np.arange(side) - right
    r, c = (rows >= 0) & (rows < side), (cols >= 0) & (cols < side)
    x[:, r[:, None] & c] = images.reshape(-1, side, side)[:, rows[r][:, None], cols[c]].reshape(len(images), -1)
    return x.reshape(len(images), -1)


class ConvStack(nn.Module):
    """Many equal 3 x 3 convolutions in a row, on the 4 x 4 maps that a first one makes of 8 x 8 digits.

        h ← s h + relu(w * h + b)         s = 1 with shortcuts, 0 without

    Maps are so small that a convolution is fastest as its own matrix, (16 c, 16 c). The weights start at `scale` times
    He's: 1, or with shortcuts 1/√depth, so that the sum of the branches does not grow with the depth.
    """

    side = 4

    def __init__(self, depth, channels=6, shortcuts=False, seed=0, scale=None):
        super().__init__()
        torch.manual_seed(chance.integer(seed))
        self.shortcuts = float(shortcuts)
        self.first = nn.Conv2d(1, channels, 3, stride=2, padding=1)
        self.layers = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=1) for _ in range(depth))
        self.out = nn.Linear(channels * self.side**2, 10)
        for conv in (self.first, *self.layers):
            nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
            nn.init.zeros_(conv.bias)
            if conv is not self.first:
                conv.weight.data *= scale if scale is not None else depth**-0.5 if shortcuts else 1.0
        places = torch.eye(self.side**2).view(-1, 1, self.side, self.side)  # what each pixel alone does
        one_hot = torch.eye(9).view(9, 1, 3, 3)
        self.register_buffer("taps", nn.functional.conv2d(places, one_hot, padding=1).flatten(2).permute(1, 2, 0))

    def matrix(self, w):
        """The matrix (16 c, 16 c) of the convolution with w (c, c, 3, 3): row (o, pixel out), column (c, pixel in)."""
        c, p = len(w), self.side**2
        return torch.einsum("oce,epq->opcq", w.flatten(2), self.taps).reshape(c * p, c * p)

    def forward(self, x):
        h = self.first(x.unflatten(-1, (1, 8, 8))).relu().flatten(1)
        for conv in self.layers:
            z = h @ self.matrix(conv.weight).T + conv.bias.repeat_interleave(self.side**2)
            h = self.shortcuts * h + z.relu()
        return self.out(h)
