using System.Numerics.Tensors;
using Aries.TestKit;

namespace Aries.OnnxRuntimeGenAI.Tests;

/// <summary>What the backend relies on, measured on the real library.</summary>
[Collection(FakeLibraryTests.Name)]
public sealed class RealGeneratorTests(GenAIFolders folders)
{
    // The prompts and tokens of the model's own test: github.com/microsoft/onnxruntime-genai at a0c04eb1, test/model_tests.cpp, GreedySearchGptFp32.
    private static readonly int[][] Prompts = [[0, 0, 0, 52], [0, 0, 195, 731]];
    private static readonly int[][] Continuations = [[204, 204, 204, 204, 204, 204], [731, 114, 114, 114, 114, 114]];

    [Fact]
    public void Choose_TinyGpt2Greedy_WritesTheTokensOfItsOwnTest()
    {
        using OgaModel model = LoadTinyGpt2();
        using OgaGenerator generator = new(model, adapter: null, batchSize: 2, maxLength: 10);
        generator.Append(Prompts);

        int[][] tokens = [new int[6], new int[6]];
        for (int step = 0; step < 6; step++)
        {
            using OgaLogits logits = generator.NextLogits();
            int[] chosen = [Largest(logits, 0), Largest(logits, 1)];
            (tokens[0][step], tokens[1][step]) = (chosen[0], chosen[1]);
            generator.Choose(chosen);
        }

        Assert.Equal(Continuations, tokens);
    }

    [Fact]
    public void Append_TinyGpt2Greedy_WritesTheTokensOfItsOwnTest()
    {
        using OgaModel model = LoadTinyGpt2();
        for (int row = 0; row < Prompts.Length; row++)
        {
            Assert.Equal(Continuations[row], Greedy(model, Prompts[row], 6));
        }
    }

    // float32 sums over the same numbers in other orders.
    [Fact]
    public void AppendedLogits_WholeTextAtOnce_EqualThoseTokenByToken()
    {
        using OgaModel model = OgaModel.Load(RealLibrary.Api, GenAIFolder.Read(folders.Stories), RealLibrary.Options);
        int[] tokens = [1, 403, 407, 261, 378, 432, 401, 300, 291, 399];
        using OgaGenerator whole = new(model, adapter: null, batchSize: 1, maxLength: 32);
        using OgaGenerator single = new(model, adapter: null, batchSize: 1, maxLength: 32);
        whole.Append(tokens);

        using OgaLogits all = whole.AppendedLogits(model.Folder.LogitsName);

        Assert.Equal(tokens.Length, all.RowCount);
        TokenSampler sampler = new();
        for (int position = 0; position + 1 < tokens.Length; position++)
        {
            single.Append([tokens[position]]);
            using OgaLogits one = single.NextLogits();
            float expected = sampler.LogProbability(one.Row(0, []), tokens[position + 1]);
            Assert.Equal(expected, sampler.LogProbability(all.Row(position, []), tokens[position + 1]), 1e-5f);
        }
    }

    // On the processor, generators of one model do not disturb each other.
    [Fact]
    public void Append_SixtyFourGeneratorsOnFourThreads_EachWritesItsOwn()
    {
        using OgaModel model = LoadTinyGpt2();

        Parallel.For(0, 64, new ParallelOptions { MaxDegreeOfParallelism = 4 }, index => Assert.Equal(Continuations[index % 2], Greedy(model, Prompts[index % 2], 6)));
    }

    // Of 10,000 generators, as many pages are held after the last as after the 2,000th: what one leaks of its keys and values alone, 5 layers × 2 × 4 heads × 8 × 10 tokens × 4 bytes, would be 100 MB.
    [Fact]
    public void Dispose_TenThousandGenerators_NothingGrows()
    {
        using OgaModel model = LoadTinyGpt2();
        Cycle(model, 2000);
        long before = Environment.WorkingSet;

        Cycle(model, 8000);

        Assert.InRange(Environment.WorkingSet - before, long.MinValue, 32 << 20);
    }

    [Fact]
    public void Terminate_WhileNothingRuns_MakesTheNextCallFailAndTheProcessLives()
    {
        using OgaModel model = LoadTinyGpt2();
        using OgaGenerator generator = new(model, adapter: null, batchSize: 1, maxLength: 10);
        generator.Append(Prompts[0]);

        generator.Terminate();

        Assert.Throws<OgaException>(() => generator.Append([204]));
        Assert.Equal(Continuations[0], Greedy(model, Prompts[0], 6));
    }

    // What the library says when it is asked for too much is an exception, and the model goes on.
    [Fact]
    public void Append_BeyondEveryLimit_ThrowsAndTheModelGoesOn()
    {
        using OgaModel model = LoadTinyGpt2();
        using OgaGenerator generator = new(model, adapter: null, batchSize: 1, maxLength: 5);

        Assert.Throws<OgaException>(() => generator.Append([1, 2, 3, 4, 5, 6]));
        Assert.Throws<OgaException>(() => generator.Append([99_999]));
        Assert.Throws<OgaException>(() => new OgaGenerator(model, adapter: null, batchSize: 33, maxLength: 5));
        Assert.Throws<OgaException>(() => new OgaGenerator(model, adapter: null, batchSize: 1, maxLength: 100_000));
        Assert.Equal(Continuations[0], Greedy(model, Prompts[0], 6));
    }

    private static OgaModel LoadTinyGpt2()
    {
        OgaApi api = RealLibrary.Api;
        string? folder = TestData.Shared("data", "tiny-random-gpt2-onnx");
        Assert.SkipWhen(folder is null, "shared/data/tiny-random-gpt2-onnx does not lie beside the checkout.");
        return OgaModel.Load(api, GenAIFolder.Read(folder), RealLibrary.Options with { ThreadCount = 1 });
    }

    private static int[] Greedy(OgaModel model, int[] prompt, int count)
    {
        using OgaGenerator generator = new(model, adapter: null, batchSize: 1, maxLength: prompt.Length + count);
        int[] tokens = new int[count];
        generator.Append(prompt);
        for (int step = 0; step < count; step++)
        {
            using OgaLogits logits = generator.NextLogits();
            tokens[step] = Largest(logits, 0);
            generator.Append([tokens[step]]);
        }

        return tokens;
    }

    private static void Cycle(OgaModel model, int count)
    {
        for (int index = 0; index < count; index++)
        {
            using OgaGenerator generator = new(model, adapter: null, batchSize: 1, maxLength: 10);
            generator.Append([52]);
            generator.NextLogits().Dispose();
        }
    }

    private static int Largest(OgaLogits logits, int row) => TensorPrimitives.IndexOfMax(logits.Row(row, []));
}
