using CsCheck;

namespace Aries.Managed.Tests;

public sealed class DecodingCacheTests
{
    private static readonly LlamaConfig Config = TestModels.SmallConfig with { EndTokenIds = [36] };
    private static readonly LlamaWeights Weights = TestModels.Random(TestModels.SmallConfig, 3);

    [Fact]
    public void Run_SameBeginningInALaterCall_ComputesTheRestOnly()
    {
        DecodingEngine engine = Engine(cacheTokens: 1000);
        int[] shared = [.. Enumerable.Range(3, 20)];
        Run(engine, [.. shared, 30, 31]);
        long before = engine.Counts.PromptTokens;

        DecodedSequence sequence = Run(engine, [.. shared, 32, 33, 34]);

        Assert.Equal(20, sequence.CachedPromptTokens);
        Assert.Equal(3, engine.Counts.PromptTokens - before);
        Assert.Equal(Run(Engine(cacheTokens: 0), [.. shared, 32, 33, 34]).TokenIds, sequence.TokenIds);
    }

    [Fact]
    public void Run_SamePromptAgain_ComputesNothing()
    {
        DecodingEngine engine = Engine(cacheTokens: 1000);
        DecodedSequence first = Run(engine, [3, 4, 5]);
        long before = engine.Counts.PromptTokens;

        DecodedSequence second = Run(engine, [3, 4, 5]);

        Assert.Equal(3, second.CachedPromptTokens);
        Assert.Equal(before, engine.Counts.PromptTokens);
        Assert.Equal(first.TokenIds, second.TokenIds);
    }

    [Fact]
    public void Run_PromptIsTheBeginningOfAnother_ComputesItsLastTokenAgain()
    {
        DecodingEngine engine = Engine(cacheTokens: 1000);
        Run(engine, [3, 4, 5, 6, 7]);
        long before = engine.Counts.PromptTokens;

        DecodedSequence[] sequences = engine.Run([Request([3, 4, 5], 9), Request([3, 4, 5], 9)], TestContext.Current.CancellationToken);

        Assert.Equal([2, 3], sequences.Select(sequence => sequence.CachedPromptTokens).Order());
        Assert.Equal(1, engine.Counts.PromptTokens - before);
        Assert.Equal(Run(Engine(cacheTokens: 0), [3, 4, 5]).TokenIds, sequences[0].TokenIds);
    }

    // The last token of a response was drawn and never read: it has no keys and values.
    [Fact]
    public void Run_PromptGoesOnFromAResponse_ReusesItsTokens()
    {
        DecodingEngine engine = Engine(cacheTokens: 1000);
        DecodedSequence first = Run(engine, [3, 4, 5]);

        DecodedSequence second = Run(engine, [3, 4, 5, .. first.TokenIds, 8]);

        Assert.Equal(3 + first.TokenIds.Count - 1, second.CachedPromptTokens);
        Assert.Equal(Run(Engine(cacheTokens: 0), [3, 4, 5, .. first.TokenIds, 8]).TokenIds, second.TokenIds);
    }

    [Fact]
    public void Run_NoCache_KeepsNothingBetweenCalls()
    {
        DecodingEngine engine = Engine(cacheTokens: 0);
        Run(engine, [3, 4, 5]);

        Assert.Equal(0, Run(engine, [3, 4, 5]).CachedPromptTokens);
    }

    // 300 calls of up to 4 × 60 tokens each: what is in use at once, and what may be kept, with a half for the store's headroom and holes too short for any prompt.
    [Fact]
    public void Run_ManyDifferentCalls_StoreStaysBounded()
    {
        DecodingEngine engine = Engine(cacheTokens: 500);
        Random random = new(5);

        for (int call = 0; call < 300; call++)
        {
            DecodingRequest[] requests = [.. Enumerable.Range(0, random.Next(1, 5)).Select(_ => Request([.. Enumerable.Range(0, random.Next(1, 40)).Select(_ => random.Next(36))], random.Next(1, 20)))];
            engine.Run(requests, TestContext.Current.CancellationToken);
        }

        Assert.InRange(engine.SlotCount, 500, (500 + 240) * 2);
    }

    // Cancelled anywhere, in prompts or responses: the next calls give what an engine without history gives, and no slot is lost.
    [Fact]
    public void Run_CancelledAnywhere_LeavesTheCacheWhole()
    {
        Gen<int[]> prompt = Gen.Int[0, 2].Array[1, 30];
        Gen.Select(prompt.Array[1, 6].Array[1, 5], Gen.Int[1, 60], Gen.Int[0, 300]).Sample((calls, cancelAt, cacheTokens) =>
        {
            DecodingEngine engine = Engine(cacheTokens);
            foreach (int[][] prompts in calls)
            {
                using CancellationTokenSource source = new();
                int told = 0;
                bool Tell(int token)
                {
                    if (++told == cancelAt)
                    {
                        source.Cancel();
                    }

                    return false;
                }

                try
                {
                    engine.Run([.. prompts.Select(tokens => Request(tokens, 12) with { OnToken = Tell, MaxDraftLength = 4 })], source.Token);
                }
                catch (OperationCanceledException) when (told >= cancelAt)
                {
                }
            }

            Assert.Equal(engine.CachedTokenCount, engine.UsedSlotCount);
            Assert.InRange(engine.CachedTokenCount, 0, cacheTokens);
            foreach (int[] tokens in calls[^1])
            {
                Assert.Equal(Run(Engine(0), tokens).TokenIds, Run(engine, tokens).TokenIds);
            }
        }, iter: 60, threads: 1);
    }

    [Fact]
    public void Run_DamagedWeights_NothingOfTheRunIsKept()
    {
        LlamaWeights weights = TestModels.Random(TestModels.SmallConfig, 3);
        DecodingEngine engine = new(new Transformer(Config, weights, null, new WorkerPool(1)), 3, 16, long.MaxValue);
        float value = weights.FinalNorm.Values[0];
        weights.FinalNorm.Values[0] = float.NaN;
        Assert.Throws<NonFiniteLogitsException>(() => Run(engine, [3, 4, 5]));
        weights.FinalNorm.Values[0] = value;

        DecodedSequence sequence = Run(engine, [3, 4, 5]);

        Assert.Equal(0, sequence.CachedPromptTokens);
        Assert.Equal(Run(Engine(0), [3, 4, 5]).TokenIds, sequence.TokenIds);
    }

    private static DecodingEngine Engine(int cacheTokens) => new(
        new Transformer(Config, Weights, null, new WorkerPool(1)), maxRows: 3, prefillRows: 16, 2L * sizeof(float) * Config.LayerCount * Config.KeyValueHeadCount * Config.HeadSize * cacheTokens);

    private static DecodedSequence Run(DecodingEngine engine, int[] prompt) => engine.Run([Request(prompt, 9)], CancellationToken.None)[0];

    private static DecodingRequest Request(int[] prompt, int maxTokens) => new()
    {
        Prompt = prompt,
        Seed = 7,
        Options = new SamplingOptions { Temperature = 0.5f, MaxTokens = maxTokens },
    };
}
