using System.Text.Json;
using Aries.Preferences;

namespace Aries.Managed.Tests;

public sealed class OptimizerStepTests : IDisposable
{
    private readonly WorkerPool _pool = new(2);

    public void Dispose() => _pool.Dispose();

    // golden/adamw, its tolerances for float32: loss 2e-5, grad_norm 5e-5, final tensors 5e-5 absolute.
    [Theory]
    [InlineData("hf", WarmUpStart.Zero)]
    [InlineData("plus_one", WarmUpStart.FirstFraction)]
    public void Run_GoldenTrajectory_FollowsEveryStep(string run, WarmUpStart start)
    {
        JsonElement training = GoldenFiles.Json("adamw", "training.json");
        LlamaWeights weights = TestModels.Stories();
        LoraWeights adapter = TestModels.Adapter(weights, new LoraOptions { Rank = 4, Alpha = 8 }, "adamw", "init.safetensors");
        TrainedModel model = new(TestModels.StoriesConfig, weights, adapter);
        DpoLoss loss = new(new DpoLossOptions { Beta = 0.1 });
        List<TrainingRow> rows = GoldenRows("adamw", loss.Sequences);
        LearningRateOptions rates = new() { Peak = 1e-3, WarmUpFraction = 0.25, WarmUpStart = start };
        ReferenceScores reference = ReferenceScores.Compute(
            new SequenceScorer(model.Config, weights, null, _pool), rows, loss.Sequences, 4096, TestContext.Current.CancellationToken);
        OptimizerStep step = new(model, loss, new AdamWOptions { WeightDecay = 0.01 }, rows, 4096, recompute: false, _pool) { Reference = reference };

        for (int index = 0; index < 20; index++)
        {
            JsonElement expected = training.GetProperty("runs").GetProperty(run).GetProperty("steps")[index];

            Dictionary<string, double> actual = step.Run(
                training.GetProperty("order")[index].Ints(), rates.At(index, 20), TestContext.Current.CancellationToken);

            Assert.Equal(expected.GetProperty("lr").GetDouble(), actual["learning_rate"], 1e-15);
            Assert.Equal(expected.GetProperty("loss").GetDouble(), actual["loss"], 2e-5);
            Assert.Equal(expected.GetProperty("grad_norm").GetDouble(), actual["grad_norm"], 5e-5);
            Assert.Equal(expected.GetProperty("rewards_chosen").GetDouble(), actual["rewards/chosen"], 5e-5);
            Assert.Equal(expected.GetProperty("rewards_rejected").GetDouble(), actual["rewards/rejected"], 5e-5);
            Assert.Equal(expected.GetProperty("policy_w").Doubles().Average(), actual["logps/chosen"], 5e-4);
            if (index > (run == "hf" ? 1 : 0))
            {
                Assert.Equal(expected.GetProperty("accuracy").GetDouble(), actual["rewards/accuracies"]);
            }

            if (run == "hf" && index == 4)
            {
                AssertClose("after_step4_hf.safetensors", adapter.Parameters(), 5e-5);
            }
        }

        AssertClose($"final_{run}.safetensors", adapter.Parameters(), 5e-5);
        if (run == "hf")
        {
            AssertClose("final_hf_exp_avg.safetensors", step.Optimizer.FirstMoments, 5e-5);
            AssertClose("final_hf_exp_avg_sq.safetensors", step.Optimizer.SecondMoments, 5e-5);
        }
    }

    public static TheoryData<string, IPreferenceLoss> AccumulatedLosses => new()
    {
        { "ARIES", new AriesLoss() },
        { "SFT", new SupervisedLoss(LossNormalization.TokenMean) },
        { "ORPO", new OrpoLoss() },
        { "KTO", new KtoLoss() },
    };

    // A batch in one micro-batch and pair by pair: the same loss, gradient norm and weights to float32's rounding. KTO's reference point is a mean over the batch.
    [Theory]
    [MemberData(nameof(AccumulatedLosses))]
    public void Run_BatchOfEightOrEightOfOne_Agrees(string name, IPreferenceLoss loss)
    {
        (Dictionary<string, double> wholeMetrics, TrainedModel whole) = Train(loss, tokenBudget: 1 << 20, steps: 2);
        (Dictionary<string, double> partMetrics, TrainedModel parts) = Train(loss, tokenBudget: 1, steps: 2);

        Assert.Equal(wholeMetrics["loss"], partMetrics["loss"], 1e-5 * Math.Abs(wholeMetrics["loss"]));
        Assert.Equal(wholeMetrics["grad_norm"], partMetrics["grad_norm"], 1e-5 * wholeMetrics["grad_norm"]);
        Assert.Equal(wholeMetrics["num_tokens"], partMetrics["num_tokens"]);
        Assert.Equal(wholeMetrics["entropy"], partMetrics["entropy"], 0.05);
        foreach ((Parameter expected, Parameter actual) in whole.Trained().Zip(parts.Trained()))
        {
            double distance = GoldenFiles.RelativeDistance([.. expected.Values.Select(value => (double)value)], actual.Values);
            Assert.True(distance < 1e-5, $"{name}: {expected.Name} differs by {distance}");
        }
    }

    [Fact]
    public void Run_RecomputedActivations_GivesTheSameBits()
    {
        (Dictionary<string, double> kept, TrainedModel first) = Train(new AriesLoss(), 1 << 20, steps: 3);
        (Dictionary<string, double> recomputed, TrainedModel second) = Train(new AriesLoss(), 1 << 20, steps: 3, recompute: true);

        Assert.Equal(kept, recomputed);
        Assert.All(first.Trained().Zip(second.Trained()), pair => Assert.Equal(pair.First.Values, pair.Second.Values));
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    public void Run_WeightNotFinite_NamesStepAndLeavesTheOthers(float value)
    {
        LlamaWeights weights = TestModels.Random(TestModels.SmallConfig, seed: 1);
        List<TrainingRow> rows = RandomRows(PairSequences.Chosen);
        OptimizerStep step = new(
            new TrainedModel(TestModels.SmallConfig, weights, null), new SupervisedLoss(), new AdamWOptions(), rows, 1 << 20, recompute: false, _pool);
        step.Run([0, 1], 1e-3, TestContext.Current.CancellationToken);
        weights.Layers[0].Gate.Values[3] = value;
        float[] before = [.. weights.Head.Values];

        TrainingDivergedException exception = Assert.Throws<TrainingDivergedException>(() => step.Run([0, 1], 1e-3, TestContext.Current.CancellationToken));

        Assert.Equal(2, exception.Step);
        Assert.Contains("step 2", exception.Message, StringComparison.Ordinal);
        Assert.Equal(before, weights.Head.Values);
        Assert.Equal(1, step.Optimizer.StepCount);
    }

    [Fact]
    public void Split_AnyBudget_KeepsEveryRowInOrder()
    {
        List<TrainingRow> rows = RandomRows(PairSequences.Direct);
        int[] batch = [5, 2, 7, 0, 1];
        foreach (int budget in new[] { 1, 60, 150, 100_000 })
        {
            List<int> seen = [];
            foreach ((int start, int count, int tokens) in new MicroBatches(budget).Split(rows, batch))
            {
                seen.AddRange(batch[start..(start + count)]);
                Assert.True(count == 1 || tokens <= budget);
            }

            Assert.Equal(batch, seen);
        }
    }

    // Over all batches of three: none has a larger run than was said, and some batch has one as large.
    [Theory]
    [InlineData(1)]
    [InlineData(60)]
    [InlineData(100_000)]
    public void MostTokens_AnyBudget_IsTheLargestRunOfAnyBatch(int budget)
    {
        List<TrainingRow> rows = [.. RandomRows(PairSequences.Direct).Select((row, index) => StartingWith(row, index))];
        MicroBatches parts = new(budget);
        int bound = parts.MostTokens(rows, 3);
        int largest = 0;
        for (int batch = 0; batch < 8 * 8 * 8; batch++)
        {
            int[] indices = [batch / 64, batch / 8 % 8, batch % 8];
            if (indices.Distinct().Count() == 3)
            {
                foreach (MicroBatch part in parts.Split(rows, indices))
                {
                    largest = Math.Max(largest, part.TokenCount);
                }
            }
        }

        Assert.InRange(largest, budget == 60 ? 50 : bound, bound);
    }

    // A token of 5,760 values in 30 layers has 0.69 MB, one of 20,736 in 22 layers 1.82 MB, of which 588 fill 1 GiB, and one of 47,744 in 60 layers 11 MB.
    [Theory]
    [InlineData(576, 1536, 30, 896)]
    [InlineData(2048, 5632, 22, 588)]
    [InlineData(4096, 14336, 60, 256)]
    public void DefaultTokens_ByModel_AreEnoughOrFillAGibibyte(int hidden, int inner, int layers, int expected)
    {
        LlamaConfig config = TestModels.StoriesConfig with
        {
            HiddenSize = hidden,
            IntermediateSize = inner,
            LayerCount = layers,
            HeadCount = hidden / 64,
            KeyValueHeadCount = hidden / 192,
            HeadSize = 64,
        };

        Assert.Equal(expected, MicroBatches.DefaultTokens(config));
    }

    // The reference has a folder of its own, so a configuration of its own: equal to the model's, or of other sizes.
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void ScoreReference_OfAnyShape_GivesItsScoresAndTrainsTheModel(bool alike)
    {
        LlamaConfig config = TestModels.SmallConfig with { EndTokenIds = [2, 3], LayerCount = alike ? 2 : 3 };
        TrainedModel reference = new(config, TestModels.Random(config, seed: 3), null);
        DpoLoss loss = new();
        List<TrainingRow> rows = RandomRows(loss.Sequences);
        ReferenceScores expected = ReferenceScores.Compute(
            new SequenceScorer(config, reference.Weights, null, _pool), rows, loss.Sequences, 40, TestContext.Current.CancellationToken);
        (TrainedModel Model, OptimizerStep Step) Create()
        {
            TrainedModel model = new(TestModels.SmallConfig, TestModels.Random(TestModels.SmallConfig, seed: 1), null);
            return (model, new OptimizerStep(model, loss, new AdamWOptions { Epsilon = 1e-3 }, rows, 40, recompute: false, _pool));
        }

        (TrainedModel scored, OptimizerStep step) = Create();
        step.Reference = step.ScoreReference(reference, TestContext.Current.CancellationToken);
        (TrainedModel plain, OptimizerStep other) = Create();
        other.Reference = expected;
        Dictionary<string, double> expectedMetrics = other.Run([0, 1, 2], 1e-3, TestContext.Current.CancellationToken);

        Assert.Equal(expected.Values, step.Reference.Values);
        Assert.Equal(expectedMetrics, step.Run([0, 1, 2], 1e-3, TestContext.Current.CancellationToken));
        Assert.Equal(plain.Trained().SelectMany(parameter => parameter.Values), scored.Trained().SelectMany(parameter => parameter.Values));
    }

    [Fact]
    public void ScoreReference_Cancelled_LeavesTheModelInPlace()
    {
        DpoLoss loss = new();
        List<TrainingRow> rows = RandomRows(loss.Sequences);
        TrainedModel model = new(TestModels.SmallConfig, TestModels.Random(TestModels.SmallConfig, seed: 1), null);
        OptimizerStep step = new(model, loss, new AdamWOptions(), rows, 1 << 20, recompute: false, _pool);
        ReferenceScores own = step.ScoreReference(model, TestContext.Current.CancellationToken);

        Assert.Throws<OperationCanceledException>(
            () => step.ScoreReference(model with { Weights = TestModels.Random(TestModels.SmallConfig, seed: 3) }, new CancellationToken(canceled: true)));

        step.Reference = own;
        Assert.Equal(0, step.Run([0, 1, 2], 1e-3, TestContext.Current.CancellationToken)["rewards/chosen"]);
    }

    // Each epoch visits each row once; epochs and seeds differ; the same ones agree.
    [Fact]
    public void Of_SeedAndEpoch_GiveAPermutationOfTheirOwn()
    {
        int[] first = EpochOrder.Of(7, 0, 100);

        Assert.Equal(Enumerable.Range(0, 100), first.Order());
        Assert.Equal(first, EpochOrder.Of(7, 0, 100));
        Assert.NotEqual(first, EpochOrder.Of(7, 1, 100));
        Assert.NotEqual(first, EpochOrder.Of(8, 0, 100));
    }

    // Position by position, 2000 shuffles of 5: a count of 400 ± 5 standard deviations (18) each.
    [Fact]
    public void Of_ManySeeds_PutsEveryRowEverywhere()
    {
        int[,] counts = new int[5, 5];
        for (int seed = 0; seed < 2000; seed++)
        {
            int[] order = EpochOrder.Of(seed, 3, 5);
            for (int i = 0; i < 5; i++)
            {
                counts[i, order[i]]++;
            }
        }

        Assert.All(counts.Cast<int>(), count => Assert.InRange(count, 310, 490));
    }

    private (Dictionary<string, double> Metrics, TrainedModel Model) Train(IPreferenceLoss loss, int tokenBudget, int steps, bool recompute = false)
    {
        LlamaWeights weights = TestModels.Random(TestModels.SmallConfig, seed: 1);
        TrainedModel model = new(TestModels.SmallConfig, weights, null);
        List<TrainingRow> rows = RandomRows(loss.Sequences);
        LlamaWeights other = TestModels.Random(TestModels.SmallConfig, seed: 3);
        ReferenceScores reference = ReferenceScores.Compute(
            new SequenceScorer(TestModels.SmallConfig, other, null, _pool), rows, loss.Sequences, 1 << 20, TestContext.Current.CancellationToken);
        OptimizerStep step = new(model, loss, new AdamWOptions { Epsilon = 1e-3 }, rows, tokenBudget, recompute, _pool);
        step.Reference = loss.NeedsReference ? reference : null;
        Dictionary<string, double> metrics = [];
        for (int i = 0; i < steps; i++)
        {
            metrics = step.Run([.. Enumerable.Range(0, 8)], 1e-3, TestContext.Current.CancellationToken);
        }

        return (metrics, model);
    }

    private static List<TrainingRow> RandomRows(PairSequences sequences)
    {
        Random random = new(2);
        int[] Ids(int count) => [.. Enumerable.Range(0, count).Select(_ => 3 + random.Next(34))];
        List<TrainingRow> rows = [];
        for (int pair = 0; pair < 8; pair++)
        {
            int[] prompt = [1, .. Ids(2 + random.Next(6))];
            int[][] responses = [[.. Ids(1 + random.Next(9)), 2], [.. Ids(1 + random.Next(9)), 2], [.. Ids(4), 2]];
            (int Previous, int Response)[] kinds = [(-1, 0), (-1, 1), (1, 0), (1, 1), (0, 1), (0, 0), (-1, 2)];
            TrainingSequence[] row = new TrainingSequence[kinds.Length];
            for (int kind = 0; kind < kinds.Length; kind++)
            {
                int[] start = kinds[kind].Previous < 0 ? prompt : [1, 3, .. prompt[1..], 4, .. responses[kinds[kind].Previous], 5];
                bool scored = (((int)sequences >> kind) & 1) != 0;
                row[kind] = scored ? new TrainingSequence([.. start, .. responses[kinds[kind].Response]], start.Length) : new TrainingSequence([], 0);
            }

            rows.Add(new TrainingRow(row, 1));
        }

        return rows;
    }

    // A first token of its own: rows share nothing.
    private static TrainingRow StartingWith(TrainingRow row, int token) => row with
    {
        Sequences = [.. row.Sequences.Select(sequence => sequence.Tokens.Length == 0 ? sequence : sequence with { Tokens = [token, .. sequence.Tokens[1..]] })],
    };

    private static List<TrainingRow> GoldenRows(string folder, PairSequences sequences)
    {
        GoldenPairs pairs = new(folder);
        return
        [
            .. Enumerable.Range(0, pairs.Count).Select(pair => new TrainingRow(
                [
                    .. Enumerable.Range(0, PairBatch.SequenceCount).Select(kind =>
                    {
                        if ((((int)sequences >> kind) & 1) == 0)
                        {
                            return new TrainingSequence([], 0);
                        }

                        (int[] tokens, int start) = pairs.Sequence(pair, GoldenPairs.Names[kind]);
                        return new TrainingSequence(tokens, start);
                    }),
                ],
                1)),
        ];
    }

    private static void AssertClose(string file, IEnumerable<Parameter> actual, double tolerance)
    {
        Dictionary<string, GoldenTensor> expected = GoldenFiles.Tensors("adamw", file);
        foreach (Parameter parameter in actual)
        {
            double[] values = expected[$"base_model.model.{parameter.Name}"].Values;
            for (int i = 0; i < values.Length; i++)
            {
                Assert.Equal(values[i], parameter.Values[i], tolerance);
            }
        }
    }
}
