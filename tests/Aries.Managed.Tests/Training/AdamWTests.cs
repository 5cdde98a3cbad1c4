using System.Text.Json;

namespace Aries.Managed.Tests;

public sealed class AdamWTests : IDisposable
{
    private readonly WorkerPool _pool = new(2);

    public void Dispose() => _pool.Dispose();

    // The vectors are float64; the weights here are float32, so a relative 2e-6 (a few roundings a step) takes the place of the file's 1e-13.
    [Fact]
    public void Step_GoldenVectors_FollowsThem()
    {
        JsonElement cases = GoldenFiles.Json("adamw", "adamw_unit.json").GetProperty("cases");
        foreach (JsonElement item in cases.EnumerateArray())
        {
            double[] betas = item.GetProperty("betas").Doubles();
            JsonElement clip = item.GetProperty("clip");
            AdamWOptions options = new()
            {
                Beta1 = betas[0],
                Beta2 = betas[1],
                Epsilon = item.GetProperty("eps").GetDouble(),
                WeightDecay = item.GetProperty("weight_decay").GetDouble(),
                MaxGradientNorm = clip.ValueKind == JsonValueKind.Null ? double.PositiveInfinity : clip.GetDouble(),
            };
            Parameter weights = Vector("x", item.GetProperty("x0").Doubles());
            AdamW optimizer = new([weights], options, _pool);
            foreach (JsonElement step in item.GetProperty("steps").EnumerateArray())
            {
                Parameter gradient = Vector("x", step.GetProperty("grad").Doubles());
                double norm = optimizer.GradientNorm([gradient]);

                optimizer.Step([gradient], norm, item.GetProperty("lr").GetDouble());

                double expectedNorm = step.GetProperty("grad_norm").GetDouble();
                Assert.Equal(expectedNorm, norm, 1e-6 * expectedNorm);
                AssertClose(step.GetProperty("x").Doubles(), weights.Values, 2e-6);
                AssertClose(step.GetProperty("m").Doubles(), optimizer.FirstMoments[0].Values, 2e-6);
                AssertClose(step.GetProperty("v").Doubles(), optimizer.SecondMoments[0].Values, 2e-6);
            }
        }
    }

    [Theory]
    [InlineData("model.layers.0.mlp.up_proj.weight", true)]
    [InlineData("model.layers.0.self_attn.q_proj.lora_A.weight", true)]
    [InlineData("model.layers.0.input_layernorm.weight", false)]
    [InlineData("model.norm.weight", false)]
    [InlineData("model.layers.0.self_attn.q_proj.bias", false)]
    public void Step_WeightDecay_ShrinksMatricesOnly(string name, bool shrinks)
    {
        Parameter weight = Vector(name, [2]);
        AdamW optimizer = new([weight], new AdamWOptions { WeightDecay = 0.5 }, _pool);

        optimizer.Step([Vector(name, [0])], 0, 0.1);

        Assert.Equal(shrinks ? 2 * 0.95f : 2, weight.Values[0], 1e-6f);
    }

    [Fact]
    public void GradientNorm_ManyBlocks_IsTheNormOnAnyNumberOfThreads()
    {
        Random random = new(1);
        Parameter[] gradients = [.. new[] { 40_001, 3, 16_384 }.Select((count, i) => Vector($"w{i}", [.. Enumerable.Range(0, count).Select(_ => random.NextDouble() - 0.5)]))];
        double expected = Math.Sqrt(gradients.Sum(gradient => gradient.Values.Sum(value => (double)value * value)));
        using WorkerPool one = new(1);
        using WorkerPool many = new(3);

        double single = new AdamW(gradients, new AdamWOptions(), one).GradientNorm(gradients);
        double parallel = new AdamW(gradients, new AdamWOptions(), many).GradientNorm(gradients);

        Assert.Equal(expected, single, 1e-6 * expected);
        Assert.Equal(single, parallel);
    }

    // golden/adamw: 20 steps, 5 of them warm-up.
    [Theory]
    [InlineData("hf", WarmUpStart.Zero)]
    [InlineData("plus_one", WarmUpStart.FirstFraction)]
    public void At_GoldenCosine_GivesEveryStepsRate(string run, WarmUpStart start)
    {
        LearningRateOptions options = new() { Peak = 1e-3, WarmUpFraction = 0.25, WarmUpStart = start };
        JsonElement steps = GoldenFiles.Json("adamw", "training.json").GetProperty("runs").GetProperty(run).GetProperty("steps");

        for (int step = 0; step < 20; step++)
        {
            Assert.Equal(steps[step].GetProperty("lr").GetDouble(), options.At(step, 20), 1e-15);
        }
    }

    // Linear: 1, 3/4, 2/4, 1/4 of the peak over 4 steps. Constant: the peak.
    [Fact]
    public void At_OtherDecays_FollowTheirLine()
    {
        LearningRateOptions linear = new() { Peak = 8, WarmUpFraction = 0, Decay = LearningRateDecay.Linear };
        LearningRateOptions constant = linear with { Decay = LearningRateDecay.Constant };

        Assert.Equal([8, 6, 4, 2], Enumerable.Range(0, 4).Select(step => linear.At(step, 4)));
        Assert.All(Enumerable.Range(0, 4), step => Assert.Equal(8, constant.At(step, 4)));
    }

    [Fact]
    public void At_DefaultFirstStep_IsNotZero() => Assert.True(new LearningRateOptions().At(0, 1000) > 0);

    [Fact]
    public void Validate_ValuesOutOfRange_Throws()
    {
        AdamWOptions[] optimizers =
        [
            new() { Beta1 = 1 }, new() { Beta2 = -0.1 }, new() { Beta2 = double.NaN }, new() { Epsilon = 0 }, new() { WeightDecay = -1 },
            new() { WeightDecay = double.NaN }, new() { MaxGradientNorm = 0 }, new() { MaxGradientNorm = double.NaN },
        ];
        LearningRateOptions[] rates =
        [
            new() { Peak = 0 }, new() { Peak = double.NaN }, new() { Peak = double.PositiveInfinity }, new() { WarmUpFraction = 1.1 },
            new() { WarmUpFraction = double.NaN }, new() { WarmUpStart = (WarmUpStart)7 }, new() { Decay = (LearningRateDecay)7 },
        ];

        Assert.All(optimizers, options => Assert.Throws<ArgumentOutOfRangeException>(options.Validate));
        Assert.All(rates, options => Assert.Throws<ArgumentOutOfRangeException>(options.Validate));
    }

    private static Parameter Vector(string name, double[] values) => new(name, 1, values.Length, [.. values.Select(value => (float)value)]);

    private static void AssertClose(double[] expected, float[] actual, double relative)
    {
        double scale = expected.Max(Math.Abs);
        for (int i = 0; i < expected.Length; i++)
        {
            Assert.Equal(expected[i], actual[i], Math.Max(relative * Math.Abs(expected[i]), 1e-7 * scale));
        }
    }
}
