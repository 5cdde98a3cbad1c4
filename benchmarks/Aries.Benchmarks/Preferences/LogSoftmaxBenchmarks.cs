using System.Numerics.Tensors;
using Aries.Preferences;
using BenchmarkDotNet.Attributes;

namespace Aries.Benchmarks.Preferences;

/// <summary>Log-softmax and gather over one row of logits, and its gradient: a scalar loop, TensorPrimitives, and the fused kernel.</summary>
[MemoryDiagnoser]
public class LogSoftmaxBenchmarks
{
    private readonly double[] _logProbabilities = new double[1];
    private readonly double[] _sums = new double[1];
    private readonly double[] _entropies = new double[1];
    private readonly int[] _target = [1234];
    private readonly int[] _row = [0];
    private readonly double[] _coefficient = [0.01];
    private float[] _logits = [];
    private float[] _scratch = [];

    [Params(32_000, 151_936)]
    public int Vocabulary { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        Random random = new(7);
        _logits = [.. Enumerable.Range(0, Vocabulary).Select(_ => (float)((random.NextDouble() * 24) - 12))];
        _scratch = new float[Vocabulary];
        LogSoftmaxKernel.LogSumExps(_logits, Vocabulary, _sums);
    }

    [Benchmark(Baseline = true)]
    public double Scalar()
    {
        double max = double.NegativeInfinity;
        foreach (float x in _logits)
        {
            max = Math.Max(max, x);
        }

        double sum = 0;
        foreach (float x in _logits)
        {
            sum += Math.Exp(x - max);
        }

        return _logits[_target[0]] - max - Math.Log(sum);
    }

    [Benchmark]
    public double Tensors()
    {
        float max = TensorPrimitives.Max<float>(_logits);
        TensorPrimitives.Subtract(_logits, max, _scratch);
        TensorPrimitives.Exp(_scratch, _scratch);
        return _logits[_target[0]] - max - Math.Log(TensorPrimitives.Sum<float>(_scratch));
    }

    [Benchmark]
    public double Kernel()
    {
        LogSoftmaxKernel.LogProbabilities(_logits, Vocabulary, _target, _logProbabilities, _sums);
        return _logProbabilities[0];
    }

    [Benchmark]
    public double KernelWithEntropy()
    {
        LogSoftmaxKernel.LogProbabilities(_logits, Vocabulary, _target, _logProbabilities, _sums, _entropies);
        return _logProbabilities[0];
    }

    /// <summary>The gradient in place; the copy that gives it fresh logits is part of the time.</summary>
    [Benchmark]
    public float KernelGradient()
    {
        _logits.CopyTo(_scratch, 0);
        LogSoftmaxKernel.Gradient(_scratch, Vocabulary, _sums, _row, _target, _coefficient);
        return _scratch[0];
    }
}
