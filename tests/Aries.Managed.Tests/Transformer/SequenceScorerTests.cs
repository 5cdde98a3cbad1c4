using System.Text.Json;
using Aries.TestKit;

namespace Aries.Managed.Tests;

public sealed class SequenceScorerTests : IDisposable
{
    // Golden tolerances for float32: 5e-4 on a sequence's log-probability, 1e-4 relative (Frobenius) on a gradient tensor.
    private const double SumTolerance = 5e-4;
    private const double GradientTolerance = 1e-4;

    private readonly WorkerPool _pool = new(2);

    public static TheoryData<string> Losses => [.. GoldenFiles.Json("grads_full", "losses.json").GetProperty("losses").EnumerateObject()
        .Select(loss => loss.Name).Where(name => name != "orpo_full_nll")];

    public void Dispose() => _pool.Dispose();

    [Theory]
    [InlineData("grads_full")]
    [InlineData("lora")]
    public void Score_AllPairsInOneTree_GivesTheGoldenSums(string folder)
    {
        JsonElement expected = GoldenFiles.Json(folder, "losses.json").GetProperty("policy_logps");
        GoldenPairs pairs = new(folder);
        SequenceScorer scorer = CreateScorer(folder, recompute: false);

        double[] actual = ScoreAll(scorer, pairs, GoldenPairs.Names);

        for (int i = 0; i < actual.Length; i++)
        {
            Assert.Equal(expected.GetProperty(GoldenPairs.Names[i / pairs.Count])[i % pairs.Count].GetDouble(), actual[i], SumTolerance);
        }
    }

    [Theory]
    [MemberData(nameof(Losses))]
    public void Backward_AllWeights_GivesTheGoldenGradients(string loss)
    {
        int[] rows = GoldenFiles.Json("grads_full", "losses.json").GetProperty("embedding_rows").Ints();
        ModelGradients gradients = ModelGradients.ForAllWeights(TestModels.StoriesConfig);

        BackwardGolden("grads_full", loss, gradients, recompute: false);

        Dictionary<string, GoldenTensor> expected = GoldenFiles.Tensors("grads_full", "grads.safetensors");
        float[] embedding = gradients.Full!.Embedding.Values;
        float[] storedRows = [.. rows.SelectMany(row => embedding[(row * 64)..((row + 1) * 64)])];
        AssertClose(expected[$"{loss}/model.embed_tokens.weight[rows]"], storedRows);
        AssertClose(expected[$"{loss}/model.layers.2.self_attn.q_proj.weight"], gradients.Full.Layers[2].Query.Values);
        AssertClose(expected[$"{loss}/model.layers.3.mlp.down_proj.weight"], gradients.Full.Layers[3].Down.Values);
        JsonElement norms = GoldenFiles.Json("grads_full", "losses.json").GetProperty("losses").GetProperty(loss).GetProperty("grad_norms");
        foreach (Parameter parameter in gradients.Parameters)
        {
            double expectedNorm = norms.GetProperty(parameter.Name).GetDouble();
            Assert.Equal(expectedNorm, Math.Sqrt(RowKernels.SumOfSquares(parameter.Values)), GradientTolerance * expectedNorm);
        }
    }

    [Theory]
    [InlineData("dpo_sigmoid")]
    [InlineData("aries_full")]
    public void Backward_AllWeights_GivesEveryGoldenTensor(string loss)
    {
        string? file = TestData.Shared("golden", "grads_full", $"grads_all_{loss}.safetensors");
        Assert.SkipWhen(file is null, "The gradients of all tensors (2 MB a loss) do not lie beside this checkout; their norms and three tensors are checked without them.");
        ModelGradients gradients = ModelGradients.ForAllWeights(TestModels.StoriesConfig);

        BackwardGolden("grads_full", loss, gradients, recompute: false);

        Dictionary<string, GoldenTensor> expected = GoldenFiles.Tensors(file);
        foreach (Parameter parameter in gradients.Parameters)
        {
            AssertClose(expected.Single(entry => entry.Key.EndsWith(parameter.Name, StringComparison.Ordinal)).Value, parameter.Values);
        }
    }

    [Theory]
    [MemberData(nameof(Losses))]
    public void Backward_Adapter_GivesTheGoldenGradients(string loss)
    {
        ModelGradients gradients = ModelGradients.ForAdapter(TestModels.Stories(), GoldenLora);

        BackwardGolden("lora", loss, gradients, recompute: false);

        Dictionary<string, GoldenTensor> expected = GoldenFiles.Tensors("lora", "grads.safetensors");
        foreach (Parameter parameter in gradients.Parameters)
        {
            AssertClose(expected[$"{loss}/{parameter.Name}"], parameter.Values);
        }
    }

    [Theory]
    [InlineData("grads_full")]
    [InlineData("lora")]
    public void Backward_Recomputed_GivesTheSameBits(string folder)
    {
        ModelGradients Create() => folder == "lora"
            ? ModelGradients.ForAdapter(TestModels.Stories(), GoldenLora)
            : ModelGradients.ForAllWeights(TestModels.StoriesConfig);
        ModelGradients kept = Create();
        ModelGradients recomputed = Create();

        BackwardGolden(folder, "aries_full", kept, recompute: false);
        BackwardGolden(folder, "aries_full", recomputed, recompute: true);

        Assert.All(kept.Parameters.Zip(recomputed.Parameters), pair => Assert.Equal(pair.First.Values, pair.Second.Values));
    }

    // Every kind of weight of an odd shape (biases, untied head, grouped heads, rescaled rotary angles) along a random direction.
    // float32 sums of about 100 nats are good to about 1e-5; the central difference of step 1e-3 makes 1e-2 of it.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Backward_OddShape_AgreesWithFiniteDifferences(bool adapted)
    {
        LlamaConfig config = TestModels.SmallConfig;
        LlamaWeights weights = TestModels.Random(config, seed: 11);
        LoraWeights? adapter = adapted ? TestModels.RandomAdapter(weights, new LoraOptions { Rank = 3, Alpha = 4 }, seed: 12) : null;
        ModelGradients gradients = adapted ? ModelGradients.ForAdapter(weights, adapter!.Options) : ModelGradients.ForAllWeights(config);
        SequenceScorer scorer = new(config, weights, adapter, _pool);
        List<(int[], int)> sequences = RandomTree(new Random(13), config.VocabularySize);
        double[] derivatives = [.. sequences.Select((_, i) => Math.Sin(1 + i))];
        Score(scorer, sequences, forBackward: true);
        scorer.Backward(derivatives, gradients, TestContext.Current.CancellationToken);

        IEnumerable<Parameter> trained = adapted ? adapter!.Parameters() : weights.Parameters();
        foreach ((Parameter parameter, Parameter gradient) in trained.Zip(gradients.Parameters))
        {
            // Along the gradient itself: a random direction would hide a small tensor's slope in rounding.
            float[] before = [.. parameter.Values];
            double norm = Math.Sqrt(RowKernels.SumOfSquares(gradient.Values));
            double Value(double step)
            {
                for (int i = 0; i < before.Length; i++)
                {
                    parameter.Values[i] = (float)(before[i] + (step * gradient.Values[i] / norm));
                }

                return Score(scorer, sequences, forBackward: false).Zip(derivatives, (score, derivative) => score * derivative).Sum();
            }

            const double Step = 1e-3;
            double slope = ((8 * (Value(Step) - Value(-Step))) - (Value(2 * Step) - Value(-2 * Step))) / (12 * Step);
            before.CopyTo(parameter.Values, 0);

            Assert.True(Math.Abs(slope - norm) <= 0.01 * norm + 0.02, $"{parameter.Name}: slope {slope}, gradient norm {norm}");
        }
    }

    [Fact]
    public void Score_OneTreeOrSeparateSequences_Agrees()
    {
        LlamaConfig config = TestModels.SmallConfig;
        LlamaWeights weights = TestModels.Random(config, seed: 21);
        SequenceScorer scorer = new(config, weights, null, _pool);
        Random random = new(22);
        for (int trial = 0; trial < 20; trial++)
        {
            List<(int[] Tokens, int Start)> sequences = RandomTree(random, config.VocabularySize);

            double[] together = Score(scorer, sequences, forBackward: false);
            Assert.Equal(Score(scorer, sequences, forBackward: true), together);

            // Bit for bit: no product, sum or softmax of a row knows of the rows beside it.
            double[] apart = [.. sequences.Select(sequence => Score(scorer, [sequence], forBackward: false)[0])];
            Assert.Equal(apart, together);
        }
    }

    [Fact]
    public void Backward_OneTreeOrSeparateSequences_Agrees()
    {
        LlamaConfig config = TestModels.SmallConfig;
        LlamaWeights weights = TestModels.Random(config, seed: 31);
        SequenceScorer scorer = new(config, weights, null, _pool);
        List<(int[], int)> sequences = RandomTree(new Random(32), config.VocabularySize);
        double[] derivatives = [.. sequences.Select((_, i) => Math.Cos(i))];
        ModelGradients together = ModelGradients.ForAllWeights(config);
        ModelGradients apart = ModelGradients.ForAllWeights(config);

        Score(scorer, sequences, forBackward: true);
        scorer.Backward(derivatives, together, TestContext.Current.CancellationToken);
        for (int i = 0; i < sequences.Count; i++)
        {
            Score(scorer, [sequences[i]], forBackward: true);
            scorer.Backward([derivatives[i]], apart, TestContext.Current.CancellationToken);
        }

        foreach ((Parameter expected, Parameter actual) in apart.Parameters.Zip(together.Parameters))
        {
            Assert.True(GoldenFiles.RelativeDistance([.. expected.Values.Select(value => (double)value)], actual.Values) < 1e-5, expected.Name);
        }
    }

    // Alone, a long sequence is cut into units that run side by side; among eight others of its length it is one. Both are sums of the same terms.
    [Fact]
    public void Backward_LongSequenceAloneOrAmongOthers_Agrees()
    {
        LlamaConfig config = TestModels.SmallConfig;
        SequenceScorer scorer = new(config, TestModels.Random(config, seed: 35), null, _pool);
        Random random = new(36);
        List<(int[], int)> sequences = [.. Enumerable.Range(0, 9).Select(first => ((int[])[first, .. Enumerable.Range(0, 240).Select(_ => random.Next(37))], 200))];
        ModelGradients alone = ModelGradients.ForAllWeights(config);
        ModelGradients among = ModelGradients.ForAllWeights(config);

        Score(scorer, sequences[..1], forBackward: true);
        scorer.Backward([1.0], alone, TestContext.Current.CancellationToken);
        Score(scorer, sequences, forBackward: true);
        scorer.Backward([1.0, .. Enumerable.Repeat(0.0, 8)], among, TestContext.Current.CancellationToken);

        foreach ((Parameter expected, Parameter actual) in alone.Parameters.Zip(among.Parameters))
        {
            Assert.True(GoldenFiles.RelativeDistance([.. expected.Values.Select(value => (double)value)], actual.Values) < 1e-5, expected.Name);
        }
    }

    [Fact]
    public void Backward_OneThreadOrMany_GivesTheSameBits()
    {
        ModelGradients Run(int threads)
        {
            using WorkerPool pool = new(threads);
            LlamaWeights weights = TestModels.Random(TestModels.SmallConfig, seed: 41);
            SequenceScorer scorer = new(TestModels.SmallConfig, weights, null, pool);
            List<(int[], int)> sequences = RandomTree(new Random(42), 37);
            Score(scorer, sequences, forBackward: true);
            ModelGradients gradients = ModelGradients.ForAllWeights(TestModels.SmallConfig);
            scorer.Backward([.. sequences.Select((_, i) => 1.0 / (i + 1))], gradients, TestContext.Current.CancellationToken);
            return gradients;
        }

        Assert.All(Run(1).Parameters.Zip(Run(4).Parameters), pair => Assert.Equal(pair.First.Values, pair.Second.Values));
    }

    [Fact]
    public void Score_SecondTreeOfOneSize_AllocatesNothing()
    {
        using WorkerPool one = new(1);
        SequenceScorer scorer = new(TestModels.SmallConfig, TestModels.Random(TestModels.SmallConfig, seed: 51), null, one);
        ModelGradients gradients = ModelGradients.ForAllWeights(TestModels.SmallConfig);
        List<(int[] Tokens, int Start)> sequences = RandomTree(new Random(52), 37);
        double[] sums = new double[sequences.Count];
        void Pass()
        {
            scorer.Clear();
            foreach ((int[] tokens, int start) in sequences)
            {
                scorer.Add(tokens, start);
            }

            scorer.Score(sums, forBackward: true, TestContext.Current.CancellationToken);
            scorer.Backward(sums, gradients, TestContext.Current.CancellationToken);
        }

        Pass();
        Pass();
        long before = GC.GetAllocatedBytesForCurrentThread();
        Pass();

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Use_OtherWeightsAndBack_GivesTheBitsOfEach(bool recompute)
    {
        LlamaConfig config = TestModels.SmallConfig;
        LlamaWeights weights = TestModels.Random(config, seed: 61);
        LoraWeights adapter = TestModels.RandomAdapter(weights, new LoraOptions { Rank = 3, Alpha = 4 }, seed: 62);
        LlamaWeights other = TestModels.Random(config, seed: 63);
        List<(int[], int)> sequences = RandomTree(new Random(64), 37);
        double[] derivatives = [.. sequences.Select((_, i) => 1.0 / (i + 1))];
        (double[] Sums, ModelGradients Gradients) Train(SequenceScorer scorer)
        {
            double[] sums = Score(scorer, sequences, forBackward: true);
            ModelGradients gradients = ModelGradients.ForAdapter(weights, adapter.Options);
            scorer.Backward(derivatives, gradients, TestContext.Current.CancellationToken);
            return (sums, gradients);
        }

        (double[] expected, ModelGradients expectedGradients) = Train(new SequenceScorer(config, weights, adapter, _pool, recompute));
        double[] expectedOther = Score(new SequenceScorer(config, other, null, _pool), sequences, forBackward: false);

        SequenceScorer shared = new(config, weights, adapter, _pool, recompute);
        Train(shared);
        shared.Use(other, null);
        double[] actualOther = Score(shared, sequences, forBackward: false);
        shared.Use(weights, adapter);
        (double[] actual, ModelGradients actualGradients) = Train(shared);

        Assert.Equal(expectedOther, actualOther);
        Assert.Equal(expected, actual);
        Assert.All(expectedGradients.Parameters.Zip(actualGradients.Parameters), pair => Assert.Equal(pair.First.Values, pair.Second.Values));
    }

    [Fact]
    public void Use_AfterScoreForBackward_ForgetsIt()
    {
        LlamaWeights weights = TestModels.Random(TestModels.SmallConfig, seed: 1);
        SequenceScorer scorer = new(TestModels.SmallConfig, weights, null, _pool);
        Score(scorer, [([1, 2, 3], 1)], forBackward: true);

        scorer.Use(TestModels.Random(TestModels.SmallConfig, seed: 2), null);

        Assert.Throws<InvalidOperationException>(() => scorer.Backward([1], ModelGradients.ForAllWeights(TestModels.SmallConfig), TestContext.Current.CancellationToken));
    }

    [Fact]
    public void Backward_WithoutScoreForIt_Throws()
    {
        SequenceScorer scorer = new(TestModels.SmallConfig, TestModels.Random(TestModels.SmallConfig, seed: 1), null, _pool);
        Score(scorer, [([1, 2, 3], 1)], forBackward: false);

        Assert.Throws<InvalidOperationException>(() => scorer.Backward([1], ModelGradients.ForAllWeights(TestModels.SmallConfig), TestContext.Current.CancellationToken));
    }

    [Fact]
    public void Score_WeightsNotFinite_Throws()
    {
        LlamaWeights weights = TestModels.Random(TestModels.SmallConfig, seed: 1);
        weights.Layers[1].Down.Values[5] = float.NaN;
        SequenceScorer scorer = new(TestModels.SmallConfig, weights, null, _pool);

        Assert.Throws<NotFiniteNumberException>(() => Score(scorer, [([1, 2, 3], 1)], forBackward: false));
    }

    // Prompts and responses that share beginnings at random, some longer than an attention tile, one sequence twice.
    internal static List<(int[] Tokens, int Start)> RandomTree(Random random, int vocabulary)
    {
        int[] Ids(int count) => [.. Enumerable.Range(0, count).Select(_ => random.Next(vocabulary))];
        List<(int[] Tokens, int Start)> sequences = [];
        for (int pair = 0; pair < 3; pair++)
        {
            int[] prompt = [1, .. Ids(1 + random.Next(pair == 0 ? 90 : 12))];
            int[] chosen = Ids(1 + random.Next(20));
            int[] rejected = [.. chosen[..random.Next(chosen.Length)], .. Ids(1 + random.Next(80))];
            sequences.Add(([.. prompt, .. chosen], prompt.Length));
            sequences.Add(([.. prompt, .. rejected], prompt.Length));
            int[] refinement = [1, 5, 6, .. prompt, .. rejected, 7];
            sequences.Add(([.. refinement, .. chosen], refinement.Length));
            sequences.Add(([.. refinement, .. rejected], refinement.Length));
        }

        sequences.Add(sequences[1]);
        sequences.Add((sequences[2].Tokens, sequences[2].Start - 2));
        return sequences;
    }

    private static LoraOptions GoldenLora => new() { Rank = 4, Alpha = 8 };

    private static void AssertClose(GoldenTensor expected, float[] actual)
    {
        // A token that no sequence holds may have a gradient of exactly 0 in a loss that ignores it.
        if (expected.Values.All(value => value == 0))
        {
            Assert.All(actual, value => Assert.Equal(0, value));
            return;
        }

        Assert.InRange(GoldenFiles.RelativeDistance(expected.Values, actual), 0, GradientTolerance);
    }

    private static double[] Score(SequenceScorer scorer, List<(int[] Tokens, int Start)> sequences, bool forBackward)
    {
        scorer.Clear();
        foreach ((int[] tokens, int start) in sequences)
        {
            scorer.Add(tokens, start);
        }

        double[] sums = new double[sequences.Count];
        scorer.Score(sums, forBackward, TestContext.Current.CancellationToken);
        return sums;
    }

    private static double[] ScoreAll(SequenceScorer scorer, GoldenPairs pairs, IEnumerable<string> names, bool forBackward = false) =>
        Score(scorer, [.. names.SelectMany(name => Enumerable.Range(0, pairs.Count).Select(pair => pairs.Sequence(pair, name)))], forBackward);

    private SequenceScorer CreateScorer(string folder, bool recompute)
    {
        LlamaWeights weights = folder == "lora" ? TestModels.Stories() : TestModels.Stories("grads_full", "policy.safetensors");
        LoraWeights? adapter = folder == "lora" ? TestModels.Adapter(weights, GoldenLora, "lora", "adapter_model.safetensors") : null;
        return new SequenceScorer(TestModels.StoriesConfig, weights, adapter, _pool, recompute);
    }

    // Back-propagates the golden ∂loss/∂log-probability: the losses themselves are tested where they live.
    private void BackwardGolden(string folder, string loss, ModelGradients gradients, bool recompute)
    {
        JsonElement derivatives = GoldenFiles.Json(folder, "losses.json").GetProperty("losses").GetProperty(loss).GetProperty("dloss_dlogp");
        string[] names = [.. GoldenPairs.Names.Where(name => derivatives.TryGetProperty(name, out _))];
        SequenceScorer scorer = CreateScorer(folder, recompute);
        ScoreAll(scorer, new GoldenPairs(folder), names, forBackward: true);
        scorer.Backward([.. names.SelectMany(name => derivatives.GetProperty(name).Doubles())], gradients, TestContext.Current.CancellationToken);
    }
}
