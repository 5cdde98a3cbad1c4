using System.Text.Json;
using Aries.TestKit;
using CsCheck;

namespace Aries.Managed.Tests;

public sealed class ResponseScorerTests
{
    private static readonly LlamaWeights Small = TestModels.Random(TestModels.SmallConfig, 5);

    [Fact]
    public void Score_GoldenStory_GivesItsLogProbabilities()
    {
        JsonElement reference = GoldenSampling.Read("stories260K", "reference_vectors.json");
        int[] tokens = GoldenSampling.Ints(reference.GetProperty("greedy_ids"));
        float[] expected = GoldenSampling.Floats(reference.GetProperty("greedy_logprobs"));
        int[] reversed = GoldenSampling.Ints(reference.GetProperty("reversed_ids"));

        float[][] scores = Scorer(TestModels.StoriesConfig, TestModels.Stories(), passRows: 30).Score([(tokens, 1), (reversed, 1)], TestContext.Current.CancellationToken);

        Assert.Equal(expected.Length, scores[0].Length);
        for (int i = 0; i < expected.Length; i++)
        {
            Assert.InRange(scores[0][i], expected[i] - 2e-4f, expected[i] + 2e-4f);
        }

        Assert.Equal(reference.GetProperty("greedy_logprob_sum").GetDouble(), scores[0].Sum(value => (double)value), 1e-3);
        Assert.Equal(reference.GetProperty("reversed_logprob_sum").GetDouble(), scores[1].Sum(value => (double)value), 1e-2);
    }

    [Fact]
    public void Score_GoldenAdapter_GivesItsTokensLogProbabilities()
    {
        LlamaWeights weights = TestModels.Stories();
        LoraWeights adapter = TestModels.Adapter(weights, new LoraOptions { Rank = 4, Alpha = 8 }, "lora", "adapter_model.safetensors");
        JsonElement[] pairs = [.. GoldenSampling.Read("lora", "pairs.json").GetProperty("pairs").EnumerateArray()];
        JsonElement[] expected = [.. GoldenSampling.Read("lora", "losses.json").GetProperty("policy_token_logps").GetProperty("w").EnumerateArray()];
        using WorkerPool pool = new(2);
        ResponseScorer scorer = new(new Transformer(TestModels.StoriesConfig, weights, adapter, pool), passRows: 50);

        float[][] scores = scorer.Score(
            [
                .. pairs.Select(pair =>
                {
                    int[] prompt = GoldenSampling.Ints(pair.GetProperty("prompt"));
                    return ((int[])[.. prompt, .. GoldenSampling.Ints(pair.GetProperty("chosen"))], prompt.Length);
                }),
            ],
            TestContext.Current.CancellationToken);

        for (int i = 0; i < expected.Length; i++)
        {
            float[] terms = GoldenSampling.Floats(expected[i]);
            Assert.Equal(terms.Length, scores[i].Length);
            for (int t = 0; t < terms.Length; t++)
            {
                Assert.InRange(scores[i][t], terms[t] - 2e-4f, terms[t] + 2e-4f);
            }
        }
    }

    [Fact]
    public void Score_WhatTheEngineWrote_GivesTheLogProbabilitiesThatItReported()
    {
        LlamaConfig config = TestModels.SmallConfig with { EndTokenIds = [36] };
        DecodingRequest request = new() { Prompt = [3, 4, 5], Seed = 1, Options = new SamplingOptions { MaxTokens = 50 }, IncludeLogProbabilities = true };
        using WorkerPool pool = new(1);
        DecodedSequence sequence = new DecodingEngine(new Transformer(config, Small, null, pool), 4, 64).Run([request], TestContext.Current.CancellationToken)[0];

        float[] score = Scorer(config, Small, passRows: 64).Score([([3, 4, 5, .. sequence.TokenIds], 3)], TestContext.Current.CancellationToken)[0];

        for (int i = 0; i < score.Length; i++)
        {
            Assert.InRange(score[i], sequence.LogProbabilities![i] - 1e-4f, sequence.LogProbabilities[i] + 1e-4f);
        }
    }

    // Whatever is shared, and however the rows are cut into passes: the same bits as each sequence alone.
    [Fact]
    public void Score_RandomForests_GivesEachSequenceWhatItGetsAlone()
    {
        Gen<(int[] Tokens, int ResponseStart)> sequence = Gen.Select(Gen.Int[0, 3].Array[2, 25], Gen.Int[0, 1000]).Select((tokens, start) => (tokens, 1 + (start % (tokens.Length - 1))));
        Gen.Select(sequence.Array[1, 8], Gen.Int[1, 40]).Sample((sequences, passRows) =>
        {
            float[][] together = Scorer(TestModels.SmallConfig, Small, passRows).Score(sequences, CancellationToken.None);

            for (int i = 0; i < sequences.Length; i++)
            {
                Assert.Equal(Scorer(TestModels.SmallConfig, Small, 256).Score([sequences[i]], CancellationToken.None)[0], together[i]);
            }
        }, iter: 60, threads: 1);
    }

    // Row by row, as decoding computes, against many rows at once: several tiles of keys, and heads of whole vectors, half ones and single values.
    [Theory]
    [InlineData(6)]
    [InlineData(16)]
    [InlineData(28)]
    [InlineData(64)]
    public void Score_OneRowAPass_GivesTheBitsOfManyRows(int headSize)
    {
        LlamaConfig config = TestModels.SmallConfig with { HeadSize = headSize };
        LlamaWeights weights = TestModels.Random(config, headSize);
        int[] tokens = [.. Enumerable.Range(0, 200).Select(i => (i * 7 % 31) + (i % 5))];

        float[] rowByRow = Scorer(config, weights, passRows: 1).Score([(tokens, 1)], TestContext.Current.CancellationToken)[0];
        float[] together = Scorer(config, weights, passRows: 256).Score([(tokens, 1)], TestContext.Current.CancellationToken)[0];

        Assert.Equal(together, rowByRow);
    }

    [Fact]
    public void Score_Cancelled_ThrowsAndServesTheNextCall()
    {
        ResponseScorer scorer = Scorer(TestModels.SmallConfig, Small, passRows: 4);
        float[] expected = scorer.Score([([1, 2, 3, 4, 5, 6, 7], 1)], TestContext.Current.CancellationToken)[0];

        Assert.Throws<OperationCanceledException>(() => scorer.Score([([9, 8, 7, 6, 5], 1)], new CancellationToken(canceled: true)));

        Assert.Equal(expected, scorer.Score([([1, 2, 3, 4, 5, 6, 7], 1)], TestContext.Current.CancellationToken)[0]);
    }

    [Fact]
    public void Score_DamagedWeights_Throws()
    {
        LlamaWeights weights = TestModels.Random(TestModels.SmallConfig, 3);
        weights.FinalNorm.Values[0] = float.NaN;

        Assert.Throws<NonFiniteLogitsException>(() => Scorer(TestModels.SmallConfig, weights, 64).Score([([1, 2], 1)], TestContext.Current.CancellationToken));
    }

    private static ResponseScorer Scorer(LlamaConfig config, LlamaWeights weights, int passRows) =>
        new(new Transformer(config, weights, null, new WorkerPool(1)), passRows);
}
