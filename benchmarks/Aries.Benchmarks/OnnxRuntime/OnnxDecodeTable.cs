using System.Diagnostics;
using System.Globalization;
using Aries.Benchmarks.Managed;
using Aries.Managed;
using Aries.OnnxRuntime;

namespace Aries.Benchmarks.OnnxRuntime;

/// <summary>Tokens a second of both engines, and the share of the memory's bandwidth that reading the weights takes.</summary>
/// <remarks>The two engines of a table and the bandwidth are measured in turn, and the best of each counts.</remarks>
internal static class OnnxDecodeTable
{
    private const int PromptLength = 32;
    private const int ResponseLength = 16;
    private const int Rounds = 4;

    private static readonly int[] BatchSizes = [1, 8, 32];

    /// <summary>Prints both engines in float32, or each with the fewest bits a weight that it has.</summary>
    public static void Print(TextWriter output, OnnxModels models, int threads, bool small)
    {
        using WorkerPool pool = new(threads);
        using ReadBandwidth bandwidth = new();
        IPolicyModel[] engines =
        [
            ManagedPolicyModel.Load(models.Checkpoint, new ManagedPolicyOptions { ThreadCount = threads, WeightStorage = small ? WeightStorage.Int8 : WeightStorage.Float32 }),
            OnnxRuntimePolicyModel.Load(small ? models.FourBits : models.Float32, new OnnxRuntimePolicyOptions { ThreadCount = threads }),
        ];

        // A scale of four bytes for 64 weights in the managed engine's bytes, and for 32 in four bits.
        (string Name, double Bytes)[] weights = small
            ? [("Managed, int8", 1 + (4.0 / 64)), ("ONNX Runtime, four bits", 0.5 + (4.0 / 32))]
            : [("Managed, float32", 4), ("ONNX Runtime, float32", 4)];
        double[,] steps = new double[engines.Length, BatchSizes.Length];
        double best = 0;
        string agreement = "";
        for (int round = 0; round < Rounds; round++)
        {
            for (int batch = 0; batch < BatchSizes.Length; batch++)
            {
                best = Math.Max(best, bandwidth.Measure(pool));
                List<IReadOnlyList<Response>> responses = [];
                for (int engine = 0; engine < engines.Length; engine++)
                {
                    double seconds = Step(engines[engine], BatchSizes[batch], responses);
                    steps[engine, batch] = round == 0 ? seconds : Math.Min(steps[engine, batch], seconds);
                }

                agreement = Agreement(responses[0], responses[1]);
            }
        }

        output.WriteLine("| engine, weights | batch | ms a token | tokens/s | ÷ Managed | weights read at GB/s | memory gives GB/s | share |");
        output.WriteLine("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
        for (int engine = 0; engine < engines.Length; engine++)
        {
            for (int batch = 0; batch < BatchSizes.Length; batch++)
            {
                double step = steps[engine, batch];
                double reads = weights[engine].Bytes * OnnxModels.WeightCount / step / 1e9;
                output.WriteLine(string.Create(
                    CultureInfo.InvariantCulture,
                    $"| {weights[engine].Name} | {BatchSizes[batch]} | {step * 1e3:F2} | {BatchSizes[batch] / step:F0} | {steps[0, batch] / step:F2} | {reads:F1} | {best:F1} | {reads / best:P0} |"));
            }

            engines[engine].Dispose();
        }

        if (!small)
        {
            output.WriteLine();
            output.WriteLine(agreement);
        }
    }

    // What a run of more tokens takes longer is decoding alone; the prompt is kept from the run before.
    private static double Step(IPolicyModel engine, int batch, List<IReadOnlyList<Response>> responses)
    {
        _ = Seconds(engine, batch, 1, out _);
        double first = Seconds(engine, batch, 1, out _);
        double all = Seconds(engine, batch, 1 + ResponseLength, out IReadOnlyList<Response> written);
        responses.Add(written);
        return (all - first) / ResponseLength;
    }

    private static double Seconds(IPolicyModel engine, int batch, int tokens, out IReadOnlyList<Response> responses)
    {
        GenerationRequest[] requests =
            [.. Enumerable.Range(0, batch).Select(row => new GenerationRequest(OnnxModels.Text(row, PromptLength), new SamplingOptions { Temperature = 0, MaxTokens = tokens }))];
        long start = Stopwatch.GetTimestamp();
        responses = engine.GenerateAsync(requests).GetAwaiter().GetResult();
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        return responses.All(response => response.Usage.ResponseTokens == tokens) ? seconds : throw new InvalidOperationException("A response ended early.");
    }

    private static string Agreement(IReadOnlyList<Response> managed, IReadOnlyList<Response> onnx)
    {
        int equal = managed.Zip(onnx).Sum(pair => pair.First.TokenIds!.Zip(pair.Second.TokenIds!).TakeWhile(ids => ids.First == ids.Second).Count());
        return $"Of {managed.Sum(response => response.TokenIds!.Count)} tokens both engines wrote {equal} alike before a first difference.";
    }
}
