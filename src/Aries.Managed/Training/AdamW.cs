using System.Runtime.Intrinsics;

namespace Aries.Managed;

/// <summary>AdamW over a list of weights, with clipping by the global norm.</summary>
/// <remarks>
/// Loshchilov and Hutter 2017, <see href="https://arxiv.org/abs/1711.05101"/>, Algorithm 2, with the decay scaled by the learning rate as PyTorch has it:
/// <code>
/// x ← x·(1 − lr·wd)     m ← β₁·m + (1 − β₁)·g     v ← β₂·v + (1 − β₂)·g²
/// x ← x − lr ÷ (1 − β₁ᵗ) · m ÷ (√v ÷ √(1 − β₂ᵗ) + ε)
/// </code>
/// </remarks>
/// <threadsafety>Not thread-safe.</threadsafety>
internal sealed class AdamW
{
    private const int BlockLength = 1 << 14;

    // Added to the norm that divides, as torch.nn.utils.clip_grad_norm_ does.
    private const double ClipEpsilon = 1e-6;

    private readonly IReadOnlyList<Parameter> _weights;
    private readonly AdamWOptions _options;
    private readonly WorkerPool _pool;
    private readonly Block[] _blocks;
    private readonly double[] _squares;

    public AdamW(IEnumerable<Parameter> weights, AdamWOptions options, WorkerPool pool)
    {
        _weights = [.. weights];
        _options = options with { };
        _pool = pool;
        FirstMoments = Like(_weights);
        SecondMoments = Like(_weights);
        _blocks = [.. _weights.SelectMany((weight, index) => BlocksOf(weight, index))];
        _squares = new double[_blocks.Length];
    }

    /// <summary>Gets m, under the weights' names.</summary>
    public IReadOnlyList<Parameter> FirstMoments { get; }

    /// <summary>Gets v, under the weights' names.</summary>
    public IReadOnlyList<Parameter> SecondMoments { get; }

    /// <summary>Gets or sets t, the number of steps done.</summary>
    public int StepCount { get; set; }

    /// <summary>Computes the norm of all gradients together; the same bits on any number of threads.</summary>
    public double GradientNorm(IReadOnlyList<Parameter> gradients)
    {
        _pool.Run(_blocks.Length, (this, gradients), static (state, index) =>
        {
            Block block = state.Item1._blocks[index];
            state.Item1._squares[index] = RowKernels.SumOfSquares(state.gradients[block.Weight].Values.AsSpan(block.Start, block.Length));
        });

        double sum = 0;
        foreach (double square in _squares)
        {
            sum += square;
        }

        return Math.Sqrt(sum);
    }

    /// <summary>Changes the weights by one step.</summary>
    /// <param name="gradients">A gradient for each weight, in the weights' order; not changed.</param>
    /// <param name="gradientNorm">What <see cref="GradientNorm"/> gave for them; finite.</param>
    /// <param name="learningRate">The learning rate of this step.</param>
    public void Step(IReadOnlyList<Parameter> gradients, double gradientNorm, double learningRate)
    {
        StepCount++;
        double clip = Math.Min(1, _options.MaxGradientNorm / (gradientNorm + ClipEpsilon));
        StepScale scale = new(
            (float)clip,
            (float)(learningRate / (1 - Math.Pow(_options.Beta1, StepCount))),
            (float)(1 / Math.Sqrt(1 - Math.Pow(_options.Beta2, StepCount))),
            (float)(1 - (learningRate * _options.WeightDecay)));
        _pool.Run(_blocks.Length, (this, gradients, scale), static (state, index) => state.Item1.StepBlock(state.Item1._blocks[index], state.gradients, state.scale));
    }

    private void StepBlock(Block block, IReadOnlyList<Parameter> gradients, StepScale scale)
    {
        Span<float> weights = _weights[block.Weight].Values.AsSpan(block.Start, block.Length);
        Span<float> first = FirstMoments[block.Weight].Values.AsSpan(block.Start, block.Length);
        Span<float> second = SecondMoments[block.Weight].Values.AsSpan(block.Start, block.Length);
        ReadOnlySpan<float> gradient = gradients[block.Weight].Values.AsSpan(block.Start, block.Length);
        Vector256<float> decay = Vector256.Create(block.Decays ? scale.Decay : 1);
        Vector256<float> clip = Vector256.Create(scale.Clip);
        Vector256<float> keepFirst = Vector256.Create((float)_options.Beta1);
        Vector256<float> takeFirst = Vector256.Create((float)(1 - _options.Beta1));
        Vector256<float> keepSecond = Vector256.Create((float)_options.Beta2);
        Vector256<float> takeSecond = Vector256.Create((float)(1 - _options.Beta2));
        Vector256<float> rate = Vector256.Create(scale.Rate);
        Vector256<float> rootScale = Vector256.Create(scale.RootScale);
        Vector256<float> epsilon = Vector256.Create((float)_options.Epsilon);
        for (int i = 0; i < weights.Length; i += Lanes.Count)
        {
            Vector256<float> g = Lanes.Load(gradient, i) * clip;
            Vector256<float> m = Lanes.MultiplyAdd(keepFirst, Lanes.Load(first, i), takeFirst * g);
            Vector256<float> v = Lanes.MultiplyAdd(keepSecond, Lanes.Load(second, i), takeSecond * g * g);
            Vector256<float> x = (Lanes.Load(weights, i) * decay) - (rate * m / ((Vector256.Sqrt(v) * rootScale) + epsilon));
            Lanes.Store(m, first, i);
            Lanes.Store(v, second, i);
            Lanes.Store(x, weights, i);
        }
    }

    private static Parameter[] Like(IReadOnlyList<Parameter> weights) => [.. weights.Select(weight => new Parameter(weight.Name, weight.Rows, weight.Columns))];

    // Norms and biases do not decay: decay would pull it to 0 without making the model simpler.
    private static IEnumerable<Block> BlocksOf(Parameter weight, int index)
    {
        bool vector = weight.Name.EndsWith("norm.weight", StringComparison.Ordinal) || weight.Name.EndsWith(".bias", StringComparison.Ordinal);
        for (int start = 0; start < weight.Values.Length; start += BlockLength)
        {
            yield return new Block(index, start, Math.Min(BlockLength, weight.Values.Length - start), !vector);
        }
    }

    private readonly record struct Block(int Weight, int Start, int Length, bool Decays);

    private readonly record struct StepScale(float Clip, float Rate, float RootScale, float Decay);
}
