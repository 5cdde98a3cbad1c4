using System.Globalization;
using System.Text;

namespace Aries.Reproduction;

/// <summary>Writes the results as Markdown.</summary>
internal static class Tables
{
    private const string Begin = "<!-- begin: tables made by benchmarks/Aries.Reproduction -->";
    private const string End = "<!-- end -->";

    /// <summary>Replaces the tables of a page.</summary>
    public static string Replace(string page, IReadOnlyList<RunResult> runs)
    {
        int begin = page.IndexOf(Begin, StringComparison.Ordinal);
        int end = page.IndexOf(End, StringComparison.Ordinal);
        return begin < 0 || end < begin
            ? throw new InvalidDataException($"The page lacks '{Begin}' or '{End}' after it.")
            : $"{page[..begin]}{Begin}\n{Write(runs)}{page[end..]}";
    }

    public static string Turns(IReadOnlyList<double> fractions) =>
        string.Join(" ", fractions.Select(fraction => (100 * fraction).ToString("F1", CultureInfo.InvariantCulture)));

    private static string Write(IReadOnlyList<RunResult> runs)
    {
        StringBuilder text = new();
        text.AppendLine("\n### By round");
        text.AppendLine("| method | round | seeds | direct | turn 2 | turn 3 | turn 4 | direct, greedy | turn 4, greedy | wrong→right | right→wrong | pairs |");
        text.AppendLine("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |");
        foreach (Variant variant in Variant.All.Take(3))
        {
            RunResult[] own = Of(runs, variant);
            for (int round = variant == Variant.All[0] ? 0 : 1; own.Length > 0 && round < own[0].Rounds.Count; round++)
            {
                RoundResult[] results = [.. own.Select(run => run.Rounds[round])];
                text.AppendLine(
                    $"| {(round == 0 ? "base" : variant.Name)} | {round} | {own.Length} | {string.Join(" | ", Enumerable.Range(0, 4).Select(turn => Mean(results, result => result.Sampled[turn])))} "
                    + $"| {Mean(results, result => result.Greedy[0])} | {Mean(results, result => result.Greedy[^1])} "
                    + $"| {Mean(results, result => result.WrongToRight)} | {Mean(results, result => result.RightToWrong)} | {(round == 0 ? "–" : results.Average(result => result.PairCount).ToString("F0", CultureInfo.InvariantCulture))} |");
            }
        }

        text.AppendLine("\n### At equal written tokens: four parallel direct answers of the last policy");
        text.AppendLine("| policy | seeds | vote of 4 | best of 4 by the verifier | its own chain, turn 2 | its own chain, turn 4 |");
        text.AppendLine("| --- | --- | --- | --- | --- | --- |");
        foreach (Variant variant in Variant.All.Take(2))
        {
            RunResult[] own = Of(runs, variant);
            if (own.Length > 0)
            {
                text.AppendLine(
                    $"| {variant.Name} | {own.Length} | {Mean(own, run => run.Vote ?? double.NaN)} | {Mean(own, run => run.BestOf ?? double.NaN)} "
                    + $"| {Mean(own, run => run.Rounds[^1].Sampled[1])} | {Mean(own, run => run.Rounds[^1].Sampled[^1])} |");
            }
        }

        text.AppendLine("\n### One setting changed, after the last round");
        text.AppendLine("| variant | seeds | direct | turn 2 | turn 4 | direct, greedy | turn 4, greedy | wrong→right | right→wrong |");
        text.AppendLine("| --- | --- | --- | --- | --- | --- | --- | --- | --- |");
        foreach (Variant variant in Variant.All)
        {
            RunResult[] own = Of(runs, variant);
            if (own.Length > 0)
            {
                RoundResult[] last = [.. own.Select(run => run.Rounds[^1])];
                text.AppendLine(
                    $"| {variant.Name} | {own.Length} | {Mean(last, result => result.Sampled[0])} | {Mean(last, result => result.Sampled[1])} | {Mean(last, result => result.Sampled[^1])} "
                    + $"| {Mean(last, result => result.Greedy[0])} | {Mean(last, result => result.Greedy[^1])} | {Mean(last, result => result.WrongToRight)} | {Mean(last, result => result.RightToWrong)} |");
            }
        }

        return text.Append('\n').ToString();
    }

    private static RunResult[] Of(IReadOnlyList<RunResult> runs, Variant variant) => [.. runs.Where(run => run.Variant == variant.Name)];

    // Percent, mean ± standard error over the seeds.
    private static string Mean<T>(IReadOnlyCollection<T> items, Func<T, double> value)
    {
        double[] values = [.. items.Select(item => 100 * value(item))];
        double mean = values.Average();
        double error = values.Length < 2 ? 0 : Math.Sqrt(values.Sum(item => (item - mean) * (item - mean)) / (values.Length - 1) / values.Length);
        return values.Length < 2
            ? mean.ToString("F1", CultureInfo.InvariantCulture)
            : string.Create(CultureInfo.InvariantCulture, $"{mean:F1} ± {error:F1}");
    }
}
