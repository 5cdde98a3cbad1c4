using Aries.Preferences;
using BenchmarkDotNet.Attributes;

namespace Aries.Benchmarks.Preferences;

/// <summary>DPO and ARIES over N pairs against scalar loops that are written straight from the equations.</summary>
[MemoryDiagnoser]
public class PreferenceLossBenchmarks
{
    private readonly DpoLoss _dpo = new();
    private readonly AriesLoss _aries = new();
    private double[] _policy = [];
    private double[] _reference = [];
    private double[] _losses = [];
    private double[] _gradients = [];

    [Params(8, 64, 512)]
    public int N { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        Random random = new(7);
        _policy = [.. Enumerable.Range(0, PairBatch.SequenceCount * N).Select(_ => -150 * random.NextDouble())];
        _reference = [.. _policy.Select(p => p + (20 * random.NextDouble()) - 10)];
        _losses = new double[N];
        _gradients = new double[_policy.Length];
    }

    [Benchmark(Baseline = true)]
    public double ScalarDpo()
    {
        Array.Clear(_gradients);
        for (int i = 0; i < N; i++)
        {
            AddDirect(i, 1);
        }

        return _losses[0];
    }

    [Benchmark]
    public double Dpo()
    {
        _dpo.Compute(new PairBatch(_policy, _reference, default), _losses, new PairGradients(_gradients));
        return _losses[0];
    }

    [Benchmark]
    public double ScalarAries()
    {
        Array.Clear(_gradients);
        for (int i = 0; i < N; i++)
        {
            AddDirect(i, 0.2);
            AddRefinement(PairSequence.ChosenGivenRejected, PairSequence.RejectedGivenRejected, i, 0.8);
            AddRefinement(PairSequence.ChosenGivenChosen, PairSequence.RejectedGivenChosen, i, 0.8);
        }

        return _losses[0];
    }

    [Benchmark]
    public double Aries()
    {
        _aries.Compute(new PairBatch(_policy, _reference, default), _losses, new PairGradients(_gradients));
        return _losses[0];
    }

    private void AddDirect(int pair, double weight)
    {
        double z = 0.1 * (Ratio(PairSequence.Chosen, pair) - Ratio(PairSequence.Rejected, pair));
        double u = Math.Exp(-Math.Abs(z));
        _losses[pair] = weight * (Math.Max(-z, 0) + Math.Log(1 + u));
        double wrong = (z < 0 ? 1 : u) / (1 + u);
        _gradients[pair] = -weight * 0.1 * wrong;
        _gradients[N + pair] = weight * 0.1 * wrong;
    }

    private void AddRefinement(PairSequence better, PairSequence worse, int pair, double weight)
    {
        double missing = 0.5 - (0.1 * (Ratio(better, pair) - Ratio(worse, pair)));
        _losses[pair] += weight * missing * missing;
        _gradients[((int)better * N) + pair] = -2 * weight * 0.1 * missing;
        _gradients[((int)worse * N) + pair] = 2 * weight * 0.1 * missing;
    }

    private double Ratio(PairSequence sequence, int pair) => _policy[((int)sequence * N) + pair] - _reference[((int)sequence * N) + pair];
}
