namespace Aries.Preferences.Tests;

public class PreferenceMetricsTests
{
    [Fact]
    public void ToDictionary_DpoBatch_HasTrlsNamesAndValues()
    {
        // Log-ratios: chosen 2, −1; rejected 1, −1 (a tie counts as wrong).
        PairData data = new PairData(2)
            .Set(PairSequence.Chosen, [-8, -11], [-10, -10])
            .Set(PairSequence.Rejected, [-19, -31], [-20, -30]);
        DpoLoss loss = new(new() { Beta = 0.5 });
        data.Compute(loss);
        PreferenceMetrics metrics = new();

        metrics.Add(data.Batch(), data.Losses, loss);

        Dictionary<string, double> values = metrics.ToDictionary();
        Assert.Equal(["loss", "rewards/chosen", "rewards/rejected", "rewards/margins", "rewards/accuracies", "logps/chosen", "logps/rejected"], values.Keys);
        Assert.Equal((Math.Log(1 + Math.Exp(-0.5)) + Math.Log(2)) / 2, values["loss"], 14);
        Assert.Equal(0.25, values["rewards/chosen"]);
        Assert.Equal(0, values["rewards/rejected"]);
        Assert.Equal(0.25, values["rewards/margins"]);
        Assert.Equal(0.5, values["rewards/accuracies"]);
        Assert.Equal(-9.5, values["logps/chosen"]);
        Assert.Equal(-25, values["logps/rejected"]);
    }

    [Fact]
    public void ToDictionary_PolicyIsReference_HasAccuracyZero()
    {
        PairData data = PairData.Random(1, 10, spread: 0);
        AriesLoss loss = new();
        data.Compute(loss);
        PreferenceMetrics metrics = new();

        metrics.Add(data.Batch(), data.Losses, loss);

        Dictionary<string, double> values = metrics.ToDictionary();
        Assert.Equal(0, values["rewards/accuracies"]);
        Assert.Equal(0, values["rewards/margins"]);
        Assert.Equal(0, values["refinement/accuracies"]);
        Assert.Equal(0, values["refinement/margins"]);
        Assert.Equal((0.2 * Math.Log(2)) + 0.4, values["loss"], 14);
    }

    [Fact]
    public void Add_PartsOfDifferentSizes_EqualTheWhole()
    {
        PairData whole = PairData.Random(2, 9);
        AriesLoss loss = new();
        whole.Compute(loss);
        PreferenceMetrics expected = new();
        expected.Add(whole.Batch(), whole.Losses, loss);
        PreferenceMetrics actual = new();

        for (int i = 0; i < 9; i++)
        {
            PairData part = whole.Pair(i).Compute(loss);
            actual.Add(part.Batch(), part.Losses, loss);
        }

        Assert.Equal(9, actual.PairCount);
        Dictionary<string, double> values = actual.ToDictionary();
        foreach ((string name, double value) in expected.ToDictionary())
        {
            Assert.Equal(value, values[name], 1e-12 * (1 + Math.Abs(value)));
        }
    }

    // Margins of the two previous answers: (3 − 1) and (−1 − 0).
    [Fact]
    public void ToDictionary_RefinementOnly_ReportsItsMarginsAndNoRewards()
    {
        PairData data = new PairData(1)
            .Set(PairSequence.ChosenGivenRejected, [-7], [-10])
            .Set(PairSequence.RejectedGivenRejected, [-9], [-10])
            .Set(PairSequence.ChosenGivenChosen, [-11], [-10])
            .Set(PairSequence.RejectedGivenChosen, [-10], [-10]);
        RefinementLoss loss = new();
        data.Compute(loss);
        PreferenceMetrics metrics = new();

        metrics.Add(data.Batch(), data.Losses, loss);

        Dictionary<string, double> values = metrics.ToDictionary();
        Assert.Equal(["loss", "refinement/margins", "refinement/accuracies"], values.Keys);
        Assert.Equal(0.5, values["refinement/margins"]);
        Assert.Equal(0.5, values["refinement/accuracies"]);
    }

    [Fact]
    public void ToDictionary_LossWithoutReference_RewardsAreScaledLogProbabilities()
    {
        PairData data = new PairData(1).Set(PairSequence.Chosen, [-8], null, [4]).Set(PairSequence.Rejected, [-18], null, [6]);
        SimPoLoss loss = new(new() { Beta = 2 });
        data.Compute(loss);
        PreferenceMetrics metrics = new();

        metrics.Add(data.Batch(), data.Losses, loss);

        Dictionary<string, double> values = metrics.ToDictionary();
        Assert.Equal(-4, values["rewards/chosen"]);
        Assert.Equal(-6, values["rewards/rejected"]);
        Assert.Equal(1, values["rewards/accuracies"]);
        Assert.Equal(-8, values["logps/chosen"]);
    }

    [Fact]
    public void ToDictionary_SupervisedLoss_LeavesOutWhatWasNotScored()
    {
        PairData data = new PairData(1).Set(PairSequence.Chosen, [-8], null, [4]);
        SupervisedLoss loss = new();
        data.Compute(loss);
        PreferenceMetrics metrics = new() { Entropy = 1.5, GradientNorm = 2.5, TokenCount = 4 };

        metrics.Add(data.Batch(), data.Losses, loss);

        Assert.Equal(["loss", "logps/chosen", "entropy", "grad_norm", "num_tokens"], metrics.ToDictionary().Keys);
        metrics.Reset();
        Assert.Empty(metrics.ToDictionary());
        Assert.Equal(0, metrics.PairCount);
    }

    [Fact]
    public void Add_BadArguments_Throws()
    {
        PairData data = PairData.Random(1, 2);
        PreferenceMetrics metrics = new();

        Assert.Throws<ArgumentNullException>("loss", () => metrics.Add(data.Batch(), data.Losses, null!));
        Assert.Throws<ArgumentException>("losses", () => metrics.Add(data.Batch(), new double[1], new DpoLoss()));
        Assert.Throws<ArgumentException>("batch", () => metrics.Add(new PairBatch(data.Policy, default, default), data.Losses, new DpoLoss()));
        Assert.Throws<ArgumentException>("batch", () => metrics.Add(new PairBatch(data.Policy, data.Reference, default), data.Losses, new SimPoLoss()));
        Assert.Equal(0, metrics.PairCount);
    }

    [Fact]
    public void Add_Warm_AllocatesNothing()
    {
        PairData data = PairData.Random(1, 50);
        AriesLoss loss = new();
        data.Compute(loss);
        PreferenceMetrics metrics = new();
        metrics.Add(data.Batch(), data.Losses, loss);
        long before = GC.GetAllocatedBytesForCurrentThread();

        metrics.Add(data.Batch(), data.Losses, loss);

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }
}
