using Aries.TestKit;
using CsCheck;

namespace Aries.Managed.Tests;

public sealed class WeightStorageTests
{
    private static readonly string Folder = TestData.Golden("stories260K-hf");

    // What a model writes itself tells how far another is from it: the mean fall of the log-probability estimates the divergence KL(float32 ‖ stored), in nats
    // a token. Measured: 1.4e-4 and 3.9e-4, and a mean change of a token's log-probability of 6.1e-3 and 1.9e-2. One bit less would double the changes and
    // quadruple the falls, beyond the bounds.
    [Theory]
    [InlineData(WeightStorage.BFloat16, 5e-4, 1e-2)]
    [InlineData(WeightStorage.Int8, 1.2e-3, 3e-2)]
    public async Task GetLogProbabilitiesAsync_FewerBytes_StaysCloseToFloat32(WeightStorage storage, double largestFall, double largestChange)
    {
        CancellationToken cancellation = TestContext.Current.CancellationToken;
        using ManagedPolicyModel full = ManagedPolicyModel.Load(Folder);
        using ManagedPolicyModel small = ManagedPolicyModel.Load(Folder, new ManagedPolicyOptions { WeightStorage = storage });
        IReadOnlyList<Response> written = await full.GenerateAsync(
            [.. Enumerable.Range(0, 64).Select(seed => new GenerationRequest("Once upon a time", new SamplingOptions { Temperature = 1, MaxTokens = 200, Seed = seed }))], cancellation);
        LogProbabilityRequest[] requests = [.. written.Select(response => new LogProbabilityRequest("Once upon a time", response.Text) { IncludeEndToken = false })];

        IReadOnlyList<ResponseLogProbability> expected = await full.GetLogProbabilitiesAsync(requests, cancellation);
        IReadOnlyList<ResponseLogProbability> actual = await small.GetLogProbabilitiesAsync(requests, cancellation);

        double tokens = expected.Sum(score => (double)score.TokenLogProbabilities.Count);
        double fall = (expected.Sum(score => score.Sum) - actual.Sum(score => score.Sum)) / tokens;
        double change = expected.Zip(actual).Sum(
            pair => pair.First.TokenLogProbabilities.Zip(pair.Second.TokenLogProbabilities).Sum(token => Math.Abs((double)token.First - token.Second))) / tokens;
        Assert.InRange(tokens, 10_000, 12_800);
        Assert.InRange(fall, -largestFall, largestFall);
        Assert.InRange(change, 1e-6, largestChange);
    }

    [Fact]
    public async Task Generate_CheckpointOfBFloat16_IsTheSameInBFloat16()
    {
        using TempFolder folder = new();
        (LlamaConfig config, LlamaWeights weights) = LlamaFolder.Load(Folder);
        LlamaFolder.Save(folder.At("bf16"), config, weights, Folder, WeightType.BFloat16);
        using ManagedPolicyModel full = ManagedPolicyModel.Load(folder.At("bf16"));
        using ManagedPolicyModel half = ManagedPolicyModel.Load(folder.At("bf16"), new ManagedPolicyOptions { WeightStorage = WeightStorage.BFloat16 });
        GenerationRequest[] requests = [.. Enumerable.Range(0, 6).Select(seed => new GenerationRequest(
            "Lily", new SamplingOptions { MaxTokens = 60, Seed = seed }) { IncludeLogProbabilities = true })];

        IReadOnlyList<Response> expected = await full.GenerateAsync(requests, TestContext.Current.CancellationToken);
        IReadOnlyList<Response> actual = await half.GenerateAsync(requests, TestContext.Current.CancellationToken);

        for (int i = 0; i < requests.Length; i++)
        {
            Assert.Equal(expected[i].TokenIds, actual[i].TokenIds);
            Assert.Equal(expected[i].TokenLogProbabilities, actual[i].TokenLogProbabilities);
        }
    }

    // As float32 models do: alone or in any batch, with any number of threads and places.
    [Theory]
    [InlineData(WeightStorage.BFloat16)]
    [InlineData(WeightStorage.Int8)]
    public void GenerateAsync_RandomBatches_GiveEachRequestWhatItGetsAlone(WeightStorage storage)
    {
        using ManagedPolicyModel alone = ManagedPolicyModel.Load(Folder, new ManagedPolicyOptions { ThreadCount = 1, WeightStorage = storage });
        Gen<GenerationRequest> request = Gen.Select(Gen.Int[0, 2], Gen.Long, Gen.Int[1, 40]).Select(static (prompt, seed, maxTokens) => new GenerationRequest(
            ((string[])["Once upon a time", "Lily", "Lily saw a big red ball. She"])[prompt],
            new SamplingOptions { Seed = seed, MaxTokens = maxTokens })
        { IncludeLogProbabilities = true });
        Gen.Select(request.Array[1, 16], Gen.Int[1, 3], Gen.Int[1, 16], Gen.Int[1, 40]).Sample((requests, threads, places, prefill) =>
        {
            using ManagedPolicyModel model = ManagedPolicyModel.Load(
                Folder, new ManagedPolicyOptions { ThreadCount = threads, MaxBatchSize = places, PrefillLength = prefill, WeightStorage = storage });

            IReadOnlyList<Response> together = model.GenerateAsync(requests).GetAwaiter().GetResult();

            for (int i = 0; i < requests.Length; i++)
            {
                Response single = alone.GenerateAsync([requests[i]]).GetAwaiter().GetResult()[0];
                Assert.Equal(single.TokenIds, together[i].TokenIds);
                Assert.Equal(single.TokenLogProbabilities, together[i].TokenLogProbabilities);
            }
        }, iter: 8, threads: 1);
    }

    [Fact]
    public void Load_FolderAndFile_PackTheSameWeights()
    {
        (LlamaConfig config, LlamaWeights plain) = LlamaFolder.Load(Folder);
        foreach (string path in (string[])[Folder, TestData.Golden("stories260K", "stories260K.bin")])
        {
            (_, LlamaWeights packed) = LlamaFolder.Load(path, WeightStorage.Int8);

            foreach ((Parameter expected, Parameter actual) in plain.Parameters().Zip(packed.Parameters()))
            {
                Assert.Equal(expected.Name, actual.Name);
                Assert.Equal(expected.Rows > 1, actual.Packed is not null);
                for (int row = 0; row < expected.Rows; row++)
                {
                    float[] values = new float[expected.Columns];
                    actual.CopyRow(row, values);
                    ReadOnlySpan<float> source = expected.Values.AsSpan(row * expected.Columns, expected.Columns);
                    Assert.Equal(expected.Rows > 1 ? StoredWeights.Of(source, WeightStorage.Int8) : source.ToArray(), values);
                }
            }

            Assert.Same(packed.Embedding, packed.Head);
        }

        Assert.True(config.TieEmbeddings);
    }

    // The file's float32 never lie in memory beside what is made of them: all that a load allocates is less than they would take.
    [Fact]
    public void Load_Int8_AllocatesLessThanTheFloats()
    {
        using TempFolder folder = new();
        LlamaConfig config = TestModels.StoriesConfig with { HiddenSize = 256, IntermediateSize = 512, HeadSize = 32, VocabularySize = 4096 };
        LlamaWeights weights = TestModels.Random(config, seed: 1);
        long floats = weights.Parameters().Sum(parameter => 4L * parameter.Values.Length);
        LlamaFolder.Save(folder.At("model"), config, weights);

        long before = GC.GetAllocatedBytesForCurrentThread();
        (_, LlamaWeights packed) = LlamaFolder.Load(folder.At("model"), WeightStorage.Int8);
        long allocated = GC.GetAllocatedBytesForCurrentThread() - before;

        // 1 + 4 ÷ 64 bytes of every 4, and a panel's rows twice while a tensor is packed.
        Assert.InRange(allocated, floats * 17 / 64, floats / 2);
        Assert.Equal(weights.Parameters().Count(), packed.Parameters().Count());
    }

    [Fact]
    public void ToString_Loader_NamesWhatChangesResponses()
    {
        Assert.Equal("Aries.Managed.ManagedPolicyModelLoader", new ManagedPolicyModelLoader(new ManagedPolicyOptions { ThreadCount = 2 }).ToString());
        Assert.Equal(
            "Aries.Managed.ManagedPolicyModelLoader { ContextLength = 64, WeightStorage = Int8 }",
            new ManagedPolicyModelLoader(new ManagedPolicyOptions { ContextLength = 64, WeightStorage = WeightStorage.Int8 }).ToString());
    }

    [Fact]
    public void Validate_UnknownStorage_NamesTheOption() =>
        Assert.Throws<ArgumentOutOfRangeException>("WeightStorage", static () => new ManagedPolicyOptions { WeightStorage = (WeightStorage)7 }.Validate());
}
