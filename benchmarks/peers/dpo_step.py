"""One DPO step in PyTorch the usual way: the peer of `Aries.Benchmarks training`.

Chosen and rejected stand in one right-padded batch; the reference forward (adapters off) runs without gradients in the step; full logits, log-softmax, gather; sigmoid DPO loss, beta 0.1;
backward; AdamW on the adapters, rank 16 on all seven projections. The model has the shape of SmolLM2-135M and random weights; lengths are those of the C# benchmark: alike, or a dialogue's.

A batch of 8 pairs may be made in one go or in micro-batches, whose gradients add up: the same step, from less memory. Prints one line of JSON.
"""
import argparse
import json
import resource
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

LAYERS, HIDDEN, INNER, HEADS, KEY_VALUE_HEADS, VOCABULARY = 30, 576, 1536, 9, 3, 49152
HEAD_SIZE = HIDDEN // HEADS
RANK, SCALE, BETA = 16, 2.0, 0.1
# Prompt, chosen, rejected: PairLength.Dialogues of the C# benchmark.
DIALOGUES = [(93, 17, 30), (282, 143, 53), (43, 46, 25), (185, 73, 108), (559, 8, 40), (22, 13, 21), (130, 87, 35), (66, 62, 234)]


class Projection(nn.Module):
    adapters_on = True

    def __init__(self, inputs, outputs):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) * 0.02, requires_grad=False)
        self.a = nn.Parameter((torch.rand(RANK, inputs) * 2 - 1) / inputs**0.5)
        self.b = nn.Parameter(torch.zeros(outputs, RANK))

    def forward(self, x):
        y = F.linear(x, self.weight)
        return y + F.linear(F.linear(x, self.a), self.b) * SCALE if Projection.adapters_on else y


class Norm(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(HIDDEN), requires_grad=False)

    def forward(self, x):
        return F.rms_norm(x, (HIDDEN,), self.weight, 1e-5)


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm1, self.norm2 = Norm(), Norm()
        self.q, self.o = Projection(HIDDEN, HIDDEN), Projection(HIDDEN, HIDDEN)
        self.k, self.v = Projection(HIDDEN, KEY_VALUE_HEADS * HEAD_SIZE), Projection(HIDDEN, KEY_VALUE_HEADS * HEAD_SIZE)
        self.gate, self.up, self.down = Projection(HIDDEN, INNER), Projection(HIDDEN, INNER), Projection(INNER, HIDDEN)

    def forward(self, x, cos, sin):
        batch, length, _ = x.shape
        n = self.norm1(x)
        q = rotate(self.q(n).view(batch, length, HEADS, HEAD_SIZE).transpose(1, 2), cos, sin)
        k = rotate(self.k(n).view(batch, length, KEY_VALUE_HEADS, HEAD_SIZE).transpose(1, 2), cos, sin)
        v = self.v(n).view(batch, length, KEY_VALUE_HEADS, HEAD_SIZE).transpose(1, 2)
        k, v = (t.repeat_interleave(HEADS // KEY_VALUE_HEADS, 1) for t in (k, v))
        # Padding is on the right, so causality is mask enough.
        attention = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.o(attention.transpose(1, 2).reshape(batch, length, HIDDEN))
        n = self.norm2(x)
        return x + self.down(F.silu(self.gate(n)) * self.up(n))


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Parameter(torch.randn(VOCABULARY, HIDDEN) * 0.02, requires_grad=False)
        self.blocks = nn.ModuleList(Block() for _ in range(LAYERS))
        self.norm = Norm()

    def forward(self, ids):
        angles = torch.outer(torch.arange(ids.shape[1]).float(), 100000.0 ** (-torch.arange(0, HEAD_SIZE, 2).float() / HEAD_SIZE))
        angles = torch.cat([angles, angles], -1)
        x = F.embedding(ids, self.embedding)
        for block in self.blocks:
            x = block(x, angles.cos(), angles.sin())
        return F.linear(self.norm(x), self.embedding)


def rotate(x, cos, sin):
    half = HEAD_SIZE // 2
    return x * cos + torch.cat([-x[..., half:], x[..., :half]], -1) * sin


def log_probabilities(model, ids, mask):
    logps = model(ids)[:, :-1].log_softmax(-1).gather(2, ids[:, 1:, None])[..., 0]
    return (logps * mask[:, 1:]).sum(-1)


def draw_lengths(count, length, generator):
    """Of chosen and then rejected sequences, and of their prompts."""
    lengths = torch.randint(length * 7 // 8, length + 1, (2 * count,), generator=generator)
    return lengths, torch.randint(length // 8, length // 4 + 1, (count,), generator=generator).repeat(2)


def lengths_of(dialogues):
    prompts, chosen, rejected = torch.tensor(dialogues).unbind(1)
    return torch.cat([prompts + chosen, prompts + rejected]), prompts.repeat(2)


def make_pairs(lengths, prompt_lengths, generator):
    """Chosen rows, then rejected rows; the same prompt for both of a pair; padded to the longest."""
    count, length = len(lengths) // 2, int(lengths.max())
    prompts = torch.randint(3, VOCABULARY, (count, length), generator=generator).repeat(2, 1)
    responses = torch.randint(3, VOCABULARY, (2 * count, length), generator=generator)
    position = torch.arange(length)[None]
    ids = torch.where(position < prompt_lengths[:, None], prompts, responses).masked_fill(position >= lengths[:, None], 0)
    mask = ((position >= prompt_lengths[:, None]) & (position < lengths[:, None])).float()
    return ids, mask, int(lengths.sum())


def step(model, optimizer, batches, pair_count):
    optimizer.zero_grad(set_to_none=True)
    for ids, mask in batches:
        pairs = ids.shape[0] // 2
        Projection.adapters_on = False
        with torch.no_grad():
            reference = log_probabilities(model, ids, mask)
        Projection.adapters_on = True
        ratio = log_probabilities(model, ids, mask) - reference
        loss = -F.logsigmoid(BETA * (ratio[:pairs] - ratio[pairs:])).sum() / pair_count
        loss.backward()
    torch.nn.utils.clip_grad_norm_(optimizer.param_groups[0]["params"], 1.0)
    optimizer.step()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--pairs", type=int, default=8)
    parser.add_argument("--micro-batch", type=int, default=2)
    parser.add_argument("--length", type=int, default=256)
    parser.add_argument("--dialogues", action="store_true", help="eight pairs of a dialogue's lengths")
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    model = Model()
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-4)
    generator = torch.Generator().manual_seed(1)
    batches, tokens = [], 0
    for start in range(0, options.pairs, options.micro_batch):
        lengths, prompt_lengths = (
            lengths_of(DIALOGUES[start:start + options.micro_batch]) if options.dialogues else draw_lengths(options.micro_batch, options.length, generator))
        ids, mask, count = make_pairs(lengths, prompt_lengths, generator)
        batches.append((ids, mask))
        tokens += count
    seconds = []
    for _ in range(options.steps + 1):  # the first warms up
        start = time.perf_counter()
        step(model, optimizer, batches, options.pairs)
        seconds.append(time.perf_counter() - start)
    best = min(seconds[1:])
    print(json.dumps({
        "torch": torch.__version__, "threads": options.threads, "pairs": options.pairs, "microBatch": options.micro_batch, "tokens": tokens, "seconds": seconds[1:],
        "pairsPerSecond": options.pairs / best, "tokensPerSecond": tokens / best, "peakMegabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6,
    }))


if __name__ == "__main__":
    main()
