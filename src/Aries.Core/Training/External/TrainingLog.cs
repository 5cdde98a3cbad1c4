using System.Globalization;
using System.Text.RegularExpressions;

namespace Aries;

/// <summary>Reads progress out of what a training command writes.</summary>
/// <remarks>
/// Known are lines that are one object of numbers, in JSON (<c>{"step": 3, "loss": 0.69}</c>) or as Python prints it (<c>{'loss': 0.69, 'epoch': 0.1}</c>, the
/// Hugging Face trainers), and progress bars with or without values (<c>3/100 [00:01&lt;00:32, loss=0.69]</c>). Everything else is only log.
/// </remarks>
internal sealed partial class TrainingLog
{
    private readonly SortedDictionary<string, (double Sum, int Count, double Last)> _metrics = new(StringComparer.Ordinal);
    private int _step;
    private int _stepCount;

    /// <summary>Gets the last step that was told of.</summary>
    public int Step { get; private set; }

    /// <summary>Gets the mean of each metric over what was told; of running counts the last value.</summary>
    public IReadOnlyDictionary<string, double> Metrics => _metrics.ToDictionary(
        metric => metric.Key, metric => IsRunning(metric.Key) ? metric.Value.Last : metric.Value.Sum / metric.Value.Count, StringComparer.Ordinal);

    /// <summary>Takes in a line.</summary>
    /// <returns>The progress that it tells of, or null.</returns>
    public TrainingProgress? Read(string line)
    {
        string text = line.Trim();
        Match bar = ProgressBar().Match(text);
        if (bar.Success && int.TryParse(bar.Groups["step"].ValueSpan, CultureInfo.InvariantCulture, out int step) && int.TryParse(bar.Groups["count"].ValueSpan, CultureInfo.InvariantCulture, out int count))
        {
            (_step, _stepCount) = (step, count);
        }

        Dictionary<string, double> metrics = new(StringComparer.Ordinal);
        bool isObject = text.StartsWith('{') && text.EndsWith('}');
        IEnumerable<Match> pairs = isObject ? ObjectNumber().Matches(text) : bar.Success ? BarNumber().Matches(bar.Groups["tail"].Value) : [];
        foreach (Match pair in pairs)
        {
            metrics[pair.Groups["name"].Value] = ParseNumber(pair.Groups["value"].ValueSpan);
        }

        if (metrics.Remove("step", out double own))
        {
            _step = (int)own;
        }

        if (metrics.Remove("step_count", out double all))
        {
            _stepCount = (int)all;
        }

        if (metrics.Count == 0 || _step < 1)
        {
            return null;
        }

        foreach ((string name, double value) in metrics)
        {
            (double sum, int seen, _) = _metrics.GetValueOrDefault(name);
            _metrics[name] = (sum + value, seen + 1, value);
        }

        Step = _step;
        return new TrainingProgress(_step, Math.Max(_step, _stepCount), metrics);
    }

    private static bool IsRunning(string name) => name is "num_tokens" or "epoch" || name.StartsWith("train_", StringComparison.Ordinal);

    private static double ParseNumber(ReadOnlySpan<char> text) => text switch
    {
        _ when text.Equals("nan", StringComparison.OrdinalIgnoreCase) => double.NaN,
        _ when text.Equals("inf", StringComparison.OrdinalIgnoreCase) || text.Equals("Infinity", StringComparison.Ordinal) => double.PositiveInfinity,
        _ when text.Equals("-inf", StringComparison.OrdinalIgnoreCase) || text.Equals("-Infinity", StringComparison.Ordinal) => double.NegativeInfinity,
        _ => double.Parse(text, CultureInfo.InvariantCulture),
    };

    [GeneratedRegex(@"(?<step>\d+)/(?<count>\d+) \[(?<tail>.*)")]
    private static partial Regex ProgressBar();

    [GeneratedRegex(@"['""](?<name>[^'""]+)['""]\s*:\s*['""]?(?<value>-?(?:\d+(?:\.\d*)?(?:[eE][-+]?\d+)?|nan|NaN|inf|Infinity))(?=['""]?\s*[,}])")]
    private static partial Regex ObjectNumber();

    [GeneratedRegex(@"[, ](?<name>[A-Za-z_][\w/]*)=(?<value>-?(?:\d+(?:\.\d*)?(?:[eE][-+]?\d+)?|nan|inf))(?=[,\]])")]
    private static partial Regex BarNumber();
}
