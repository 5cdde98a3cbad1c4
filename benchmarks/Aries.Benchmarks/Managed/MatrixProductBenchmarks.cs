using Aries.Managed;
using BenchmarkDotNet.Attributes;

namespace Aries.Benchmarks.Managed;

/// <summary>The three products of a projection's training step; the plain loop over the same numbers is the baseline.</summary>
[MemoryDiagnoser]
public class MatrixProductBenchmarks
{
    private Matrix _inputs;
    private Matrix _weights;
    private Matrix _outputs;
    private Matrix _inputGradient;
    private Matrix _weightGradient;

    [Params(16, 256)]
    public int Rows { get; set; }

    [Params(128, 576)]
    public int Width { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        Random random = new(1);
        (_inputs, _weights, _outputs) = (Matrix.Zeros(Rows, Width), Matrix.Zeros(Width, Width), Matrix.Zeros(Rows, Width));
        (_inputGradient, _weightGradient) = (Matrix.Zeros(Rows, Width), Matrix.Zeros(Width, Width));
        foreach (ref float value in _inputs.Array.AsSpan())
        {
            value = random.NextSingle() - 0.5f;
        }

        foreach (ref float value in _weights.Array.AsSpan())
        {
            value = random.NextSingle() - 0.5f;
        }
    }

    [Benchmark(Baseline = true)]
    public void PlainLoop()
    {
        for (int row = 0; row < Rows; row++)
        {
            for (int column = 0; column < Width; column++)
            {
                _outputs.Row(row)[column] = RowKernels.Dot(_inputs.Row(row), _weights.Row(column));
            }
        }
    }

    [Benchmark]
    public void TimesTransposed() => MatrixProduct.TimesTransposed(_inputs, _weights, _outputs, accumulate: false, WorkerPool.Shared);

    [Benchmark]
    public void Times() => MatrixProduct.Times(_outputs, _weights, _inputGradient, accumulate: false, WorkerPool.Shared);

    [Benchmark]
    public void TransposedTimes() => MatrixProduct.TransposedTimes(_outputs, _inputs, _weightGradient, accumulate: false, WorkerPool.Shared);
}
