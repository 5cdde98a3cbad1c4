namespace Aries.Preferences.Tests;

public class LossInvariantTests
{
    private static readonly double Log2 = Math.Log(2);

    public static TheoryData<string> Names => LossCatalog.Names;

    // KTO estimates its reference point from each part, as its documentation says.
    public static TheoryData<string> NamesWithoutKto => [.. LossCatalog.Names.Select(n => n.Data).Where(n => LossCatalog.Get(n) is not KtoLoss)];

    // The values where policy = reference follow from the equations with every log-ratio 0.
    public static TheoryData<IPreferenceLoss, double> ValuesAtTheReference => new()
    {
        { new DpoLoss(), Log2 },
        { new DpoLoss(new() { LabelSmoothing = 0.2 }), Log2 },
        { new RobustDpoLoss(), Log2 },
        { new IpoLoss(), 25 },
        { new HingeLoss(), 1 },
        { new KtoLoss(), 0.5 },
        { new ApoZeroLoss(), 1 },
        { new ApoDownLoss(), 1 },
        { new NcaLoss(), 2 * Log2 },
        { new DiscoPopLoss(), (Log2 / 2) + 0.5 },
        { new RefinementLoss(), 0.5 },
        { new RefinementLoss(new() { TwoSided = false }), 0.25 },
        { new AriesLoss(new() { Alpha = 0.5 }), (Log2 / 2) + 0.25 },
    };

    [Theory]
    [MemberData(nameof(ValuesAtTheReference))]
    public void Compute_PolicyIsReference_HasTheValueOfTheEquation(IPreferenceLoss loss, double expected)
    {
        PairData data = PairData.Random(1, 9, spread: 0);

        data.Compute(loss);

        Assert.All(data.Losses, value => Assert.Equal(expected, value, 15));
    }

    [Fact]
    public void Compute_DpoAtTheReference_IsLog2Exactly()
    {
        PairData data = PairData.Random(1, 70, spread: 0);

        data.Compute(new DpoLoss());

        Assert.All(data.Losses, value => Assert.Equal(Log2, value));
        Assert.All(data.GradientRow(PairSequence.Chosen), value => Assert.Equal(-0.05, value));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Compute_HugeMargins_StaysFinite(string name)
    {
        double[] values = [1e4, -1e4, 0, 1e4, -1e4, 1e-300, -745, 37];
        PairData data = new(64);
        for (int row = 0; row < PairBatch.SequenceCount; row++)
        {
            for (int i = 0; i < 64; i++)
            {
                data.Policy[(row * 64) + i] = values[row % 2 == 0 ? i / 8 : i % 8];
                data.Reference[(row * 64) + i] = 0;
                data.Lengths[(row * 64) + i] = 1;
            }
        }

        data.Compute(LossCatalog.Get(name));

        Assert.All(data.Losses, value => Assert.True(double.IsFinite(value), $"loss {value}"));
        Assert.All(data.Gradients, value => Assert.True(double.IsFinite(value), $"gradient {value}"));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Compute_EmptyBatch_DoesNothing(string name)
    {
        PairData data = new(0);

        data.Compute(LossCatalog.Get(name));

        Assert.Empty(data.Losses);
    }

    // Unscored rows hold NaN, and so do the outputs: both must not matter.
    [Theory]
    [MemberData(nameof(Names))]
    public void Compute_RowsThatAreNotScored_AreNotReadAndGetZero(string name)
    {
        IPreferenceLoss loss = LossCatalog.Get(name);
        PairData full = PairData.Random(3, 10);
        PairData data = new(10);
        foreach (PairSequence sequence in Enum.GetValues<PairSequence>())
        {
            int from = (int)sequence * 10;
            full.Lengths.AsSpan(from, 10).CopyTo(data.Lengths.AsSpan(from));
            if (loss.Scores(sequence))
            {
                data.Set(sequence, full.Policy[from..(from + 10)], loss.NeedsReference ? full.Reference[from..(from + 10)] : null);
            }
        }

        full.Compute(loss);
        data.Compute(loss);

        Assert.Equal(full.Losses, data.Losses);
        Assert.Equal(full.Gradients, data.Gradients);
        foreach (PairSequence sequence in Enum.GetValues<PairSequence>())
        {
            Assert.Equal(loss.Trains(sequence), data.GradientRow(sequence).Any(g => g != 0));
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Compute_PairsOneByOne_AreBitwiseThoseOfTheBatch(string name)
    {
        IPreferenceLoss loss = LossCatalog.Get(name);
        PairData data = PairData.Random(4, 131);
        if (loss is KtoLoss)
        {
            // The reference point is an estimate over the batch; with a negative mean in every part it is 0 everywhere.
            data.Reference.AsSpan((int)PairSequence.Mismatched * 131, 131).Clear();
        }

        data.Compute(loss);

        for (int i = 0; i < data.Count; i++)
        {
            PairData pair = data.Pair(i).Compute(loss);
            Assert.Equal(data.Losses[i], pair.Losses[0]);
            foreach (PairSequence sequence in Enum.GetValues<PairSequence>())
            {
                Assert.Equal(data.Gradient(sequence, i), pair.Gradient(sequence));
            }
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Compute_Warm_AllocatesNothing(string name)
    {
        IPreferenceLoss loss = LossCatalog.Get(name);
        PairData data = PairData.Random(5, 200);
        if (loss.HonorsSoftLabels)
        {
            data.WithLabels(5);
        }

        data.Compute(loss);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 20; i++)
        {
            loss.Compute(data.Batch(), data.Losses, new PairGradients(data.Gradients));
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Compute_AriesWithAlphaZero_IsDpoBitForBit(bool softLabels)
    {
        PairData dpo = PairData.Random(6, 100);
        PairData aries = PairData.Random(6, 100);
        if (softLabels)
        {
            dpo.WithLabels(1);
            aries.WithLabels(1);
        }

        dpo.Compute(new DpoLoss(new() { Beta = 0.3 }));
        aries.Compute(new AriesLoss(new() { Alpha = 0, DpoBeta = 0.3 }));

        Assert.Equal(dpo.Losses, aries.Losses);
        Assert.Equal(dpo.Gradients, aries.Gradients);
    }

    [Fact]
    public void Sequences_AriesAtTheEndsOfAlpha_ScoresOneModeOnly()
    {
        Assert.Equal(PairSequences.Direct, new AriesLoss(new() { Alpha = 0 }).Sequences);
        Assert.Equal(PairSequences.Refinement, new AriesLoss(new() { Alpha = 1 }).Sequences);
        Assert.Equal(PairSequences.Direct | PairSequences.Refinement, new AriesLoss().Sequences);
        Assert.Equal(
            PairSequences.Direct | PairSequences.ChosenGivenRejected | PairSequences.RejectedGivenRejected,
            new AriesLoss(new() { TwoSided = false }).Sequences);
    }

    // Swapping which answer is called chosen swaps v(x, y_l, y_w) with v(x, y_w, y_l): a pair with label p̂ has the loss of the swapped pair with label 1 − p̂, and the gradients change rows.
    [Fact]
    public void Compute_RefinementWithFlippedLabels_SwapsTheTermsRoles()
    {
        PairData data = PairData.Random(7, 50).WithLabels(7);
        PairData swapped = new(50) { Labels = [.. data.Labels.Select(p => 1 - p)] };
        (PairSequence From, PairSequence To)[] swaps =
        [
            (PairSequence.ChosenGivenRejected, PairSequence.RejectedGivenChosen),
            (PairSequence.RejectedGivenChosen, PairSequence.ChosenGivenRejected),
            (PairSequence.RejectedGivenRejected, PairSequence.ChosenGivenChosen),
            (PairSequence.ChosenGivenChosen, PairSequence.RejectedGivenRejected),
        ];
        foreach ((PairSequence from, PairSequence to) in swaps)
        {
            swapped.Set(to, data.Policy[((int)from * 50)..(((int)from + 1) * 50)], data.Reference[((int)from * 50)..(((int)from + 1) * 50)]);
        }

        RefinementLoss loss = new(new() { Beta = 0.05 });
        data.Compute(loss);
        swapped.Compute(loss);

        for (int i = 0; i < 50; i++)
        {
            Assert.Equal(data.Losses[i], swapped.Losses[i], 1e-12 * (1 + data.Losses[i]));
            foreach ((PairSequence from, PairSequence to) in swaps)
            {
                Assert.Equal(data.Gradient(from, i), swapped.Gradient(to, i), 1e-12);
            }
        }
    }

    // The loss is a parabola in the gap: its derivative changes sign at 1/(2β) = 5 nats.
    [Fact]
    public void Compute_RefinementGapAtHalfOverBeta_HasNoPull()
    {
        PairData data = new(3) { };
        data.Set(PairSequence.ChosenGivenRejected, [4, 5, 6], [0, 0, 0]);
        data.Set(PairSequence.RejectedGivenRejected, [0, 0, 0], [0, 0, 0]);

        data.Compute(new RefinementLoss(new() { Beta = 0.1, TwoSided = false }));

        Assert.True(data.Gradient(PairSequence.ChosenGivenRejected, 0) < 0);
        Assert.Equal(0, data.Gradient(PairSequence.ChosenGivenRejected, 1), 15);
        Assert.True(data.Gradient(PairSequence.ChosenGivenRejected, 2) > 0);
    }

    // With p̂ = 1/2 neither answer is better: the optimum of DPO is a margin of 0, that of the refinement loss a gap of 0.
    [Fact]
    public void Compute_IndifferentLabels_HaveTheirOptimumAtTheReference()
    {
        PairData data = PairData.Random(8, 5, spread: 0);
        data.Labels = [0.5, 0.5, 0.5, 0.5, 0.5];

        data.Compute(new AriesLoss());

        Assert.All(data.Gradients, g => Assert.Equal(0, g, 15));
    }

    [Fact]
    public void Compute_SoftLabelOfDpo_ActsAsItsLabelSmoothing()
    {
        PairData soft = PairData.Random(9, 20);
        soft.Labels = [.. Enumerable.Repeat(0.9, 20)];
        PairData smoothed = PairData.Random(9, 20);

        soft.Compute(new DpoLoss());
        smoothed.Compute(new DpoLoss(new() { LabelSmoothing = 0.1 }));

        for (int i = 0; i < 20; i++)
        {
            Assert.Equal(smoothed.Losses[i], soft.Losses[i], 1e-13);
            Assert.Equal(smoothed.Gradient(PairSequence.Chosen, i), soft.Gradient(PairSequence.Chosen, i), 1e-13);
        }
    }

    // With q = ε + (1 − 2ε)(1 − p̂): a label of 0.8 flipped with probability 0.25 is wrong with 0.25 + 0.5 · 0.2 = 0.35.
    [Fact]
    public void Compute_SoftLabelAndSmoothing_Combine()
    {
        PairData both = PairData.Random(10, 20);
        both.Labels = [.. Enumerable.Repeat(0.8, 20)];
        PairData one = PairData.Random(10, 20);

        both.Compute(new DpoLoss(new() { LabelSmoothing = 0.25 }));
        one.Compute(new DpoLoss(new() { LabelSmoothing = 0.35 }));

        for (int i = 0; i < 20; i++)
        {
            Assert.Equal(one.Losses[i], both.Losses[i], 1e-13);
        }
    }

    [Fact]
    public void Compute_CertainResponse_OrpoStaysFiniteAndPushesTheRejectedDown()
    {
        PairData data = new(1);
        data.Set(PairSequence.Chosen, [-3], null, [3]);
        data.Set(PairSequence.Rejected, [0], null, [3]);

        data.Compute(new OrpoLoss());

        Assert.True(double.IsFinite(data.Losses[0]));
        Assert.True(data.Gradient(PairSequence.Rejected) > 1000 && double.IsFinite(data.Gradient(PairSequence.Rejected)));
    }

    // For a ≪ 0 the odds are the probability: 1 − e^a is 1 to the last bit, and log odds is a.
    [Fact]
    public void Compute_OrpoNearCertainty_DoesNotCancel()
    {
        // log odds(−x) for small x is −x − log(x − x²/2 + x³/6) = −log x − x/2 + O(x²).
        double x = 1e-5;
        double logOdds = -Math.Log(x) - (x / 2);
        PairData data = new(1) { ChosenTokenCount = 1 };
        data.Set(PairSequence.Chosen, [-x], null, [1]);
        data.Set(PairSequence.Rejected, [-Log2], null, [1]);

        data.Compute(new OrpoLoss(new() { Lambda = 1 }));

        // The rejected response has odds 1; the likelihood term is x.
        Assert.Equal(x + Math.Log(1 + Math.Exp(-logOdds)), data.Losses[0], 1e-14);
    }

    [Theory]
    [MemberData(nameof(NamesWithoutKto))]
    public void Compute_AccumulatedParts_AddUpToTheWhole(string name)
    {
        IPreferenceLoss loss = LossCatalog.Get(name);
        PairData whole = PairData.Random(11, 8).Compute(loss);
        double sum = 0;
        double[] gradient = new double[PairBatch.SequenceCount];
        for (int i = 0; i < 8; i++)
        {
            PairData part = whole.Pair(i).Compute(loss);
            sum += part.Losses[0] / part.Batch().PairCount;
            for (int row = 0; row < gradient.Length; row++)
            {
                gradient[row] += part.Gradients[row] / part.Batch().PairCount;
            }
        }

        Assert.Equal(whole.Losses.Average(), sum, 1e-12 * (1 + Math.Abs(sum)));
        for (int row = 0; row < gradient.Length; row++)
        {
            Assert.Equal(whole.GradientRow((PairSequence)row).Average(), gradient[row], 1e-12);
        }
    }

    // The token mean of the whole batch: −(2 + 6 + 1) / (1 + 3 + 1).
    [Fact]
    public void Compute_SupervisedTokenMean_IsTheMeanOverTokens()
    {
        PairData data = new PairData(3).Set(PairSequence.Chosen, [-2, -6, -1], null, [1, 3, 1]);

        data.Compute(new SupervisedLoss());

        Assert.Equal(9.0 / 5, data.Losses.Average(), 14);
        Assert.All(data.GradientRow(PairSequence.Chosen), g => Assert.Equal(-3.0 / 5, g, 15));
    }
}
