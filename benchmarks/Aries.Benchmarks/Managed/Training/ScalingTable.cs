using System.Globalization;
using Aries.Managed;
using Aries.Preferences;

namespace Aries.Benchmarks.Managed;

/// <summary>Prints how the time of a pair grows with the length, the vocabulary and the batch, each as a Markdown table and a plot.</summary>
/// <remarks>DPO with an adapter of rank 16 on a model of four layers of the 135M configuration, so that the longest case takes seconds; two steps each, the better one counts.</remarks>
internal static class ScalingTable
{
    private const int LayerCount = 4;

    public static void Print(TextWriter output, ReadOnlySpan<string> arguments)
    {
        int threads = arguments.Length > 1 ? int.Parse(arguments[1], CultureInfo.InvariantCulture) : Environment.ProcessorCount;
        using WorkerPool pool = new(threads);
        switch (arguments.Length > 0 ? arguments[0] : "")
        {
            case "length":
                Print(output, pool, "tokens", [128, 256, 512, 1024, 2048, 4096], length => Measure(pool, 49152, 1, length));
                break;
            case "vocabulary":
                Print(output, pool, "vocabulary", [8192, 16384, 32768, 49152, 98304, 151936], vocabulary => Measure(pool, vocabulary, 2, 256));
                break;
            case "batch":
                Print(output, pool, "pairs", [1, 2, 4, 8, 16, 32, 64], pairs => Measure(pool, 49152, pairs, 256));
                break;
            default:
                throw new ArgumentException("Say what grows: length, vocabulary or batch.", nameof(arguments));
        }
    }

    private static StepResult Measure(WorkerPool pool, int vocabulary, int pairs, int length)
    {
        DpoLoss loss = new();
        TrainingWork work = new(ModelShapes.Llama135M with { LayerCount = LayerCount, VocabularySize = vocabulary, EndTokenIds = [vocabulary] }, rank: 16, pairs, length, loss.Sequences);
        return StepMeasurement.Time(work, work.CreateStep(loss, pool), pool, steps: 2);
    }

    private static void Print(TextWriter output, WorkerPool pool, string axis, int[] values, Func<int, StepResult> measure)
    {
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{VectorWidth.Default}-bit vectors, {pool.ThreadCount} thread(s)"));
        output.WriteLine();
        output.WriteLine($"| {axis} | ms a pair | µs a token | useful GFLOP a pair | of the FMA peak |");
        output.WriteLine("| ---: | ---: | ---: | ---: | ---: |");
        List<string> milliseconds = [];
        foreach (int value in values)
        {
            StepResult result = measure(value);
            milliseconds.Add((1e3 / result.PairsPerSecond).ToString("F0", CultureInfo.InvariantCulture));
            output.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"| {value} | {milliseconds[^1]} | {1e6 * result.Best / result.Tokens:F0} | {result.UsefulOperations / result.Pairs / 1e9:F1} | {result.ShareOfPeak:P0} |"));
        }

        output.WriteLine();
        output.WriteLine("```mermaid");
        output.WriteLine("xychart-beta");
        output.WriteLine($"    x-axis \"{axis}\" [{string.Join(", ", values)}]");
        output.WriteLine("    y-axis \"ms a pair\"");
        output.WriteLine($"    line [{string.Join(", ", milliseconds)}]");
        output.WriteLine("```");
    }
}
