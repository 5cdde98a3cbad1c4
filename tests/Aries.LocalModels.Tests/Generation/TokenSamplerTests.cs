using System.Text.Json;
using Aries.TestKit;
using CsCheck;

namespace Aries.LocalModels.Tests;

public sealed class TokenSamplerTests
{
    private static readonly JsonElement Golden = GoldenSampling.Read("sampling", "filters.json");
    private static readonly Dictionary<string, float[]> Logits = GoldenSampling.Logits();

    [Fact]
    public void Filter_GoldenCases_KeepsTheSameTokensWithTheSameProbabilities()
    {
        TokenSampler sampler = new();
        int cases = 0;
        foreach (JsonElement golden in Golden.GetProperty("cases").EnumerateArray())
        {
            string name = golden.GetProperty("logits").GetString()!;
            float[] logits = Logits[name];
            JsonElement keptElement = golden.GetProperty("kept");
            int[] expectedKept = keptElement.ValueKind == JsonValueKind.String ? [.. Enumerable.Range(0, logits.Length)] : GoldenSampling.Ints(keptElement);
            float[] expected = GoldenSampling.Floats(golden.GetProperty("probs"));

            float[] weights = sampler.Filter(logits, History(name), Options(golden)).ToArray();

            int[] kept = [.. Enumerable.Range(0, weights.Length).Where(id => weights[id] > 0)];
            Assert.Equal(expectedKept, kept);
            double total = weights.Sum(weight => (double)weight);
            for (int i = 0; i < kept.Length; i++)
            {
                Assert.True(Math.Abs((weights[kept[i]] / total) - expected[i]) <= 1e-5, $"{golden}: token {kept[i]}");
            }

            cases++;
        }

        Assert.Equal(136, cases);
    }

    [Fact]
    public void Sample_GoldenDraws_PicksTheSameTokens()
    {
        TokenSampler sampler = new();
        double[] draws = [.. Golden.GetProperty("u").EnumerateArray().Select(item => item.GetDouble())];
        int picks = 0;
        foreach (JsonElement golden in Golden.GetProperty("cases").EnumerateArray())
        {
            string name = golden.GetProperty("logits").GetString()!;
            JsonElement[] expected = [.. golden.GetProperty("pick_by_u").EnumerateArray()];
            for (int i = 0; i < draws.Length; i++)
            {
                if (expected[i].ValueKind != JsonValueKind.Null)
                {
                    Assert.Equal(expected[i].GetInt32(), sampler.Sample(Logits[name], History(name), Options(golden), draws[i]));
                    picks++;
                }
            }
        }

        Assert.True(picks > 900, $"only {picks} picks were compared");
    }

    [Fact]
    public void Filter_TiedLogits_FollowsTheGoldenRules()
    {
        TokenSampler sampler = new();

        float[] topK = sampler.Filter([2, 1, 1, 1, 0], [], new SamplingOptions { TopK = 2 }).ToArray();
        float[] topP = sampler.Filter([0, 0, 0, 0], [], new SamplingOptions { TopP = 0.5f }).ToArray();
        float[] penalty = sampler.Filter([0, 1, -1], [0, 1, 2], new SamplingOptions { RepetitionPenalty = 2 }).ToArray();

        Assert.Equal([true, true, true, true, false], topK.Select(weight => weight > 0));
        Assert.Equal([true, true, false, false], topP.Select(weight => weight > 0));

        // After the penalty the logits are 0, 0.5 and −2, and the weights are relative to the largest.
        Assert.Equal(new[] { Math.Exp(-0.5), 1, Math.Exp(-2.5) }, penalty.Select(weight => (double)weight), new Within(1e-6));
    }

    [Fact]
    public void Sample_GreedyWithEqualMaxima_TakesTheLowestId()
    {
        Assert.Equal(1, new TokenSampler().Sample([1, 3, 3, 2], [], new SamplingOptions { Temperature = 0 }, 0.99));
    }

    [Fact]
    public void Sample_GreedyWithPenalty_PenalisesFirst()
    {
        Assert.Equal(1, new TokenSampler().Sample([3, 2.5f, -1], [0], new SamplingOptions { Temperature = 0, RepetitionPenalty = 1.5f }, 0));
    }

    [Fact]
    public void Filter_ExtremeTemperatureAndPenalty_StaysADistribution()
    {
        TokenSampler sampler = new();
        foreach (SamplingOptions options in new SamplingOptions[]
        {
            new() { Temperature = float.Epsilon }, new() { Temperature = float.MaxValue }, new() { RepetitionPenalty = float.Epsilon },
            new() { RepetitionPenalty = float.MaxValue }, new() { Temperature = 1e-30f, TopP = 1e-30f, MinP = 1 },
        })
        {
            float[] weights = sampler.Filter([1e4f, -1e4f, 3, float.NegativeInfinity], [0, 1, 3], options).ToArray();

            Assert.All(weights, weight => Assert.InRange(weight, 0, 1.000001f));
            Assert.InRange(weights.Max(), 0.999999f, 1.000001f);
        }
    }

    // The law of each filter, straight from its definition, by a full sort. Eighths: two logits are equal or clearly apart.
    [Fact]
    public void Filter_RandomLogits_EqualsTheSortedDefinition()
    {
        Gen.Select(Gen.Int[-64, 64].Select(eighths => eighths / 8f).Array[2, 300], Gen.Int[0, 40], Gen.Float[0.01f, 1], Gen.Float[0, 0.3f], Gen.Float[0.3f, 2]).Sample((logits, topK, topP, minP, temperature) =>
        {
            SamplingOptions options = new() { TopK = topK, TopP = topP, MinP = minP, Temperature = temperature };

            float[] weights = new TokenSampler().Filter(logits, [], options).ToArray();

            HashSet<int>[] accepted = [KeptBySorting(logits, options, -1e-6), KeptBySorting(logits, options, 1e-6)];
            HashSet<int> kept = [.. Enumerable.Range(0, weights.Length).Where(id => weights[id] > 0)];
            return accepted[0].IsSubsetOf(kept) && kept.IsSubsetOf(accepted[1]);
        });
    }

    [Fact]
    public void Sample_ManyDraws_FollowsTheProbabilities()
    {
        TokenSampler sampler = new();
        float[] logits = [0, 1, 2, -1];
        int[] counts = new int[4];

        for (int i = 0; i < 20_000; i++)
        {
            counts[sampler.Sample(logits, [], new SamplingOptions(), SeededDraw.Uniform(7, i))]++;
        }

        double total = logits.Sum(logit => Math.Exp(logit));
        for (int id = 0; id < logits.Length; id++)
        {
            double probability = Math.Exp(logits[id]) / total;

            // Five standard deviations of a binomial count.
            Assert.InRange(counts[id], (20_000 * probability) - (5 * Math.Sqrt(20_000 * probability)), (20_000 * probability) + (5 * Math.Sqrt(20_000 * probability)));
        }
    }

    [Fact]
    public void Sample_AfterWarmUp_AllocatesNothing()
    {
        TokenSampler sampler = new();
        float[] logits = [.. Enumerable.Range(0, 5000).Select(i => (float)SeededDraw.Uniform(3, i) * 10)];
        SamplingOptions options = new() { TopK = 50, TopP = 0.9f, MinP = 0.01f, RepetitionPenalty = 1.1f };
        int[] seen = [1, 2, 3];
        int sum = sampler.Sample(logits, seen, options, 0.5);

        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 50; i++)
        {
            sum += sampler.Sample(logits, seen, options, SeededDraw.Uniform(1, i));
            sum += (int)sampler.LogProbability(logits, 3);
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        Assert.NotEqual(int.MinValue, sum);
    }

    [Fact]
    public void LogProbability_RandomLogits_EqualsTheDefinition()
    {
        Gen.Float[-20, 20].Array[1, 100].Sample(logits =>
        {
            double expected = logits[0] - Math.Log(logits.Sum(logit => Math.Exp(logit)));
            return Math.Abs(new TokenSampler().LogProbability(logits, 0) - expected) < 1e-5;
        });
    }

    [Fact]
    public void Uniform_ManySeedsAndIndices_IsEvenAndDiffersBetweenNeighbours()
    {
        double sum = 0;
        HashSet<double> distinct = [];
        for (int seed = 0; seed < 100; seed++)
        {
            for (int index = 0; index < 100; index++)
            {
                double draw = SeededDraw.Uniform(seed, index);
                Assert.InRange(draw, 0, 1 - 1e-16);
                distinct.Add(draw);
                sum += draw;
            }
        }

        Assert.Equal(10_000, distinct.Count);

        // Five standard deviations of the mean of 10⁴ uniform numbers: 5 · 0.2887 ÷ 100.
        Assert.InRange(sum / 10_000, 0.5 - 0.0145, 0.5 + 0.0145);
    }

    private static HashSet<int> KeptBySorting(float[] logits, SamplingOptions options, double slack)
    {
        float[] descending = [.. logits.OrderDescending()];
        float least = options.TopK > 0 && options.TopK < logits.Length ? descending[options.TopK - 1] : float.NegativeInfinity;
        int[] ids = [.. Enumerable.Range(0, logits.Length).Where(id => logits[id] >= least).OrderByDescending(id => logits[id]).ThenBy(id => id)];
        double[] weights = [.. ids.Select(id => Math.Exp((logits[id] - descending[0]) / (double)options.Temperature))];
        double total = weights.Sum();
        HashSet<int> kept = [];
        double before = 0;
        for (int i = 0; i < ids.Length; i++)
        {
            bool nucleus = options.TopP == 1 || i == 0 || before / total < options.TopP + slack;
            if (nucleus && weights[i] >= options.MinP - slack)
            {
                kept.Add(ids[i]);
            }

            before += weights[i];
        }

        return kept;
    }

    private static int[] History(string name) => [.. GoldenSampling.Ints(Golden.GetProperty("history").GetProperty(name)).Distinct()];

    private static SamplingOptions Options(JsonElement golden) => new()
    {
        RepetitionPenalty = golden.GetProperty("penalty").GetSingle(),
        Temperature = golden.GetProperty("temperature").GetSingle(),
        TopK = golden.GetProperty("top_k").GetInt32(),
        TopP = golden.GetProperty("top_p").GetSingle(),
        MinP = golden.GetProperty("min_p").GetSingle(),
    };

    private sealed class Within(double tolerance) : IEqualityComparer<double>
    {
        public bool Equals(double x, double y) => Math.Abs(x - y) <= tolerance;

        public int GetHashCode(double obj) => 0;
    }
}
