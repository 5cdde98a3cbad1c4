using System.Text.Json;
using Aries.TestKit;
using CsCheck;

namespace Aries.Managed.Tests;

public sealed class DecodingEngineTests
{
    private static readonly LlamaWeights Small = TestModels.Random(TestModels.SmallConfig, 3);
    private static readonly LlamaConfig StoriesConfig = TestModels.StoriesConfig with { EndTokenIds = [1, 2] };

    [Fact]
    public void Run_GoldenGreedyPrompts_WritesTheSameTokensWithTheSameLogProbabilities()
    {
        DecodingEngine engine = Engine(StoriesConfig, TestModels.Stories());
        JsonElement[] golden = [.. GoldenSampling.Read("sampling", "greedy.json").GetProperty("runs").EnumerateArray()];

        DecodedSequence[] sequences = engine.Run(
            [.. golden.Select(run => Greedy(GoldenSampling.Ints(run.GetProperty("prompt")), 96) with { IncludeLogProbabilities = true })], TestContext.Current.CancellationToken);

        for (int i = 0; i < golden.Length; i++)
        {
            int[] expected = GoldenSampling.Ints(golden[i].GetProperty("ids"));
            float[] expectedLogProbabilities = GoldenSampling.Floats(golden[i].GetProperty("logps"));
            Assert.Equal(expected, sequences[i].TokenIds);
            Assert.Equal(expected[^1] == 1 ? FinishReason.Stop : FinishReason.Length, sequences[i].FinishReason);
            for (int t = 0; t < expected.Length; t++)
            {
                Assert.InRange(sequences[i].LogProbabilities![t], expectedLogProbabilities[t] - 2e-4f, expectedLogProbabilities[t] + 2e-4f);
            }
        }
    }

    [Fact]
    public void Run_StoriesFromTheBeginning_WritesThePublishedText()
    {
        JsonElement reference = GoldenSampling.Read("stories260K", "reference_vectors.json");
        int[] expected = GoldenSampling.Ints(reference.GetProperty("greedy_ids"))[1..];

        DecodedSequence sequence = Engine(StoriesConfig, TestModels.Stories()).Run([Greedy([1], expected.Length)], TestContext.Current.CancellationToken)[0];

        Assert.Equal(expected, sequence.TokenIds);
    }

    // The strongest law of the engine: whoever else is in the batch, whatever is guessed ahead or kept from earlier calls, however the prefill is cut, on however many threads,
    // the bits are the same. Small vocabularies and prompts that are predictions make many guesses right.
    [Fact]
    public void Run_RandomBatches_GivesEachRowWhatItGetsAlone()
    {
        using WorkerPool two = new(2);
        Gen<DecodingRequest> request = Gen.Select(Gen.Int[0, 36].Array[1, 40], Gen.Int[0, 3], Gen.Long, Gen.Int[1, 90], Gen.Int[0, 9]).Select((tail, prefix, seed, maxTokens, draft) => new DecodingRequest
        {
            Prompt = [.. Enumerable.Range(5, prefix * 9), .. tail],
            Seed = seed,
            IncludeLogProbabilities = seed % 3 != 0,
            MaxDraftLength = draft,
            Prediction = draft % 2 == 0 ? [] : tail,
            Options = new SamplingOptions
            {
                MaxTokens = maxTokens,
                Temperature = seed % 3 == 0 ? 0 : 1.2f,
                TopK = (int)Math.Abs(seed % 5),
                TopP = seed % 2 == 0 ? 1 : 0.9f,
                RepetitionPenalty = seed % 7 == 0 ? 1.3f : 1,
            },
        });
        long accepted = 0;
        Gen.Select(request.Array[1, 9].Array[1, 3], Gen.Int[1, 5], Gen.Int[1, 70], Gen.Int[0, 400]).Sample((calls, maxRows, prefillRows, cacheTokens) =>
        {
            DecodingEngine together = new(new Transformer(TestModels.SmallConfig, Small, null, two), maxRows, prefillRows, cacheTokens * TokenBytes(TestModels.SmallConfig));
            DecodingEngine alone = Engine(TestModels.SmallConfig, Small);

            foreach (DecodingRequest[] requests in calls)
            {
                DecodedSequence[] sequences = together.Run(requests, CancellationToken.None);

                for (int i = 0; i < requests.Length; i++)
                {
                    DecodedSequence expected = alone.Run([requests[i] with { MaxDraftLength = 0 }], CancellationToken.None)[0];
                    Assert.Equal(expected.TokenIds, sequences[i].TokenIds);
                    Assert.Equal(expected.LogProbabilities, sequences[i].LogProbabilities);
                    Assert.Equal(expected.FinishReason, sequences[i].FinishReason);
                }
            }

            Interlocked.Add(ref accepted, together.Counts.AcceptedTokens);
        }, iter: 40, threads: 1);
        Assert.True(accepted > 100, $"{accepted} guesses were right: too few to have tested them.");
    }

    [Fact]
    public void Run_PredictionIsTheResponse_TakesAFewPassesForTheSameTokens()
    {
        DecodingEngine engine = Engine(StoriesConfig, TestModels.Stories());
        DecodedSequence plain = engine.Run([Greedy([1], 200)], TestContext.Current.CancellationToken)[0];
        DecodingCounts before = engine.Counts;

        DecodedSequence guessed = engine.Run(
            [Greedy([1], 200) with { MaxDraftLength = 16, Prediction = [.. plain.TokenIds] }], TestContext.Current.CancellationToken)[0];

        Assert.Equal(plain.TokenIds, guessed.TokenIds);
        Assert.Equal(199, before.Passes);
        Assert.InRange(engine.Counts.Passes - before.Passes, 199 / 17, 199 / 8);
    }

    // Half of the drafts begin right and end wrong: what the rows after the first wrong token computed must leave no trace.
    [Fact]
    public void Run_PredictionIsWrongHereAndThere_GivesTheSameTokens()
    {
        DecodingEngine engine = Engine(StoriesConfig, TestModels.Stories());
        DecodedSequence plain = engine.Run([Greedy([1], 200) with { IncludeLogProbabilities = true }], TestContext.Current.CancellationToken)[0];
        int[] prediction = [.. plain.TokenIds.Select((token, index) => index % 7 == 3 ? 400 : token)];

        DecodedSequence guessed = engine.Run(
            [Greedy([1], 200) with { MaxDraftLength = 9, Prediction = prediction, IncludeLogProbabilities = true }], TestContext.Current.CancellationToken)[0];

        Assert.Equal(plain.TokenIds, guessed.TokenIds);
        Assert.Equal(plain.LogProbabilities, guessed.LogProbabilities);
        Assert.True(engine.Counts.AcceptedTokens > 20 && engine.Counts.DraftedTokens > engine.Counts.AcceptedTokens);
    }

    // The distribution of the second token, Σ p(first)·p(second | first), against 20,000 responses that were drawn with a draft of what is most probable.
    // χ² has as many degrees of freedom as there are bins but one; its value is below degrees + 5·√(2·degrees) but for one in about a hundred thousand seeds.
    [Fact]
    public void Run_DraftedSampling_DrawsFromThePolicysDistribution()
    {
        const int Draws = 20_000;
        int[] prompt = [3, 1, 4, 1, 5];
        SamplingOptions options = new() { Temperature = 0.4f, TopP = 0.95f, MaxTokens = 4 };
        LlamaConfig config = TestModels.SmallConfig with { EndTokenIds = [36] };
        double[] expected = new double[config.VocabularySize];
        double[] first = Distribution(config, prompt, options);
        for (int token = 0; token < first.Length; token++)
        {
            // After an end token there is no second one.
            double[] second = first[token] > 0 && token != 36 ? Distribution(config, [.. prompt, token], options) : new double[first.Length];
            for (int next = 0; next < second.Length; next++)
            {
                expected[next] += Draws * first[token] * second[next];
            }
        }

        using WorkerPool pool = new(1);
        DecodingEngine engine = new(new Transformer(config, Small, null, pool), maxRows: 2, prefillRows: 256);
        int[] likely = [.. engine.Run([Greedy(prompt, 4)], TestContext.Current.CancellationToken)[0].TokenIds];
        double[] observed = new double[expected.Length];
        foreach (DecodedSequence sequence in engine.Run(
            [.. Enumerable.Range(0, Draws).Select(seed => new DecodingRequest { Prompt = prompt, Seed = seed, Options = options, MaxDraftLength = 3, Prediction = likely })],
            TestContext.Current.CancellationToken))
        {
            if (sequence.TokenIds.Count > 1)
            {
                observed[sequence.TokenIds[1]]++;
            }
        }

        double chiSquare = 0;
        int bins = 0;
        for (int token = 0; token < expected.Length; token++)
        {
            if (expected[token] >= 5)
            {
                chiSquare += (observed[token] - expected[token]) * (observed[token] - expected[token]) / expected[token];
                bins++;
            }
        }

        Assert.InRange(bins, 5, expected.Length);
        Assert.True(chiSquare < bins - 1 + (5 * Math.Sqrt(2 * (bins - 1))), $"χ² = {chiSquare} over {bins} bins");
        Assert.True(engine.Counts.AcceptedTokens > 500 && engine.Counts.DraftedTokens - engine.Counts.AcceptedTokens > 500);
    }

    [Fact]
    public void Run_CallbackEndsInsideADraft_TellsAndReturnsNothingAfterIt()
    {
        DecodingEngine engine = Engine(StoriesConfig, TestModels.Stories());
        int[] whole = [.. engine.Run([Greedy([1], 40)], TestContext.Current.CancellationToken)[0].TokenIds];
        List<int> told = [];
        DecodingRequest request = Greedy([1], 40) with
        {
            MaxDraftLength = 16,
            Prediction = whole,
            IncludeLogProbabilities = true,
            OnToken = token =>
            {
                told.Add(token);
                return told.Count == 13;
            },
        };

        DecodedSequence sequence = engine.Run([request], TestContext.Current.CancellationToken)[0];

        Assert.Equal(whole[..13], told);
        Assert.Equal(whole[..13], sequence.TokenIds);
        Assert.Equal(13, sequence.LogProbabilities!.Count);
        Assert.Equal(FinishReason.Stop, sequence.FinishReason);
    }

    // Decoding token by token from the cache is the same function as one pass over the whole sequence.
    [Fact]
    public void Run_GreedyTokens_AreThoseOfOneWholePass()
    {
        using WorkerPool pool = new(1);
        Transformer transformer = new(TestModels.SmallConfig, Small, null, pool);
        int[] prompt = [3, 1, 4, 1, 5, 9, 2, 6];

        DecodedSequence sequence = Engine(TestModels.SmallConfig with { EndTokenIds = [36] }, Small).Run([Greedy(prompt, 100)], TestContext.Current.CancellationToken)[0];

        int[] whole = [.. prompt, .. sequence.TokenIds];
        RowBatch batch = new();
        batch.AddSegment(whole, 0, []);
        KeyValueStore store = new(TestModels.SmallConfig, whole.Length);
        Matrix hidden = transformer.Forward(batch, store, null, TestContext.Current.CancellationToken);
        Matrix logits = Matrix.Zeros(whole.Length, TestModels.SmallConfig.VocabularySize);
        MatrixProduct.TimesTransposed(hidden, Small.Head, logits, accumulate: false, pool);
        for (int t = 0; t < sequence.TokenIds.Count; t++)
        {
            Assert.Equal(System.Numerics.Tensors.TensorPrimitives.IndexOfMax(logits.Row(prompt.Length - 1 + t)), sequence.TokenIds[t]);
        }
    }

    [Fact]
    public void Run_PromptsThatShareAPrefix_CountsEachTokenAsComputedOnce()
    {
        int[] shared = [.. Enumerable.Range(3, 20)];
        DecodingRequest[] requests = [Greedy([.. shared, 30], 3), Greedy([.. shared, 31, 32], 3), Greedy([.. shared, 30], 3), Greedy([7], 3)];

        DecodedSequence[] sequences = Engine(TestModels.SmallConfig, Small).Run(requests, TestContext.Current.CancellationToken);

        // Computed: 20 shared, 30, 31 32 and 7, that is 24 of the 65 prompt tokens.
        Assert.Equal(65 - 24, sequences.Sum(sequence => sequence.CachedPromptTokens));
        Assert.Equal(sequences[0].TokenIds, sequences[2].TokenIds);
    }

    [Fact]
    public void Run_ContextEnds_FinishesByLength()
    {
        LlamaConfig config = TestModels.SmallConfig with { ContextLength = 12, EndTokenIds = [36] };

        DecodedSequence sequence = Engine(config, Small).Run([Greedy([3, 4, 5, 6, 7], 100)], TestContext.Current.CancellationToken)[0];

        Assert.Equal(7, sequence.TokenIds.Count);
        Assert.Equal(FinishReason.Length, sequence.FinishReason);
    }

    [Fact]
    public void Run_CallbackEnds_StopsAtThatToken()
    {
        int count = 0;

        DecodedSequence sequence = Engine(TestModels.SmallConfig with { EndTokenIds = [36] }, Small)
            .Run([Greedy([3], 100) with { OnToken = _ => ++count == 4 }], TestContext.Current.CancellationToken)[0];

        Assert.Equal(4, sequence.TokenIds.Count);
        Assert.Equal(FinishReason.Stop, sequence.FinishReason);
    }

    [Fact]
    public void Run_CancelledAtAToken_ThrowsBeforeTheNextAndServesTheNextCall()
    {
        using CancellationTokenSource source = new();
        DecodingEngine engine = Engine(TestModels.SmallConfig with { EndTokenIds = [36] }, Small);
        DecodedSequence expected = engine.Run([Greedy([3], 20)], TestContext.Current.CancellationToken)[0];
        int tokens = 0;

        Assert.Throws<OperationCanceledException>(() => engine.Run(
            [
                Greedy([3], 20) with
                {
                    OnToken = _ =>
                    {
                        if (++tokens == 3)
                        {
                            source.Cancel();
                        }

                        return false;
                    },
                },
            ],
            source.Token));

        Assert.Equal(3, tokens);
        Assert.Equal(expected.TokenIds, engine.Run([Greedy([3], 20)], TestContext.Current.CancellationToken)[0].TokenIds);
    }

    [Fact]
    public void Run_DamagedWeights_ThrowsWithTokenAndLogit()
    {
        LlamaWeights weights = TestModels.Random(TestModels.SmallConfig, 3);
        weights.FinalNorm.Values[0] = float.NaN;

        NonFiniteLogitsException exception = Assert.Throws<NonFiniteLogitsException>(
            () => Engine(TestModels.SmallConfig, weights).Run([Greedy([3], 5)], TestContext.Current.CancellationToken));

        Assert.Equal(0, exception.TokenIndex);
        Assert.Contains("NaN", exception.Message, StringComparison.Ordinal);
    }

    // A longer response costs its own ids, four bytes each, and nothing else: no pass allocates.
    [Theory]
    [InlineData(0)]
    [InlineData(8)]
    public void Run_Warm_AllocatesTheResponseAlone(int maxDraftLength)
    {
        // An end token that is outside the vocabulary: every response has all its tokens.
        DecodingEngine engine = Engine(TestModels.SmallConfig with { EndTokenIds = [37] }, Small);

        // The least of several: the runtime allocates on this thread too, when it first needs something.
        long[] longer = new long[6];
        long[] shorter = new long[6];
        for (int i = 0; i < longer.Length; i++)
        {
            longer[i] = Measure(200);
            shorter[i] = Measure(20);
        }

        Assert.Equal(4 * 180 * sizeof(int), longer.Min() - shorter.Min());

        long Measure(int maxTokens)
        {
            DecodingRequest[] requests = [.. Enumerable.Range(0, 4).Select(i => Greedy([3 + i], maxTokens) with { MaxDraftLength = maxDraftLength })];
            long before = GC.GetAllocatedBytesForCurrentThread();
            engine.Run(requests, CancellationToken.None);
            return GC.GetAllocatedBytesForCurrentThread() - before;
        }
    }

    private static DecodingEngine Engine(LlamaConfig config, LlamaWeights weights) =>
        new(new Transformer(config, weights, null, new WorkerPool(1)), maxRows: 64, prefillRows: 256);

    // What is drawn from after a prefix: the network's logits through the sampler's filters.
    private static double[] Distribution(LlamaConfig config, int[] tokens, SamplingOptions options)
    {
        using WorkerPool pool = new(1);
        RowBatch batch = new();
        batch.AddSegment(tokens, 0, []);
        Matrix hidden = new Transformer(config, Small, null, pool).Forward(batch, new KeyValueStore(config, tokens.Length), null);
        Matrix logits = Matrix.Zeros(1, config.VocabularySize);
        MatrixProduct.TimesTransposed(hidden.RowRange(tokens.Length - 1, 1), Small.Head, logits, accumulate: false, pool);
        float[] weights = new TokenSampler().Filter(logits.Row(0), [], options).ToArray();
        double total = weights.Sum(weight => (double)weight);
        return [.. weights.Select(weight => weight / total)];
    }

    private static long TokenBytes(LlamaConfig config) => 2L * sizeof(float) * config.LayerCount * config.KeyValueHeadCount * config.HeadSize;

    private static DecodingRequest Greedy(int[] prompt, int maxTokens) => new()
    {
        Prompt = prompt,
        Seed = 0,
        Options = new SamplingOptions { Temperature = 0, MaxTokens = maxTokens },
    };
}
