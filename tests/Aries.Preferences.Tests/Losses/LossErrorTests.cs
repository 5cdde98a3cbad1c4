namespace Aries.Preferences.Tests;

public class LossErrorTests
{
    public static TheoryData<string> Names => LossCatalog.Names;

    public static TheoryData<string> HardLabelNames => LossCatalog.HardLabelNames;

    public static TheoryData<string> SoftLabelNames => LossCatalog.SoftLabelNames;

    public static TheoryData<Action<double>, string> Betas => new()
    {
        { v => _ = new DpoLoss(new() { Beta = v }), "Beta" },
        { v => _ = new RobustDpoLoss(new() { Beta = v }), "Beta" },
        { v => _ = new IpoLoss(new() { Beta = v }), "Beta" },
        { v => _ = new AveragedIpoLoss(new() { Beta = v }), "Beta" },
        { v => _ = new HingeLoss(new() { Beta = v }), "Beta" },
        { v => _ = new SimPoLoss(new() { Beta = v }), "Beta" },
        { v => _ = new OrpoLoss(new() { Lambda = v }), "Lambda" },
        { v => _ = new CpoLoss(new() { Beta = v }), "Beta" },
        { v => _ = new KtoLoss(new() { Beta = v }), "Beta" },
        { v => _ = new KtoLoss(new() { DesirableWeight = v }), "DesirableWeight" },
        { v => _ = new KtoLoss(new() { UndesirableWeight = v }), "UndesirableWeight" },
        { v => _ = new ApoZeroLoss(new() { Beta = v }), "Beta" },
        { v => _ = new ApoDownLoss(new() { Beta = v }), "Beta" },
        { v => _ = new NcaLoss(new() { Beta = v }), "Beta" },
        { v => _ = new ExoLoss(new() { Beta = v }), "Beta" },
        { v => _ = new DiscoPopLoss(new() { Beta = v }), "Beta" },
        { v => _ = new DiscoPopLoss(new() { Tau = v }), "Tau" },
        { v => _ = new RefinementLoss(new() { Beta = v }), "Beta" },
        { v => _ = new AriesLoss(new() { DpoBeta = v }), "DpoBeta" },
        { v => _ = new AriesLoss(new() { RefinementBeta = v }), "RefinementBeta" },
        { v => _ = new WeightedLoss(new WeightedLossTerm(new DpoLoss(), v)), "Weight" },
    };

    [Theory]
    [MemberData(nameof(Betas))]
    public void Constructor_BetaNotPositiveOrNotFinite_Throws(Action<double> construct, string option)
    {
        foreach (double value in new[] { 0, -0.1, double.NaN, double.PositiveInfinity })
        {
            ArgumentOutOfRangeException exception = Assert.Throws<ArgumentOutOfRangeException>(option, () => construct(value));
            Assert.Equal(value, exception.ActualValue);
        }
    }

    [Fact]
    public void Constructor_OtherOptionsOutOfRange_Throws()
    {
        foreach (double smoothing in new[] { -0.01, 0.5, double.NaN })
        {
            Assert.Throws<ArgumentOutOfRangeException>("LabelSmoothing", () => new DpoLoss(new() { LabelSmoothing = smoothing }));
            Assert.Throws<ArgumentOutOfRangeException>("LabelSmoothing", () => new RobustDpoLoss(new() { LabelSmoothing = smoothing }));
            Assert.Throws<ArgumentOutOfRangeException>("LabelSmoothing", () => new ExoLoss(new() { LabelSmoothing = smoothing }));
        }

        Assert.Throws<ArgumentOutOfRangeException>("LabelSmoothing", () => new ExoLoss(new() { LabelSmoothing = 0 }));
        Assert.Throws<ArgumentOutOfRangeException>("Tau", () => new DiscoPopLoss(new() { Tau = 1.01 }));
        Assert.Throws<ArgumentOutOfRangeException>("Alpha", () => new AriesLoss(new() { Alpha = 1.01 }));
        Assert.Throws<ArgumentOutOfRangeException>("Alpha", () => new AriesLoss(new() { Alpha = double.NaN }));
        Assert.Throws<ArgumentOutOfRangeException>("GammaBetaRatio", () => new SimPoLoss(new() { GammaBetaRatio = -1 }));
        Assert.Throws<ArgumentOutOfRangeException>("NllWeight", () => new CpoLoss(new() { NllWeight = double.NaN }));
        Assert.Throws<ArgumentOutOfRangeException>("Normalization", () => new CpoLoss(new() { Normalization = (LossNormalization)2 }));
        Assert.Throws<ArgumentOutOfRangeException>("normalization", () => new SupervisedLoss((LossNormalization)2));
        Assert.Throws<ArgumentOutOfRangeException>("normalization", () => new AriesSupervisedLoss((LossNormalization)(-1)));
        Assert.Throws<ArgumentException>("terms", () => new WeightedLoss());
        Assert.Throws<ArgumentException>("terms", () => new WeightedLoss(new WeightedLossTerm(null!, 1)));
        Assert.Throws<ArgumentNullException>("options", () => new DpoLoss(null!));
    }

    [Fact]
    public void Constructor_OptionsChangedLater_KeepsItsOwn()
    {
        DpoLossOptions options = new() { Beta = 0.1 };
        DpoLoss loss = new(options);

        options.Beta = 7;

        Assert.Equal(0.1, loss.Reward.Beta);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Compute_NotANumberOrInfinite_NamesPairSequenceAndValue(string name)
    {
        IPreferenceLoss loss = LossCatalog.Get(name);
        foreach (PairSequence sequence in Enum.GetValues<PairSequence>().Where(loss.Scores))
        {
            foreach (double value in new[] { double.NaN, double.PositiveInfinity, double.NegativeInfinity })
            {
                PairData data = PairData.Random(1, 20);
                data.Policy[((int)sequence * 20) + 13] = value;

                ArgumentException exception = Assert.Throws<ArgumentException>(() => data.Compute(loss));

                Assert.Contains($"Pair 13: the policy's log-probability of {sequence} is {value}", exception.Message, StringComparison.Ordinal);
                if (loss.NeedsReference && loss is not WeightedLoss)
                {
                    data = PairData.Random(1, 20);
                    data.Reference[((int)sequence * 20) + 7] = value;
                    exception = Assert.Throws<ArgumentException>(() => data.Compute(loss));
                    Assert.Contains($"Pair 7: the reference's log-probability of {sequence} is {value}", exception.Message, StringComparison.Ordinal);
                }
            }
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Compute_OutputsOfAnotherLength_Throws(string name)
    {
        IPreferenceLoss loss = LossCatalog.Get(name);
        PairData data = PairData.Random(2, 3);

        Assert.Throws<ArgumentException>("losses", () => loss.Compute(data.Batch(), new double[2], new PairGradients(data.Gradients)));
        Assert.Throws<ArgumentException>("gradients", () => loss.Compute(data.Batch(), data.Losses, new PairGradients(new double[14])));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Compute_OverlappingSpans_Throws(string name)
    {
        IPreferenceLoss loss = LossCatalog.Get(name);
        PairData data = PairData.Random(3, 3);

        Assert.Throws<ArgumentException>("losses", () => loss.Compute(data.Batch(), data.Gradients.AsSpan(18, 3), new PairGradients(data.Gradients)));
        Assert.Throws<ArgumentException>("losses", () => loss.Compute(data.Batch(), data.Policy.AsSpan(0, 3), new PairGradients(data.Gradients)));
        Assert.Throws<ArgumentException>("gradients", () => loss.Compute(data.Batch(), data.Losses, new PairGradients(data.Policy)));
        Assert.Throws<ArgumentException>("gradients", () => loss.Compute(data.Batch(), data.Losses, new PairGradients(data.Reference)));
    }

    [Theory]
    [MemberData(nameof(HardLabelNames))]
    public void Compute_SoftLabelsThatAreNotHonored_Throws(string name)
    {
        PairData data = PairData.Random(4, 3);
        data.Labels = [1, 1, 0.9];

        NotSupportedException exception = Assert.Throws<NotSupportedException>(() => data.Compute(LossCatalog.Get(name)));

        Assert.Contains("Pair 2 has the label probability 0.9", exception.Message, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Compute_LabelsThatAreAllOne_EqualNoLabels(string name)
    {
        PairData bare = PairData.Random(5, 70).Compute(LossCatalog.Get(name));
        PairData labelled = PairData.Random(5, 70);
        labelled.Labels = [.. Enumerable.Repeat(1.0, 70)];

        labelled.Compute(LossCatalog.Get(name));

        Assert.Equal(bare.Losses, labelled.Losses);
        Assert.Equal(bare.Gradients, labelled.Gradients);
    }

    [Theory]
    [MemberData(nameof(SoftLabelNames))]
    public void Compute_LabelOutsideZeroToOne_Throws(string name)
    {
        foreach (double label in new[] { -0.01, 1.01, double.NaN })
        {
            PairData data = PairData.Random(6, 3);
            data.Labels = [1, label, 1];

            ArgumentException exception = Assert.Throws<ArgumentException>(() => data.Compute(LossCatalog.Get(name)));

            Assert.Contains("Pair 1", exception.Message, StringComparison.Ordinal);
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Compute_NoReference_ThrowsWhereItIsNeeded(string name)
    {
        IPreferenceLoss loss = LossCatalog.Get(name);
        PairData data = PairData.Random(7, 3);

        Exception? exception = Record.Exception(() => loss.Compute(new PairBatch(data.Policy, default, data.Lengths), data.Losses, new PairGradients(data.Gradients)));

        if (loss.NeedsReference)
        {
            Assert.Contains("reference", Assert.IsType<ArgumentException>(exception).Message, StringComparison.Ordinal);
        }
        else
        {
            Assert.Null(exception);
        }
    }

    [Fact]
    public void Compute_AveragesWithoutUsableLengths_Throws()
    {
        IPreferenceLoss[] losses = [new AveragedIpoLoss(), new SimPoLoss(), new OrpoLoss()];
        foreach (IPreferenceLoss loss in losses)
        {
            PairData data = PairData.Random(8, 3);

            Assert.Throws<ArgumentException>(() => loss.Compute(new PairBatch(data.Policy, data.Reference, default, chosenTokenCount: 9), data.Losses, new PairGradients(data.Gradients)));

            data.Lengths[3 + 2] = 0;
            ArgumentException exception = Assert.Throws<ArgumentException>(() => data.Compute(loss));
            Assert.Contains("Pair 2: Rejected has 0 tokens", exception.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Compute_TokenMeanWithoutTokens_Throws()
    {
        IPreferenceLoss[] losses = [new SupervisedLoss(), new AriesSupervisedLoss(LossNormalization.TokenMean), new CpoLoss()];
        foreach (IPreferenceLoss loss in losses)
        {
            PairData data = PairData.Random(9, 3);

            ArgumentException exception = Assert.Throws<ArgumentException>(
                () => loss.Compute(new PairBatch(data.Policy, data.Reference, default), data.Losses, new PairGradients(data.Gradients)));

            Assert.Contains(loss.GetType().Name, exception.Message, StringComparison.Ordinal);
        }
    }
}
