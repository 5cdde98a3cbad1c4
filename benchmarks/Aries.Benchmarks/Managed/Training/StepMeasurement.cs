using System.Diagnostics;
using Aries.Managed;
using Aries.Preferences;

namespace Aries.Benchmarks.Managed;

/// <summary>Measures one way to make a training step, in a process of its own so that its memory is its own.</summary>
internal static class StepMeasurement
{
    /// <summary>The names that <see cref="Run"/> takes.</summary>
    public static IReadOnlyList<string> Names { get; } = ["dpo", "dpo-usual", "dialogue", "dialogue-usual", "aries", "aries-usual", "1m-full", "1m-lora", "quickstart-full", "quickstart-lora"];

    /// <summary>Runs a step a few times.</summary>
    /// <param name="name">One of <see cref="Names"/>.</param>
    /// <param name="threads">The number of threads.</param>
    /// <param name="steps">The steps that are timed, after one that is not.</param>
    public static StepResult Run(string name, int threads, int steps)
    {
        using WorkerPool pool = new(threads);
        IPreferenceLoss loss = name.StartsWith("aries", StringComparison.Ordinal) ? new AriesLoss() : new DpoLoss();
        TrainingWork work = name switch
        {
            "dpo" or "dpo-usual" or "aries" => new TrainingWork(ModelShapes.Llama135M, rank: 16, pairCount: 8, length: 256, loss.Sequences),
            "dialogue" or "dialogue-usual" => new TrainingWork(ModelShapes.Llama135M, rank: 16, PairLength.Dialogues, loss.Sequences),
            "aries-usual" => new TrainingWork(ModelShapes.Llama135M, rank: 16, pairCount: 2, length: 256, loss.Sequences),
            "1m-full" => new TrainingWork(ModelShapes.Llama1M, rank: 0, pairCount: 64, length: 128, loss.Sequences),
            "1m-lora" => new TrainingWork(ModelShapes.Llama1M, rank: 16, pairCount: 64, length: 128, loss.Sequences),
            "quickstart-full" => new TrainingWork(ModelShapes.QuickStart, rank: 0, pairCount: 64, length: 64, loss.Sequences),
            "quickstart-lora" => new TrainingWork(ModelShapes.QuickStart, rank: 16, pairCount: 64, length: 64, loss.Sequences),
            _ => throw new ArgumentException($"There is no step '{name}'; there are {string.Join(", ", Names)}.", nameof(name)),
        };
        bool usual = name.EndsWith("-usual", StringComparison.Ordinal);
        return Time(work, usual ? new UsualStep(work, loss, microBatchPairs: 2, pool).Run : work.CreateStep(loss, pool), pool, steps);
    }

    /// <summary>Times a step.</summary>
    public static StepResult Time(TrainingWork work, Action step, WorkerPool pool, int steps)
    {
        double peak = FmaPeak.Measure(pool);
        step();
        double[] seconds = new double[steps];
        for (int index = 0; index < steps; index++)
        {
            long start = Stopwatch.GetTimestamp();
            step();
            seconds[index] = Stopwatch.GetElapsedTime(start).TotalSeconds;
            peak = Math.Max(peak, FmaPeak.Measure(pool, repetitions: 4));
        }

        using Process process = Process.GetCurrentProcess();
        return new StepResult(work.Rows.Length, work.TokenCount, seconds, work.UsefulOperations(), peak, process.PeakWorkingSet64 / 1e6);
    }
}
