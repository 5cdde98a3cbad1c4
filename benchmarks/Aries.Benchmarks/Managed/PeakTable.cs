using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using Aries.Managed;

namespace Aries.Benchmarks.Managed;

/// <summary>Prints how much of the machine's fused multiply-adds the products reach, as a Markdown table.</summary>
/// <remarks>
/// The peak is that of all threads of the pool together, the best so far, measured again before each row; the bandwidth likewise, before the rows of the head, whose
/// weights no cache holds. On a shared machine only ratios within one run mean something; see <see cref="Clock"/>.
/// </remarks>
internal static class PeakTable
{
    private static readonly int[] AllRows = [16, 64, 256, 1024, 2048];

    // Inputs and outputs of the projections by the models they belong to.
    private static readonly Dictionary<string, (int Inputs, int Outputs)[]> Models = new(StringComparer.Ordinal)
    {
        ["small"] = [(64, 64), (64, 172), (172, 64), (128, 128), (128, 384), (384, 128), (512, 512)],
        ["135m"] = [(576, 576), (576, 192), (576, 1536), (1536, 576)],
        ["rank16"] = [(576, 16), (16, 576), (1536, 16), (16, 1536)],
        ["head"] = [(576, 49152)],
    };

    // A product that moves more than this is measured against the memory too.
    private const double CachedBytes = 64e6;

    private static readonly Lazy<ReadBandwidth> Bandwidth = new();

    private static double _peak;
    private static double _bandwidth;

    /// <param name="output">Receives the table.</param>
    /// <param name="arguments">[threads [models, separated by commas [rows, separated by commas]]].</param>
    public static void Print(TextWriter output, ReadOnlySpan<string> arguments)
    {
        int threads = arguments.Length > 0 ? int.Parse(arguments[0], CultureInfo.InvariantCulture) : Environment.ProcessorCount;
        string[] models = arguments.Length > 1 ? arguments[1].Split(',') : [.. Models.Keys];
        int[] rowCounts = arguments.Length > 2 ? [.. arguments[2].Split(',').Select(static text => int.Parse(text, CultureInfo.InvariantCulture))] : AllRows;
        using WorkerPool pool = new(threads);
        output.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{RuntimeInformation.FrameworkDescription}, {RuntimeInformation.ProcessArchitecture}, {VectorWidth.Default}-bit vectors, {threads} thread(s)"));
        output.WriteLine();
        WarmUp(pool);
        output.WriteLine("| inputs | outputs | rows | peak GFLOP/s | a·bᵀ | a·b | aᵀ·b | memory: read GB/s | a·bᵀ | a·b | aᵀ·b |");
        output.WriteLine("| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
        foreach ((int inputs, int outputs) in models.SelectMany(static model => Models[model]))
        {
            foreach (int rows in rowCounts)
            {
                if ((long)rows * outputs <= 16 * 1024 * 1024)
                {
                    PrintRow(output, pool, inputs, outputs, rows);
                }
            }
        }
    }

    // Until what surrounds the tiles is compiled in full.
    private static void WarmUp(WorkerPool pool)
    {
        Matrix x = Matrix.Zeros(64, 64);
        Matrix y = Matrix.Zeros(64, 64);
        long start = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(start).TotalSeconds < 0.5)
        {
            MatrixProduct.TimesTransposed(x, x, y, accumulate: false, pool);
            MatrixProduct.Times(x, x, y, accumulate: false, pool);
            MatrixProduct.TransposedTimes(x, x, y, accumulate: true, pool);
        }
    }

    private static void PrintRow(TextWriter output, WorkerPool pool, int inputs, int outputs, int rows)
    {
        Random random = new(1);
        (Matrix x, Matrix weights, Matrix y) = (Fill(rows, inputs), Fill(outputs, inputs), Fill(rows, outputs));
        (Matrix xGradient, Matrix weightGradient) = (Matrix.Zeros(rows, inputs), Matrix.Zeros(outputs, inputs));
        double operations = 2.0 * rows * inputs * outputs;
        double peak = _peak = Math.Max(_peak, FmaPeak.Measure(pool, repetitions: 4));
        double forward = Best(pool, () => MatrixProduct.TimesTransposed(x, weights, y, accumulate: false, pool));
        double backward = Best(pool, () => MatrixProduct.Times(y, weights, xGradient, accumulate: false, pool));
        double gradient = Best(pool, () => MatrixProduct.TransposedTimes(y, x, weightGradient, accumulate: true, pool));
        string Share(double seconds) => (operations / seconds / 1e9 / peak).ToString("P0", CultureInfo.InvariantCulture);
        output.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"| {inputs} | {outputs} | {rows} | {peak:F0} | {Share(forward)} | {Share(backward)} | {Share(gradient)} | {Memory()} |"));

        // Every factor read once; a result written once, and read before, as a cache reads what it writes.
        string Memory()
        {
            double xBytes = 4.0 * rows * inputs, yBytes = 4.0 * rows * outputs, weightBytes = 4.0 * inputs * outputs;
            if (weightBytes < CachedBytes)
            {
                return "– | – | – | –";
            }

            _bandwidth = Math.Max(_bandwidth, Bandwidth.Value.Measure(pool));
            string Moved(double bytes, double seconds) => (bytes / seconds / 1e9 / _bandwidth).ToString("P0", CultureInfo.InvariantCulture);
            return string.Create(
                CultureInfo.InvariantCulture,
                $"{_bandwidth:F0} | {Moved(xBytes + weightBytes + (2 * yBytes), forward)} | {Moved(yBytes + weightBytes + (2 * xBytes), backward)} | {Moved(xBytes + yBytes + (2 * weightBytes), gradient)}");
        }

        Matrix Fill(int count, int columns)
        {
            Matrix matrix = Matrix.Zeros(count, columns);
            foreach (ref float value in matrix.Array.AsSpan())
            {
                value = random.NextSingle() - 0.5f;
            }

            return matrix;
        }
    }

    // The best of many short runs: others' work on the machine only ever adds time.
    private static double Best(WorkerPool pool, Action action)
    {
        double best = double.MaxValue;
        long start = Stopwatch.GetTimestamp();
        for (int round = 0; round < 5 || Stopwatch.GetElapsedTime(start).TotalSeconds < 0.06; round++)
        {
            best = Math.Min(best, Clock.Seconds(pool, action));
        }

        return best;
    }
}
