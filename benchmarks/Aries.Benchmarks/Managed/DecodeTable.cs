using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using Aries.Managed;

namespace Aries.Benchmarks.Managed;

/// <summary>Prints what decoding reaches of the memory's bandwidth, and prefill of the processor's peak, for the 135M configuration with random weights.</summary>
/// <remarks>Bandwidth and decoding are measured in turn, and the best of each counts for a storage: on a shared machine only ratios of what ran side by side mean something.</remarks>
internal static class DecodeTable
{
    private const int PromptLength = 32;
    private const int ResponseLength = 32;
    private const int PrefillRows = 256;
    private const int Rounds = 3;

    private static readonly int[] BatchSizes = [1, 8, 32];

    private static readonly LlamaConfig Config = ModelShapes.Llama135M;

    private static double _peak;

    public static void Print(TextWriter output, ReadOnlySpan<string> arguments)
    {
        int threads = arguments.Length > 0 ? int.Parse(arguments[0], CultureInfo.InvariantCulture) : Environment.ProcessorCount;
        using WorkerPool pool = new(threads);
        using ReadBandwidth bandwidth = new();
        output.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{RuntimeInformation.FrameworkDescription}, {RuntimeInformation.ProcessArchitecture}, {VectorWidth.Default}-bit vectors, {threads} thread(s)"));
        output.WriteLine();
        output.WriteLine("| weights | batch | ms a token | tokens/s | ratio to batch 1 | weights read at GB/s | memory gives GB/s | share | GFLOP/s | of the peak |");
        output.WriteLine("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
        List<string> contexts = [];
        List<string> prefills = [];
        foreach (WeightStorage storage in Enum.GetValues<WeightStorage>())
        {
            LlamaWeights weights = RandomWeights(storage);
            PrintDecoding(output, weights, storage, pool, bandwidth);
            contexts.Add(ContextRow(weights, storage, pool));
            prefills.Add(PrefillRow(weights, storage, pool));
        }

        output.WriteLine();
        output.WriteLine("| weights | batch 1, after 1 token | 128 | 512 | batch 32, after 1 token | 128 | 512 |");
        output.WriteLine("| --- | ---: | ---: | ---: | ---: | ---: | ---: |");
        contexts.ForEach(output.WriteLine);
        output.WriteLine();
        output.WriteLine("| weights | prompt tokens/s | GFLOP/s | peak | share |");
        output.WriteLine("| --- | ---: | ---: | ---: | ---: |");
        prefills.ForEach(output.WriteLine);
    }

    private static void PrintDecoding(TextWriter output, LlamaWeights weights, WeightStorage storage, WorkerPool pool, ReadBandwidth bandwidth)
    {
        // A tied embedding is read whole as the head; as the embedding a row of it is.
        long bytes = weights.Parameters().Sum(parameter => parameter.Packed?.ByteCount ?? (4L * parameter.Columns));
        double operations = Operations(weights) + (2.0 * Config.VocabularySize * Config.HiddenSize);
        DecodingEngine[] engines = [.. BatchSizes.Select(batch => new DecodingEngine(new Transformer(Config, weights, null, pool), batch, PrefillRows))];
        double[] steps = [.. BatchSizes.Select(_ => double.MaxValue)];
        double best = 0;
        for (int round = 0; round < Rounds; round++)
        {
            for (int i = 0; i < steps.Length; i++)
            {
                // The first token comes with the prompt; what a run with more of them takes longer is decoding alone.
                best = Math.Max(best, bandwidth.Measure(pool));
                steps[i] = Math.Min(steps[i], (Seconds(engines[i], BatchSizes[i], 1 + ResponseLength) - Seconds(engines[i], BatchSizes[i], 1)) / ResponseLength);
            }
        }

        double peak = Peak(pool);
        foreach ((int batch, double step) in BatchSizes.Zip(steps))
        {
            double reads = bytes / step / 1e9;
            double reached = batch * operations / step / 1e9;
            output.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"| {storage} | {batch} | {step * 1e3:F2} | {batch / step:F0} | {batch * steps[0] / step:F1} | {reads:F1} | {best:F1} | {reads / best:P0} | {reached:F0} | {reached / peak:P0} |"));
        }
    }

    private static double Seconds(DecodingEngine engine, int batch, int tokens)
    {
        DecodingRequest[] requests =
        [
            .. Enumerable.Range(0, batch).Select(row => new DecodingRequest
            {
                Prompt = [.. Enumerable.Range(0, PromptLength).Select(position => 3 + (((row * 37) + (position * 11)) % 500))],
                Seed = row,
                Options = new SamplingOptions { Temperature = 0, MaxTokens = tokens },
            }),
        ];
        long start = Stopwatch.GetTimestamp();
        _ = engine.Run(requests, CancellationToken.None);
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    // The products with the weights of the layers, for a token; attention, norms and activations are time without operations.
    private static double Operations(LlamaWeights weights) =>
        weights.Layers.Sum(layer => layer.Parameters().Where(parameter => parameter.Rows > 1).Sum(parameter => 2.0 * parameter.Rows * parameter.Columns));

    private static double Peak(WorkerPool pool) => _peak = Math.Max(_peak, FmaPeak.Measure(pool, repetitions: 4));

    // What the layers take for a token as the context grows: keys and values are read too. In milliseconds.
    private static string ContextRow(LlamaWeights weights, WeightStorage storage, WorkerPool pool)
    {
        Transformer transformer = new(Config, weights, null, pool);
        List<string> parts = [];
        foreach (int batch in (int[])[1, 32])
        {
            KeyValueStore store = FilledStore((batch * 513) + 1);
            foreach (int context in (int[])[1, 128, 512])
            {
                RowBatch rows = new();
                for (int row = 0; row < batch; row++)
                {
                    rows.AddSegment([3 + row], (row * 513) + 512, [new SlotRange(row * 513, context)]);
                }

                double best = Best(() => transformer.Forward(rows, store, tape: null));
                parts.Add(string.Create(CultureInfo.InvariantCulture, $"{best * 1e3:F2}"));
            }
        }

        return $"| {storage} | {string.Join(" | ", parts)} |";
    }

    // Written to, because memory that nobody wrote to is read as one page of zeros, which is near.
    private static KeyValueStore FilledStore(int slots)
    {
        KeyValueStore store = new(Config, slots);
        for (int layer = 0; layer < Config.LayerCount; layer++)
        {
            store.Keys(layer).AsSpan().Fill(0.01f);
            store.Values(layer).AsSpan().Fill(0.01f);
        }

        return store;
    }

    private static string PrefillRow(LlamaWeights weights, WeightStorage storage, WorkerPool pool)
    {
        Transformer transformer = new(Config, weights, null, pool);
        KeyValueStore store = new(Config, PrefillRows);
        RowBatch rows = new();
        rows.AddSegment([.. Enumerable.Range(0, PrefillRows).Select(position => 3 + (position * 11 % 500))], 0, []);
        double peak = Peak(pool);
        double best = Best(() => transformer.Forward(rows, store, tape: null));
        double reached = Operations(weights) * PrefillRows / best / 1e9;
        return string.Create(CultureInfo.InvariantCulture, $"| {storage} | {PrefillRows / best:F0} | {reached:F0} | {peak:F0} | {reached / peak:P0} |");
    }

    private static double Best(Action action)
    {
        double best = double.MaxValue;
        long start = Stopwatch.GetTimestamp();
        for (int round = 0; round < 3 || Stopwatch.GetElapsedTime(start).TotalSeconds < 0.2; round++)
        {
            long before = Stopwatch.GetTimestamp();
            action();
            best = Math.Min(best, Stopwatch.GetElapsedTime(before).TotalSeconds);
        }

        return best;
    }

    private static LlamaWeights RandomWeights(WeightStorage storage)
    {
        Random random = new(1);
        return LlamaWeights.Create(Config, (name, rows, columns) =>
        {
            if (rows == 1)
            {
                Parameter vector = new(name, rows, columns);
                vector.Values.AsSpan().Fill(1);
                return vector;
            }

            float scale = 2 / MathF.Sqrt(columns);
            return new Parameter(name, PackedMatrix.Pack(rows, columns, storage, VectorWidth.Default, (_, values) =>
            {
                foreach (ref float value in values)
                {
                    value = (random.NextSingle() - 0.5f) * scale;
                }
            }));
        });
    }
}
