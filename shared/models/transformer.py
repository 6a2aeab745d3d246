"""A language model of one attention block, small enough to train in seconds (chapter 3)."""

import torch
from torch import nn

from shared import chance


class TinyTransformer(nn.Module):
    """Words (n, length) -> logits of the next word (n, size, length): embedding, causal attention, two layers, softmax.

    Pre-norm residual blocks (Xiong et al. 2020); one head of attention (Vaswani et al. 2017).
    """

    def __init__(self, size, width=24, length=12, seed=0):
        super().__init__()
        torch.manual_seed(chance.integer(seed))
        self.word, self.place = nn.Embedding(size, width), nn.Parameter(0.1 * torch.randn(length, width))
        nn.init.normal_(self.word.weight, std=0.1)
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(width) for _ in range(3))
        self.look, self.mix = nn.Linear(width, 3 * width, bias=False), nn.Linear(width, width)
        self.think = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
        self.guess = nn.Linear(width, size)
        self.register_buffer("future", torch.ones(length, length, dtype=torch.bool).triu(1))

    def attend(self, z):
        """Every word looks at itself and the words before it."""
        query, key, value = self.look(z).chunk(3, -1)
        scores = query @ key.transpose(-1, -2) / z.shape[-1] ** 0.5
        return self.mix(scores.masked_fill(self.future, -torch.inf).softmax(-1) @ value)

    def forward(self, words):
        z = self.word(words) + self.place
        z = z + self.attend(self.norm1(z))
        z = z + self.think(self.norm2(z))
        return self.guess(self.norm3(z)).transpose(-1, -2)
