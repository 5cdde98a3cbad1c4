using System.Diagnostics;
using System.Globalization;
using Aries.Managed;
using Aries.OnnxRuntime;

namespace Aries.Benchmarks.OnnxRuntime;

/// <summary>Prompt tokens a second: with the logits of every token, as a graph gives them that cannot be asked for fewer, and with the last token's alone.</summary>
internal static class OnnxPrefillTable
{
    private const int Rounds = 2;

    private static readonly int[] PromptLengths = [256, 512];

    private static readonly int[] PassLengths = [128, 256, 512];

    public static void Print(TextWriter output, OnnxModels models, int threads)
    {
        output.WriteLine("| weights | prompt | tokens a pass | all logits, tokens/s | last logits, tokens/s | last ÷ all |");
        output.WriteLine("| --- | ---: | ---: | ---: | ---: | ---: |");
        foreach ((string name, string folder) in ((string, string)[])[("float32", models.Float32), ("four bits", models.FourBits)])
        {
            using DecoderGraph graph = DecoderGraph.Load(folder, GenAIConfig.Read(folder), adapterPath: null, threads);
            graph.EnsureCache(1, PromptLengths[^1], kept: []);
            foreach (int length in PromptLengths)
            {
                foreach (int pass in PassLengths.Where(pass => pass <= length))
                {
                    double all = double.MaxValue;
                    double last = double.MaxValue;
                    for (int round = 0; round < Rounds; round++)
                    {
                        all = Math.Min(all, Seconds(() => Prefill(graph, length, pass, pass)));
                        last = Math.Min(last, Seconds(() => Prefill(graph, length, pass, 1)));
                    }

                    output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| ONNX Runtime {name} | {length} | {pass} | {length / all:F0} | {length / last:F0} | {all / last:F2} |"));
                }
            }
        }

        PrintManaged(output, models, threads);
    }

    private static void PrintManaged(TextWriter output, OnnxModels models, int threads)
    {
        foreach (WeightStorage storage in (WeightStorage[])[WeightStorage.Float32, WeightStorage.Int8])
        {
            ManagedPolicyOptions options = new() { ThreadCount = threads, WeightStorage = storage, PromptCacheBytes = 0 };
            using ManagedPolicyModel managed = ManagedPolicyModel.Load(models.Checkpoint, options);
            foreach (int words in PromptLengths)
            {
                GenerationRequest request = new(OnnxModels.Text(1, words), new SamplingOptions { Temperature = 0, MaxTokens = 1 });
                double best = double.MaxValue;
                long tokens = 0;
                for (int round = 0; round < Rounds; round++)
                {
                    best = Math.Min(best, Seconds(() => tokens = managed.GenerateAsync([request]).GetAwaiter().GetResult()[0].Usage.PromptTokens));
                }

                output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| Managed {storage} | {tokens} | {options.PrefillLength} | – | {tokens / best:F0} | – |"));
            }
        }
    }

    private static void Prefill(DecoderGraph graph, int length, int pass, int wanted)
    {
        int[] tokens = [.. Enumerable.Range(0, length).Select(position => 3 + (position * 11 % 300))];
        for (int start = 0; start < length; start += pass)
        {
            graph.Run(0, tokens.AsSpan(start, pass), [start + pass], wanted, CancellationToken.None);
        }
    }

    private static double Seconds(Action action)
    {
        long start = Stopwatch.GetTimestamp();
        action();
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }
}
