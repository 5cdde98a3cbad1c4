using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using Aries.Managed;

namespace Aries.Benchmarks.Managed;

/// <summary>Prints how much of the machine's fused multiply-adds the products reach, as a Markdown table.</summary>
/// <remarks>
/// A round measures the peak of multiply-adds, how fast as many bytes as the matrices have are read again and again, and each product, one right after the other. A share is
/// the median over the rounds of what a product took against what was measured beside it: on a shared machine the neighbours change all of them alike. The limit is the
/// higher of two times, that of the multiply-adds at their peak and that of moving every factor once and the result twice, at the speed of reading.
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
        using ReadBandwidth bandwidth = new();
        WarmUp(pool);
        output.WriteLine("| inputs | outputs | rows | peak GFLOP/s | of it: a·bᵀ | a·b | aᵀ·b | reading GB/s | of the limit: a·bᵀ | a·b | aᵀ·b |");
        output.WriteLine("| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
        foreach ((int inputs, int outputs) in models.SelectMany(static model => Models[model]))
        {
            foreach (int rows in rowCounts)
            {
                if ((long)rows * outputs <= 16 * 1024 * 1024)
                {
                    PrintRow(output, pool, bandwidth, inputs, outputs, rows);
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

    private static void PrintRow(TextWriter output, WorkerPool pool, ReadBandwidth bandwidth, int inputs, int outputs, int rows)
    {
        Random random = new(1);
        (Matrix x, Matrix weights, Matrix y) = (Fill(rows, inputs), Fill(outputs, inputs), Fill(rows, outputs));
        (Matrix xGradient, Matrix weightGradient) = (Matrix.Zeros(rows, inputs), Matrix.Zeros(outputs, inputs));
        double operations = 2.0 * rows * inputs * outputs;
        double xBytes = 4.0 * rows * inputs, yBytes = 4.0 * rows * outputs, weightBytes = 4.0 * inputs * outputs;
        (Action Product, double Moved)[] products =
        [
            (() => MatrixProduct.TimesTransposed(x, weights, y, accumulate: false, pool), xBytes + weightBytes + (2 * yBytes)),
            (() => MatrixProduct.Times(y, weights, xGradient, accumulate: false, pool), yBytes + weightBytes + (2 * xBytes)),
            (() => MatrixProduct.TransposedTimes(y, x, weightGradient, accumulate: true, pool), xBytes + yBytes + (2 * weightBytes)),
        ];
        List<double> peaks = [], speeds = [];
        List<double>[] ofPeak = [[], [], []], ofLimit = [[], [], []];
        int[] memoryRounds = new int[products.Length];
        long start = Stopwatch.GetTimestamp();
        double before = FmaPeak.Measure(pool, repetitions: 1);
        for (int round = 0; round < 7 || Stopwatch.GetElapsedTime(start).TotalSeconds < 0.25; round++)
        {
            double speed = bandwidth.MeasureAgain(pool, (long)(xBytes + yBytes + weightBytes));
            double[] seconds = [.. products.Select(product => Seconds(pool, product.Product, operations))];
            double after = FmaPeak.Measure(pool, repetitions: 1);
            double peak = (before + after) / 2;
            before = after;
            peaks.Add(peak);
            speeds.Add(speed);
            for (int index = 0; index < products.Length; index++)
            {
                (double multiplying, double moving) = (operations / peak / 1e9, products[index].Moved / speed / 1e9);
                ofPeak[index].Add(multiplying / seconds[index]);
                ofLimit[index].Add(Math.Max(multiplying, moving) / seconds[index]);
                memoryRounds[index] += moving > multiplying ? 1 : 0;
            }
        }

        string Share(int index) => Median(ofPeak[index]).ToString("P0", CultureInfo.InvariantCulture);
        string Limit(int index) => Median(ofLimit[index]).ToString("P0", CultureInfo.InvariantCulture) + (2 * memoryRounds[index] > peaks.Count ? " m" : " f");
        output.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"| {inputs} | {outputs} | {rows} | {Median(peaks):F0} | {Share(0)} | {Share(1)} | {Share(2)} | {Median(speeds):F0} | {Limit(0)} | {Limit(1)} | {Limit(2)} |"));

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

    // Once to have everything in the caches that hold it, then for about half a millisecond.
    private static double Seconds(WorkerPool pool, Action product, double operations)
    {
        int repetitions = (int)Math.Clamp(5e-4 * 100e9 / operations, 1, 100);
        product();
        return Clock.Seconds(pool, () =>
        {
            for (int repetition = 0; repetition < repetitions; repetition++)
            {
                product();
            }
        }) / repetitions;
    }

    private static double Median(List<double> values)
    {
        double[] sorted = [.. values];
        Array.Sort(sorted);
        return sorted[sorted.Length / 2];
    }
}
