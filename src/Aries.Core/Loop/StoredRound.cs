namespace Aries;

/// <summary>A <see cref="RoundReport"/> as <c>round.json</c> holds it.</summary>
internal sealed record StoredRound(
    int Round,
    StoredCheckpoint Checkpoint,
    ChainsReport? Collection,
    PairsReport? Pairs,
    TrainingReport? WarmUp,
    TrainingReport? Training,
    ChainsReport? Evaluation,
    ChainsReport? GreedyEvaluation)
{
    public static StoredRound Of(RoundReport report, RunFolder folder) => new(
        report.Round,
        StoredCheckpoint.Of(report.Checkpoint, folder),
        report.Collection,
        report.Pairs,
        report.WarmUp,
        report.Training,
        report.Evaluation,
        report.GreedyEvaluation);

    public RoundReport Resolve(RunFolder folder) => new()
    {
        Round = Round,
        Checkpoint = Checkpoint.Resolve(folder),
        Collection = Collection,
        Pairs = Pairs,
        WarmUp = WarmUp,
        Training = Training,
        Evaluation = Evaluation,
        GreedyEvaluation = GreedyEvaluation,
    };
}
