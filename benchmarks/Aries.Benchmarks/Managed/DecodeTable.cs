using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using Aries.Managed;

namespace Aries.Benchmarks.Managed;

/// <summary>Prints what decoding reaches of the memory's bandwidth, and prefill of the processor's peak, for the 135M configuration with random weights.</summary>
/// <remarks>
/// On a shared machine only ratios of what ran side by side mean something: the memory gave from 17 to 69 GB/s within minutes. So the bandwidth is measured before and after every measurement of
/// decoding, each ratio is to the larger of its two neighbours, and the median of the rounds counts.
/// </remarks>
internal static class DecodeTable
{
    private const int PromptLength = 32;
    private const int ResponseLength = 32;
    private const int PrefillRows = 256;
    private const int Rounds = 5;

    private static readonly int[] BatchSizes = [1, 8, 32];

    private static readonly LlamaConfig Config = ModelShapes.Llama135M;

    private static double _peak;

    /// <param name="output">Receives the tables.</param>
    /// <param name="arguments">[threads [weight storages, separated by commas]].</param>
    public static void Print(TextWriter output, ReadOnlySpan<string> arguments)
    {
        int threads = arguments.Length > 0 ? int.Parse(arguments[0], CultureInfo.InvariantCulture) : Environment.ProcessorCount;
        WeightStorage[] storages = arguments.Length > 1 ? [.. arguments[1].Split(',').Select(Enum.Parse<WeightStorage>)] : Enum.GetValues<WeightStorage>();
        using WorkerPool pool = new(threads);
        using ReadBandwidth bandwidth = new();
        output.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{RuntimeInformation.FrameworkDescription}, {RuntimeInformation.ProcessArchitecture}, {VectorWidth.Default}-bit vectors, {threads} thread(s)"));
        output.WriteLine();
        output.WriteLine("| weights | batch | ms a token | tokens/s | ratio to batch 1 | weights read at GB/s | of what memory gives | GFLOP/s | of the peak |");
        output.WriteLine("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
        List<string> contexts = [];
        List<string> prefills = [];
        foreach (WeightStorage storage in storages)
        {
            LlamaWeights weights = RandomWeights(storage);
            PrintDecoding(output, weights, storage, pool, bandwidth);
            contexts.AddRange(ContextRows(weights, storage, pool, bandwidth));
            prefills.Add(PrefillRow(weights, storage, pool));
        }

        output.WriteLine();
        output.WriteLine("| weights | batch | after 1 token | 128 | 512 | weights, keys and values read at GB/s after 512 | of what memory gives |");
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
        Reading[] readings = [.. BatchSizes.Select(batch =>
        {
            DecodingEngine engine = new(new Transformer(Config, weights, null, pool), batch, PrefillRows, cacheBytes: 1 << 28);

            // The first token comes with the prompt, which is cached by then; what a run with more of them takes longer is decoding alone.
            Seconds(engine, batch, 1 + ResponseLength);
            return Read(pool, bandwidth, bytes, () => (Seconds(engine, batch, 1 + ResponseLength) - Seconds(engine, batch, 1)) / ResponseLength);
        })];
        double peak = Peak(pool);
        foreach ((int batch, Reading reading) in BatchSizes.Zip(readings))
        {
            double reached = batch * operations / reading.Seconds / 1e9;
            output.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"| {storage} | {batch} | {reading.Seconds * 1e3:F2} | {batch / reading.Seconds:F0} | {batch * readings[0].Seconds / reading.Seconds:F1} | {bytes / reading.Seconds / 1e9:F1} | {reading.Share:P0} | {reached:F0} | {reached / peak:P0} |"));
        }
    }

    // The best time of several, and the median share of the bandwidth beside it.
    private static Reading Read(WorkerPool pool, ReadBandwidth bandwidth, double bytes, Func<double> measure)
    {
        double best = double.MaxValue;
        double[] shares = new double[Rounds];
        double before = bandwidth.Measure(pool);
        for (int round = 0; round < Rounds; round++)
        {
            double seconds = measure();
            double after = bandwidth.Measure(pool);
            best = Math.Min(best, seconds);
            shares[round] = bytes / seconds / 1e9 / Math.Max(before, after);
            before = after;
        }

        shares.AsSpan().Sort();
        return new Reading(best, shares[Rounds / 2]);
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
    private static IEnumerable<string> ContextRows(LlamaWeights weights, WeightStorage storage, WorkerPool pool, ReadBandwidth bandwidth)
    {
        const int Longest = 512;
        Transformer transformer = new(Config, weights, null, pool);
        double layerBytes = weights.Layers.Sum(layer => layer.Parameters().Sum(parameter => parameter.Packed?.ByteCount ?? 0));
        foreach (int batch in (int[])[1, 32])
        {
            KeyValueStore store = FilledStore((batch * (Longest + 1)) + 1);
            RowBatch Rows(int context)
            {
                RowBatch rows = new();
                for (int row = 0; row < batch; row++)
                {
                    rows.AddSegment([3 + row], (row * (Longest + 1)) + Longest, [new SlotRange(row * (Longest + 1), context)]);
                }

                return rows;
            }

            double near = Best(() => transformer.Forward(Rows(1), store, tape: null));
            double middle = Best(() => transformer.Forward(Rows(128), store, tape: null));
            RowBatch far = Rows(Longest);
            double bytes = layerBytes + (2.0 * sizeof(float) * batch * (Longest + 1) * store.Width * Config.LayerCount);
            Reading reading = Read(pool, bandwidth, bytes, () => Best(() => transformer.Forward(far, store, tape: null)));
            yield return string.Create(
                CultureInfo.InvariantCulture,
                $"| {storage} | {batch} | {near * 1e3:F2} | {middle * 1e3:F2} | {reading.Seconds * 1e3:F2} | {bytes / reading.Seconds / 1e9:F1} | {reading.Share:P0} |");
        }
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

    private readonly record struct Reading(double Seconds, double Share);
}
