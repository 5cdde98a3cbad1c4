using Aries;

namespace Aries.Reproduction;

/// <summary>The numbers of one run that the tables are made of.</summary>
/// <param name="Variant">The variant's name.</param>
/// <param name="Seed">The run's seed.</param>
/// <param name="Rounds">The rounds, the base model first.</param>
/// <param name="Vote">The share right by a vote of parallel direct answers of the last policy; null where it was not asked for.</param>
/// <param name="BestOf">The share right when the scorer picks among them; null where it was not asked for.</param>
internal sealed record RunResult(string Variant, long Seed, IReadOnlyList<RoundResult> Rounds, double? Vote, double? BestOf);

/// <summary>The numbers of one round.</summary>
/// <param name="Sampled">The share right, turn by turn.</param>
/// <param name="Greedy">The share right with greedy decoding, turn by turn.</param>
/// <param name="WrongToRight">Of the wrong direct answers, the share that turn 2 mends.</param>
/// <param name="RightToWrong">Of the right direct answers, the share that turn 2 spoils.</param>
/// <param name="Tokens">Mean tokens of an answer, turn by turn.</param>
/// <param name="PairCount">Pairs trained on.</param>
/// <param name="PairsRight">Of the pairs, the share whose chosen answer has the higher true score, or as high.</param>
/// <param name="GeneratedTokens">Tokens written.</param>
internal sealed record RoundResult(
    IReadOnlyList<double> Sampled,
    IReadOnlyList<double> Greedy,
    double WrongToRight,
    double RightToWrong,
    IReadOnlyList<double> Tokens,
    int PairCount,
    double PairsRight,
    long GeneratedTokens)
{
    public static RoundResult Of(RoundReport report)
    {
        ChainsReport evaluation = report.Evaluation!;
        return new RoundResult(
            [.. evaluation.Turns.Select(turn => turn.CorrectFraction ?? double.NaN)],
            [.. report.GreedyEvaluation!.Turns.Select(turn => turn.CorrectFraction ?? double.NaN)],
            evaluation.Turns[1].WrongToRightFraction ?? 0,
            evaluation.Turns[1].RightToWrongFraction ?? 0,
            [.. evaluation.Turns.Select(turn => turn.MeanTokens)],
            report.Pairs?.KeptCount ?? 0,
            report.Pairs is { KeptCount: > 0, WrongCount: { } wrong } pairs ? 1 - ((double)wrong / pairs.KeptCount) : 1,
            report.GeneratedTokenCount);
    }
}
