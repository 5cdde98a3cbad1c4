using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using Aries.Managed;

namespace Aries.Benchmarks.Managed;

/// <summary>Prints what the output head takes beside its matrix products alone, as a Markdown table.</summary>
/// <remarks>
/// The products are those of the usual way: logits = hidden·Wᵀ, ∂hidden = ∂logits·W, ∂W = ∂logitsᵀ·hidden, each over whole rows of logits. They and the head are measured in turn,
/// round by round, and the best of each counts: only ratios within one run mean something; see <see cref="Clock"/>.
/// </remarks>
internal static class HeadTable
{
    private const int Width = 576;
    private const int LeastRounds = 2;

    // 512 MB: beyond it, the products alone go over the rows in several parts, as nobody holds more.
    private const int LogitsAtOnce = 1 << 27;

    private static readonly int[] RowCounts = [256, 1024, 2048];
    private static readonly int[] Vocabularies = [512, 8192, 49152, 151936];

    public static void Print(TextWriter output, ReadOnlySpan<string> arguments)
    {
        int threads = arguments.Length > 0 ? int.Parse(arguments[0], CultureInfo.InvariantCulture) : Environment.ProcessorCount;
        int[] vocabularies = arguments.Length > 1 ? [int.Parse(arguments[1], CultureInfo.InvariantCulture)] : Vocabularies;
        int[] rowCounts = arguments.Length > 2 ? [int.Parse(arguments[2], CultureInfo.InvariantCulture)] : RowCounts;
        using WorkerPool pool = new(threads);
        output.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{RuntimeInformation.FrameworkDescription}, {RuntimeInformation.ProcessArchitecture}, {VectorWidth.Default}-bit vectors, {threads} thread(s)"));
        output.WriteLine();
        output.WriteLine("| vocabulary | rows | logits product, GFLOP/s | forward ÷ its product | LoRA: forward and backward ÷ 2 products | the same ÷ 3 products | trained head: forward and backward ÷ 3 products |");
        output.WriteLine("| ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
        foreach (int vocabulary in vocabularies)
        {
            foreach (int rows in rowCounts)
            {
                PrintRow(output, pool, vocabulary, rows);
            }
        }
    }

    private static void PrintRow(TextWriter output, WorkerPool pool, int vocabulary, int rows)
    {
        Random random = new(1);
        Parameter weight = new("lm_head.weight", vocabulary, Width);
        Matrix hidden = Matrix.Zeros(rows, Width);
        Fill(weight.Values, random, 0.2f);
        Fill(hidden.Array, random, 2f);
        LlamaWeights weights = new() { Embedding = weight, Layers = [], FinalNorm = new Parameter("model.norm.weight", 1, Width), Head = weight };
        ScoredItem[] items = [.. Enumerable.Range(0, rows).Select(row => new ScoredItem(row, random.Next(vocabulary)))];
        double[] values = new double[rows];
        double[] coefficients = [.. Enumerable.Range(0, rows).Select(_ => random.NextDouble() - 0.5)];
        Parameter weightGradient = new("lm_head.weight", vocabulary, Width);
        Matrix hiddenGradient = Matrix.Zeros(rows, Width);

        int rowsAtOnce = Math.Min(rows, LogitsAtOnce / vocabulary);
        Matrix logits = Matrix.Zeros(rowsAtOnce, vocabulary);
        OutputHead head = new(weights, pool);
        OutputHead trainedHead = new(weights, pool, OutputHead.WorthKeeping(vocabulary, Width));
        Best logitsProduct = new(), hiddenProduct = new(), weightProduct = new(), forward = new(), adapted = new(), trained = new();
        long start = Stopwatch.GetTimestamp();
        for (int round = 0; round < LeastRounds || Stopwatch.GetElapsedTime(start).TotalSeconds < 2; round++)
        {
            logitsProduct.Measure(pool, () => ForParts((start, count) =>
                MatrixProduct.TimesTransposed(hidden.RowRange(start, count), weight, logits.RowRange(0, count), accumulate: false, pool)));
            hiddenProduct.Measure(pool, () => ForParts((start, count) =>
                MatrixProduct.Times(logits.RowRange(0, count), weight, hiddenGradient.RowRange(start, count), accumulate: false, pool)));
            weightProduct.Measure(pool, () => ForParts((start, count) =>
                MatrixProduct.TransposedTimes(logits.RowRange(0, count), hidden.RowRange(start, count), weightGradient, accumulate: true, pool)));
            forward.Measure(pool, () => head.LogProbabilities(hidden, items, values, forBackward: false));
            adapted.Measure(pool, () =>
            {
                head.LogProbabilities(hidden, items, values, forBackward: true);
                head.Backward(coefficients, hiddenGradient, null);
            });
            trained.Measure(pool, () =>
            {
                trainedHead.LogProbabilities(hidden, items, values, forBackward: true);
                trainedHead.Backward(coefficients, hiddenGradient, weightGradient);
            });
        }

        double two = logitsProduct.Seconds + hiddenProduct.Seconds;
        double three = two + weightProduct.Seconds;
        output.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"| {vocabulary} | {rows} | {2e-9 * rows * vocabulary * Width / logitsProduct.Seconds:F0} | {forward.Seconds / logitsProduct.Seconds:F2} | {adapted.Seconds / two:F2} | {adapted.Seconds / three:F2} | {trained.Seconds / three:F2} |"));

        void ForParts(Action<int, int> action)
        {
            for (int part = 0; part < rows; part += rowsAtOnce)
            {
                action(part, Math.Min(rowsAtOnce, rows - part));
            }
        }
    }

    private static void Fill(Span<float> values, Random random, float range)
    {
        foreach (ref float value in values)
        {
            value = range * (random.NextSingle() - 0.5f);
        }
    }

    // Others' work on the machine only ever adds time. The first call warms up buffers and code.
    private sealed class Best
    {
        private bool _warm;

        public double Seconds { get; private set; } = double.MaxValue;

        public void Measure(WorkerPool pool, Action action)
        {
            if (!_warm)
            {
                action();
                _warm = true;
            }

            Seconds = Math.Min(Seconds, Clock.Seconds(pool, action));
        }
    }
}
