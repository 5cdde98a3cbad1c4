using System.Globalization;
using System.Runtime.InteropServices;
using Aries.Managed;
using QuickStart;

namespace Aries.Benchmarks.Managed;

/// <summary>Prints what prompt lookup and the prompt cache save in refinement, as Markdown tables.</summary>
internal static class RefinementTable
{
    private const int TextLength = 120;
    private const int EditedRun = 4;

    /// <summary>Prints a table: <c>texts [threads] [overlap in percent] [weight storage]</c> for texts of a known overlap, <c>chains [threads]</c> for chains of a trained model.</summary>
    public static void Print(TextWriter output, ReadOnlySpan<string> arguments)
    {
        string table = arguments.Length > 0 ? arguments[0] : "chains";
        int threads = arguments.Length > 1 ? int.Parse(arguments[1], CultureInfo.InvariantCulture) : Environment.ProcessorCount;
        using WorkerPool pool = new(threads);
        output.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{RuntimeInformation.FrameworkDescription}, {RuntimeInformation.ProcessArchitecture}, {VectorWidth.Default}-bit vectors, {threads} thread(s)"));
        output.WriteLine();
        if (table == "texts")
        {
            PrintTexts(
                output,
                pool,
                arguments.Length > 2 ? [.. arguments[2].Split(',').Select(text => double.Parse(text, CultureInfo.InvariantCulture) / 100)] : [0.95, 0.8, 0.5, 0],
                arguments.Length > 3 ? Enum.Parse<WeightStorage>(arguments[3]) : WeightStorage.Float32);
        }
        else
        {
            PrintChains(output, pool);
        }
    }

    // A response that keeps a share of the draft in its prompt, and writes runs of new tokens between.
    private static (int[] Prompt, int[] Response) Rewrite(double overlap)
    {
        int[] draft = [.. Enumerable.Range(1000, TextLength)];
        int period = overlap == 0 ? EditedRun : (int)Math.Round(EditedRun / (1 - overlap));
        int[] response = [.. draft.Select((token, index) => index % period < period - EditedRun ? token : token + 20000)];
        return ([.. Enumerable.Range(10, 100), .. draft, 5], response);
    }

    private static void PrintTexts(TextWriter output, WorkerPool pool, double[] overlaps, WeightStorage storage)
    {
        output.WriteLine("| weights | overlap | batch | plain tokens/s | lookup tokens/s | lookup ÷ plain | passes ÷ tokens | guesses right |");
        output.WriteLine("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
        LlamaWeights weights = WritingModel.Create();
        foreach (double overlap in overlaps)
        {
            (int[] prompt, int[] response) = Rewrite(overlap);
            WritingModel.Teach(weights, prompt[^1], response);
            LlamaWeights packed = weights.Pack(WritingModel.Config, storage);
            foreach (int batch in (int[])[1, 8])
            {
                PrintText(output, pool, packed, overlap, prompt, response, batch);
            }
        }
    }

    private static void PrintText(TextWriter output, WorkerPool pool, LlamaWeights weights, double overlap, int[] prompt, int[] response, int batch)
    {
        DecodingEngine engine = new(new Transformer(WritingModel.Config, weights, null, pool), batch, 256, long.MaxValue);
        int length = batch == 1 ? TextLength : TextLength / 2;
        DecodingRequest plain = new() { Prompt = prompt, Seed = 0, Options = new SamplingOptions { Temperature = 0, MaxTokens = length } };
        DecodingRequest guessed = plain with { MaxDraftLength = 16, Prediction = prompt[100..^1] };
        double plainSeconds = Measure(pool, engine, plain, batch, response[..length]);
        DecodingCounts before = engine.Counts;
        double guessedSeconds = Measure(pool, engine, guessed, batch, response[..length]);
        DecodingCounts counts = engine.Counts;
        long drafted = counts.DraftedTokens - before.DraftedTokens;
        output.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"| {weights.Head.Packed!.Storage} | {overlap:P0} | {batch} | {batch * length / plainSeconds:F1} | {batch * length / guessedSeconds:F1} | {plainSeconds / guessedSeconds:F2} | {(counts.Passes - before.Passes) / (2.0 * length):F2} | {(drafted == 0 ? "–" : ((counts.AcceptedTokens - before.AcceptedTokens) / (double)drafted).ToString("P0", CultureInfo.InvariantCulture))} |"));
    }

    // The better of two; the prompt is cached by then.
    private static double Measure(WorkerPool pool, DecodingEngine engine, DecodingRequest request, int batch, int[] expected)
    {
        DecodingRequest[] requests = [.. Enumerable.Repeat(request, batch)];
        engine.Run([request with { Options = new SamplingOptions { Temperature = 0, MaxTokens = 1 } }], CancellationToken.None);
        double best = double.MaxValue;
        for (int run = 0; run < 2; run++)
        {
            DecodedSequence[] sequences = [];
            best = Math.Min(best, Clock.Seconds(pool, () => sequences = engine.Run(requests, CancellationToken.None)));
            if (sequences.Any(sequence => !sequence.TokenIds.SequenceEqual(expected)))
            {
                throw new InvalidOperationException("The model did not write the text that it was made for.");
            }
        }

        return best;
    }

    private static void PrintChains(TextWriter output, WorkerPool pool)
    {
        List<WordProblem> problems = WordProblem.Generate(Settings.DevelopmentSeed, 200, new HashSet<string>());
        Prompt[] prompts = [.. problems.Select(problem => new Prompt(problem.Question))];
        // Once unseen: the first rows would else pay for the compiler.
        PrintChains(TextWriter.Null, pool, prompts, 1, PromptLookup.Predicted, 256 << 20, expected: null);
        output.WriteLine("| chains at once | prompt lookup | prompt cache | ms a chain of four | prompt tokens computed | tokens a pass | guesses right |");
        output.WriteLine("| ---: | --- | --- | ---: | ---: | ---: | ---: |");
        foreach (int batch in (int[])[1, 8, 32])
        {
            string[]? expected = null;
            foreach ((PromptLookup lookup, long cache) in ((PromptLookup, long)[])[(PromptLookup.Off, 0), (PromptLookup.Predicted, 0), (PromptLookup.Off, 256 << 20), (PromptLookup.Predicted, 256 << 20)])
            {
                expected = PrintChains(output, pool, prompts, batch, lookup, cache, expected);
            }
        }
    }

    private static string[] PrintChains(TextWriter output, WorkerPool pool, Prompt[] prompts, int batch, PromptLookup lookup, long cache, string[]? expected)
    {
        ManagedPolicyOptions options = new() { ThreadCount = pool.ThreadCount, PromptLookup = lookup, PromptCacheBytes = cache };
        double best = double.MaxValue;
        DecodingCounts counts = default;
        string[] answers = [];
        long tokens = 0;
        for (int round = 0; round < 3; round++)
        {
            using ManagedPolicyModel model = ManagedPolicyModel.Load(Path.Combine(AppContext.BaseDirectory, "model"), options);
            SelfRefiner refiner = new(model, new AriesRefinement(4, WordProblemScorer.Template), new SelfRefinerOptions
            {
                Sampling = new SamplingOptions { Temperature = 0.7f, MaxTokens = 32, Seed = 1 },
                StopWhenUnchanged = false,
            });
            List<RefinementResult> results = [];
            best = Math.Min(best, Clock.Seconds(pool, () =>
            {
                foreach (Prompt[] some in prompts.Chunk(batch))
                {
                    results.AddRange(refiner.RefineAsync(some).GetAwaiter().GetResult());
                }
            }));
            counts = model.Counts;
            answers = [.. results.SelectMany(result => result.Trace.Steps.Select(step => step.Text))];
            tokens = results.Sum(result => result.Usage.ResponseTokens);
        }

        if (expected is not null && !expected.SequenceEqual(answers))
        {
            throw new InvalidOperationException("The answers depend on how they were decoded.");
        }

        string right = counts.DraftedTokens == 0 ? "–" : (counts.AcceptedTokens / (double)counts.DraftedTokens).ToString("P0", CultureInfo.InvariantCulture);
        output.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"| {batch} | {lookup} | {(cache > 0 ? "on" : "off")} | {best * 1000 / prompts.Length:F3} | {counts.PromptTokens / (double)prompts.Length:F0} | {tokens / (double)counts.Passes:F2} | {right} |"));
        return answers;
    }
}
