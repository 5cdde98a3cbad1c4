namespace Aries.Preferences.Tests;

/// <summary>Every loss of the package in every form; tests of laws run over all of them.</summary>
internal static class LossCatalog
{
    private static readonly Dictionary<string, IPreferenceLoss> All = new()
    {
        ["DPO"] = new DpoLoss(),
        ["DPO, β 0.5, ε 0.1"] = new DpoLoss(new() { Beta = 0.5, LabelSmoothing = 0.1 }),
        ["robust DPO"] = new RobustDpoLoss(),
        ["IPO"] = new IpoLoss(),
        ["averaged IPO"] = new AveragedIpoLoss(new() { Beta = 0.4 }),
        ["hinge"] = new HingeLoss(),
        ["SimPO"] = new SimPoLoss(),
        ["ORPO"] = new OrpoLoss(new() { Lambda = 0.7 }),
        ["CPO"] = new CpoLoss(),
        ["CPO, sum"] = new CpoLoss(new() { NllWeight = 0.3, Normalization = LossNormalization.Sum }),
        ["CPO, preference only"] = new CpoLoss(new() { NllWeight = 0 }),
        ["KTO"] = new KtoLoss(),
        ["KTO, weighted"] = new KtoLoss(new() { Beta = 0.3, DesirableWeight = 1.3, UndesirableWeight = 0.6 }),
        ["APO-zero"] = new ApoZeroLoss(),
        ["APO-down"] = new ApoDownLoss(),
        ["NCA"] = new NcaLoss(),
        ["EXO"] = new ExoLoss(),
        ["DiscoPOP"] = new DiscoPopLoss(),
        ["DiscoPOP, τ 1"] = new DiscoPopLoss(new() { Tau = 1 }),
        ["SFT, token mean"] = new SupervisedLoss(),
        ["SFT, sum"] = new SupervisedLoss(LossNormalization.Sum),
        ["ARIES SFT, sum"] = new AriesSupervisedLoss(),
        ["ARIES SFT, token mean"] = new AriesSupervisedLoss(LossNormalization.TokenMean),
        ["refinement"] = new RefinementLoss(),
        ["refinement, one-sided"] = new RefinementLoss(new() { Beta = 0.05, TwoSided = false }),
        ["ARIES"] = new AriesLoss(),
        ["ARIES, one-sided, α 0.3"] = new AriesLoss(new() { Alpha = 0.3, TwoSided = false, RefinementBeta = 0.05 }),
        ["ARIES, α 0"] = new AriesLoss(new() { Alpha = 0 }),
        ["ARIES, α 1"] = new AriesLoss(new() { Alpha = 1 }),
        ["weighted"] = new WeightedLoss(new(new DpoLoss(), 0.7), new(new SupervisedLoss(), 0.2), new(new RefinementLoss(), 1.5)),
    };

    public static TheoryData<string> Names => [.. All.Keys];

    public static TheoryData<string> SoftLabelNames => [.. All.Where(l => l.Value.HonorsSoftLabels).Select(l => l.Key)];

    public static TheoryData<string> HardLabelNames => [.. All.Where(l => !l.Value.HonorsSoftLabels).Select(l => l.Key)];

    public static IEnumerable<Type> Types => All.Values.Select(l => l.GetType());

    public static IPreferenceLoss Get(string name) => All[name];

    public static bool Scores(this IPreferenceLoss loss, PairSequence sequence) => loss.Sequences.HasFlag((PairSequences)(1 << (int)sequence));

    /// <summary>Whether the loss has a gradient in the sequence: it scores it, and it is not KTO's mismatched row.</summary>
    public static bool Trains(this IPreferenceLoss loss, PairSequence sequence) => loss.Scores(sequence) && sequence != PairSequence.Mismatched;
}
