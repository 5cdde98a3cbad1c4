using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using Aries.Managed;

namespace Aries.Benchmarks.Managed;

/// <summary>Prints what a training step costs, each way measured in a process of its own, in turn and twice, as a Markdown table.</summary>
internal static class TrainingTable
{
    private const int Rounds = 2;

    private static readonly Dictionary<string, string> Titles = new()
    {
        ["dpo"] = "DPO, LoRA 16, 135M, 8 pairs × 256",
        ["dpo-usual"] = "the same the usual way",
        ["dialogue"] = "DPO, LoRA 16, 135M, 8 pairs of a dialogue's lengths",
        ["dialogue-usual"] = "the same the usual way",
        ["aries"] = "ARIES, LoRA 16, 135M, 8 pairs × 256",
        ["aries-usual"] = "the same the usual way, 2 pairs",
        ["1m-full"] = "DPO, all weights, 1M, 64 pairs × 128",
        ["1m-lora"] = "DPO, LoRA 16, 1M, 64 pairs × 128",
        ["quickstart-full"] = "DPO, all weights, 0.2M, 64 pairs × 64",
        ["quickstart-lora"] = "DPO, LoRA 16, 0.2M, 64 pairs × 64",
    };

    /// <summary><c>training [threads] [names…]</c>: the table. <c>training-step name threads [steps]</c>: one measurement, as a line of JSON, which the table calls.</summary>
    public static void Print(TextWriter output, ReadOnlySpan<string> arguments)
    {
        string threads = arguments.Length > 0 ? arguments[0] : Environment.ProcessorCount.ToString(CultureInfo.InvariantCulture);
        string[] names = arguments.Length > 1 ? arguments[1..].ToArray() : [.. StepMeasurement.Names];
        Dictionary<string, StepResult> best = [];
        for (int round = 0; round < Rounds; round++)
        {
            foreach (string name in names)
            {
                StepResult result = RunAside(name, threads);
                best[name] = best.TryGetValue(name, out StepResult? before) && before.Best <= result.Best ? before : result;
            }
        }

        output.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{RuntimeInformation.FrameworkDescription}, {RuntimeInformation.ProcessArchitecture}, {VectorWidth.Default}-bit vectors, {threads} thread(s)"));
        output.WriteLine();
        output.WriteLine("| step | seconds | pairs/s | tokens/s | useful GFLOP/s | of the FMA peak | peak memory, MB |");
        output.WriteLine("| --- | ---: | ---: | ---: | ---: | ---: | ---: |");
        foreach (string name in names)
        {
            StepResult result = best[name];
            output.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"| {Titles[name]} | {result.Best:G3} | {result.PairsPerSecond:G3} | {result.Tokens / result.Best:F0} | {result.UsefulOperations / result.Best / 1e9:F0} | {result.ShareOfPeak:P0} | {result.PeakMegabytes:F0} |"));
        }

        foreach (string loss in new[] { "dpo", "dialogue", "aries" })
        {
            if (best.TryGetValue(loss, out StepResult? tree) && best.TryGetValue($"{loss}-usual", out StepResult? usual))
            {
                output.WriteLine();
                output.WriteLine(string.Create(
                    CultureInfo.InvariantCulture,
                    $"{loss}: {tree.PairsPerSecond / usual.PairsPerSecond:F2} × the pairs a second of the usual way, in {tree.PeakMegabytes / usual.PeakMegabytes:P0} of its memory."));
            }
        }
    }

    public static void PrintStep(TextWriter output, ReadOnlySpan<string> arguments)
    {
        int threads = int.Parse(arguments[1], CultureInfo.InvariantCulture);
        bool small = arguments[0].Contains('-', StringComparison.Ordinal) && !arguments[0].EndsWith("-usual", StringComparison.Ordinal);
        int steps = arguments.Length > 2 ? int.Parse(arguments[2], CultureInfo.InvariantCulture) : small ? 40 : 2;
        output.WriteLine(JsonSerializer.Serialize(StepMeasurement.Run(arguments[0], threads, steps)));
    }

    private static StepResult RunAside(string name, string threads)
    {
        ProcessStartInfo start = new(Environment.ProcessPath!) { RedirectStandardOutput = true };
        if (!Path.GetFileNameWithoutExtension(Environment.ProcessPath!).Equals("Aries.Benchmarks", StringComparison.Ordinal))
        {
            start.ArgumentList.Add(typeof(TrainingTable).Assembly.Location);
        }

        foreach (string argument in new[] { "training-step", name, threads })
        {
            start.ArgumentList.Add(argument);
        }

        using Process process = Process.Start(start)!;
        string text = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0
            ? JsonSerializer.Deserialize<StepResult>(text)!
            : throw new InvalidOperationException($"The measurement of '{name}' ended with exit code {process.ExitCode}.");
    }
}
