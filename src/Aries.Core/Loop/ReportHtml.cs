using System.Globalization;
using System.Net;
using System.Text;

namespace Aries;

/// <summary>The report of a run as one HTML page that needs nothing else: no script, no style sheet, no font, no network.</summary>
internal static class ReportHtml
{
    private const string Style =
        """
        body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:64rem;padding:0 1rem;color:#1b1f24;background:#fff}
        h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2.2rem}
        table{border-collapse:collapse;margin:.6rem 0;font-variant-numeric:tabular-nums}
        th,td{padding:.2rem .7rem;text-align:right;border-bottom:1px solid #d8dee4}th{font-weight:600}th:first-child,td:first-child{text-align:left}
        p.note{color:#57606a;max-width:48rem}figure{margin:.6rem 0}svg{max-width:100%;height:auto}
        @media(prefers-color-scheme:dark){body{color:#e6edf3;background:#0d1117}th,td{border-color:#30363d}p.note{color:#9198a1}}
        """;

    public static string Render(IReadOnlyList<RoundReport> rounds)
    {
        StringBuilder html = new();
        html.Append("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n<title>ARIES run</title>\n<style>\n")
            .Append(Style.ReplaceLineEndings("\n")).Append("\n</style>\n</head>\n<body>\n<h1>ARIES run</h1>\n")
            .Append(CultureInfo.InvariantCulture, $"<p>{rounds.Count(round => round.Round > 0)} rounds committed.</p>\n");
        AppendEvaluation(html, rounds, "Held-out prompts", round => round.Evaluation);
        AppendEvaluation(html, rounds, "Held-out prompts, greedy", round => round.GreedyEvaluation);
        AppendDrift(html, rounds);
        AppendPairs(html, rounds);
        AppendTraining(html, rounds);
        AppendCost(html, rounds);
        return html.Append("</body>\n</html>\n").ToString();
    }

    private static void AppendEvaluation(StringBuilder html, IReadOnlyList<RoundReport> rounds, string title, Func<RoundReport, ChainsReport?> choose)
    {
        (int Round, ChainsReport Chains)[] evaluated = [.. rounds.Where(round => choose(round) is not null).Select(round => (round.Round, choose(round)!))];
        if (evaluated.Length == 0)
        {
            return;
        }

        int turnCount = evaluated.Max(item => item.Chains.Turns.Count);
        Heading(html, title, "Turn 1 is the direct answer, later turns are refinements. A chain that ended early counts with its last draft. Right to wrong and wrong to right compare a turn with turn 1, as shares of the chains that were right, or wrong, there.");
        bool hasCorrect = evaluated.Any(item => item.Chains.Turns.Any(turn => turn.CorrectFraction is not null));
        if (evaluated.Length > 1 && hasCorrect)
        {
            SvgChart.Append(html, $"{title}: share of right drafts by round", evaluated.Select(item => item.Round).ToArray(), [.. Enumerable.Range(0, turnCount).Select(turn => (
                $"turn {turn + 1}", evaluated.Select(item => turn < item.Chains.Turns.Count ? item.Chains.Turns[turn].CorrectFraction : null).ToArray()))]);
        }

        StartTable(html, "round", "turn", "drafts", "mean score", "right", "right to wrong", "wrong to right", "characters", "tokens", "cut", "unscored", "distinct-1", "distinct-2");
        foreach ((int round, ChainsReport chains) in evaluated)
        {
            foreach (TurnReport turn in chains.Turns)
            {
                Row(
                    html,
                    Count(round),
                    Count(turn.Turn),
                    Count(turn.DraftCount),
                    Number(turn.MeanScore),
                    Percent(turn.CorrectFraction),
                    Percent(turn.RightToWrongFraction),
                    Percent(turn.WrongToRightFraction),
                    Number(turn.MeanCharacters),
                    Number(turn.MeanTokens),
                    Count(turn.TruncatedCount),
                    Count(turn.UnscoredCount),
                    Number(turn.Distinct1),
                    Number(turn.Distinct2));
            }
        }

        EndTable(html);
    }

    private static void AppendDrift(StringBuilder html, IReadOnlyList<RoundReport> rounds)
    {
        RoundReport[] collected = [.. rounds.Where(round => round.Collection is not null)];
        if (collected.Length == 0)
        {
            return;
        }

        Heading(html, "Collected chains", "The chains that pairs were made of, drawn with the policy before the round's training. A selection score that rises while the mean score does not, or a falling correlation, tells of a policy that exploits its scorer.");
        StartTable(html, "round", "turn", "chains", "failed", "selection score", "mean score", "right", "correlation", "characters", "tokens", "distinct-1", "distinct-2");
        foreach (RoundReport round in collected)
        {
            foreach (TurnReport turn in round.Collection!.Turns)
            {
                Row(
                    html,
                    Count(round.Round),
                    Count(turn.Turn),
                    Count(round.Collection.ChainCount),
                    Count(round.Collection.FailedCount),
                    Number(turn.MeanSelectionScore),
                    Number(turn.MeanScore),
                    Percent(turn.CorrectFraction),
                    Number(round.Collection.ScoreCorrelation),
                    Number(turn.MeanCharacters),
                    Number(turn.MeanTokens),
                    Number(turn.Distinct1),
                    Number(turn.Distinct2));
            }
        }

        EndTable(html);
    }

    private static void AppendPairs(StringBuilder html, IReadOnlyList<RoundReport> rounds)
    {
        RoundReport[] paired = [.. rounds.Where(round => round.Pairs is not null)];
        if (paired.Length == 0)
        {
            return;
        }

        string[] reasons = [.. paired.SelectMany(round => round.Pairs!.Drops.Keys).Distinct().Order(StringComparer.Ordinal)];
        Heading(html, "Preference pairs", "Right, wrong and equal compare the true scores of chosen and rejected.");
        StartTable(html, ["round", "kept", "right", "wrong", "equal", "chosen characters", "rejected characters", .. reasons.Select(reason => $"dropped: {reason}")]);
        foreach (RoundReport round in paired)
        {
            PairsReport pairs = round.Pairs!;
            Row(
                html,
                [
                    Count(round.Round),
                    Count(pairs.KeptCount),
                    Percent(Share(pairs.RightCount, pairs.KeptCount)),
                    Percent(Share(pairs.WrongCount, pairs.KeptCount)),
                    Percent(Share(pairs.EqualCount, pairs.KeptCount)),
                    Number(pairs.MeanChosenCharacters),
                    Number(pairs.MeanRejectedCharacters),
                    .. reasons.Select(reason => Count(pairs.Drops.GetValueOrDefault(reason))),
                ]);
        }

        EndTable(html);
    }

    private static void AppendTraining(StringBuilder html, IReadOnlyList<RoundReport> rounds)
    {
        (string Name, TrainingReport Training)[] trainings =
        [
            .. rounds.SelectMany(round => new[]
            {
                (Name: "warm-up", Training: round.WarmUp),
                (Name: round.Round == 0 ? "offline" : Count(round.Round), round.Training),
            }).Where(item => item.Training is not null).Select(item => (item.Name, item.Training!)),
        ];
        if (trainings.Length == 0)
        {
            return;
        }

        string[] metrics = [.. trainings.SelectMany(item => item.Training.Metrics.Keys).Distinct().Order(StringComparer.Ordinal)];
        Heading(html, "Training", "Means over each training, under the names that TRL uses; a line a step is in metrics.jsonl. A falling logps/chosen is what preference training does.");
        StartTable(html, ["training", .. trainings.Select(item => item.Name)]);
        Row(html, ["rows", .. trainings.Select(item => Count(item.Training.RowCount))]);
        Row(html, ["rows dropped", .. trainings.Select(item => Count(item.Training.DroppedRowCount))]);
        Row(html, ["steps", .. trainings.Select(item => Count(item.Training.StepCount))]);
        foreach (string metric in metrics)
        {
            Row(html, [metric, .. trainings.Select(item => item.Training.Metrics.TryGetValue(metric, out double value) ? Number(value) : "")]);
        }

        EndTable(html);
    }

    private static void AppendCost(StringBuilder html, IReadOnlyList<RoundReport> rounds)
    {
        Heading(html, "Cost", "Time before an interruption is not counted.");
        StartTable(html, "round", "generated tokens", "collection, s", "training, s", "evaluation, s");
        foreach (RoundReport round in rounds)
        {
            Row(
                html,
                Count(round.Round),
                Count(round.GeneratedTokenCount),
                Number(round.Collection?.Duration.TotalSeconds),
                Number(round.WarmUp is null && round.Training is null ? null : ((round.WarmUp?.Duration ?? default) + (round.Training?.Duration ?? default)).TotalSeconds),
                Number(round.Evaluation is null ? null : (round.Evaluation.Duration + (round.GreedyEvaluation?.Duration ?? default)).TotalSeconds));
        }

        EndTable(html);
    }

    private static void Heading(StringBuilder html, string title, string note) =>
        html.Append("<h2>").Append(Encode(title)).Append("</h2>\n<p class=\"note\">").Append(Encode(note)).Append("</p>\n");

    private static void StartTable(StringBuilder html, params string[] columns)
    {
        html.Append("<table>\n<thead><tr>");
        foreach (string column in columns)
        {
            html.Append("<th>").Append(Encode(column)).Append("</th>");
        }

        html.Append("</tr></thead>\n<tbody>\n");
    }

    private static void Row(StringBuilder html, params string[] cells)
    {
        html.Append("<tr>");
        foreach (string cell in cells)
        {
            html.Append("<td>").Append(Encode(cell)).Append("</td>");
        }

        html.Append("</tr>\n");
    }

    private static void EndTable(StringBuilder html) => html.Append("</tbody>\n</table>\n");

    private static string Encode(string text) => WebUtility.HtmlEncode(text);

    private static string Count(long value) => value.ToString(CultureInfo.InvariantCulture);

    private static string Number(double? value) => value?.ToString("0.####", CultureInfo.InvariantCulture) ?? "";

    private static string Percent(double? value) => value is { } share ? (share * 100).ToString("0.0", CultureInfo.InvariantCulture) + " %" : "";

    private static double? Share(int? count, int total) => count is null || total == 0 ? null : (double)count / total;
}
