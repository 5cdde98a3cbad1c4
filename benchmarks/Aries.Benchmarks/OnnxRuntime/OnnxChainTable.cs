using System.Diagnostics;
using System.Globalization;
using Aries.Managed;
using Aries.OnnxRuntime;
using QuickStart;

namespace Aries.Benchmarks.OnnxRuntime;

/// <summary>Chains of four turns: each prompt computed anew, and from what the turn before has left.</summary>
internal static class OnnxChainTable
{
    private const int QuestionLength = 128;
    private const int DraftLength = 16;
    private const int Turns = 4;

    public static void Print(TextWriter output, OnnxModels models, int threads)
    {
        output.WriteLine("| engine | chains at once | fresh, s a chain | kept, s a chain | fresh ÷ kept | prompt tokens computed, fresh | kept |");
        output.WriteLine("| --- | ---: | ---: | ---: | ---: | ---: | ---: |");
        Print(output, "Managed float32", keeps => ManagedPolicyModel.Load(
            models.Checkpoint, new ManagedPolicyOptions { ThreadCount = threads, PromptLookup = PromptLookup.Off, PromptCacheBytes = keeps ? 256 << 20 : 0 }));
        Print(output, "ONNX Runtime float32", keeps => OnnxRuntimePolicyModel.Load(models.Float32, new OnnxRuntimePolicyOptions { ThreadCount = threads, KeepsPrompts = keeps }));
        Print(output, "ONNX Runtime four bits", keeps => OnnxRuntimePolicyModel.Load(models.FourBits, new OnnxRuntimePolicyOptions { ThreadCount = threads, KeepsPrompts = keeps }));
    }

    private static void Print(TextWriter output, string name, Func<bool, IPolicyModel> load)
    {
        using IPolicyModel fresh = load(false);
        using IPolicyModel kept = load(true);
        foreach (IPolicyModel policy in (IPolicyModel[])[fresh, kept])
        {
            // Compiled code and warm memory before the clock runs.
            _ = policy.GenerateAsync(OnnxModels.Text(1, 8), new SamplingOptions { MaxTokens = 4 }).GetAwaiter().GetResult();
        }

        foreach (int batch in (int[])[1, 4])
        {
            (double Seconds, double PromptTokens) without = Run(fresh, batch);
            (double Seconds, double PromptTokens) with = Run(kept, batch);
            output.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"| {name} | {batch} | {without.Seconds / batch:F3} | {with.Seconds / batch:F3} | {without.Seconds / with.Seconds:F2} | {without.PromptTokens / batch:F0} | {with.PromptTokens / batch:F0} |"));
        }
    }

    // Each run asks other questions: what is kept is of the chain itself. Drafts are drawn, for greedy ones of random weights would be all alike.
    private static (double Seconds, double PromptTokens) Run(IPolicyModel policy, int batch)
    {
        SelfRefiner refiner = new(policy, new AriesRefinement(Turns, WordProblemScorer.Template), new SelfRefinerOptions
        {
            Sampling = new SamplingOptions { TopK = 50, MaxTokens = DraftLength, Seed = 1 },
            StopWhenUnchanged = false,
        });
        Prompt[] questions = [.. Enumerable.Range(0, batch).Select(row => new Prompt(OnnxModels.Text(row + (100 * batch), QuestionLength)))];
        long start = Stopwatch.GetTimestamp();
        IReadOnlyList<RefinementResult> results = refiner.RefineAsync(questions).GetAwaiter().GetResult();
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        return results.All(result => result.Trace.Drafts.Count() == Turns)
            ? (seconds, results.Sum(result => result.Usage.PromptTokens - result.Usage.CachedPromptTokens))
            : throw new InvalidOperationException("A chain ended early.", results.First(result => result.Error is not null).Error);
    }
}
