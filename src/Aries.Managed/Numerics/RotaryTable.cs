using System.Runtime.Intrinsics;

namespace Aries.Managed;

/// <summary>Rotary position embedding in Hugging Face's rotate-half layout, with its table of cosines and sines.</summary>
/// <remarks>
/// <para>Su et al. 2021, <see href="https://arxiv.org/abs/2104.09864"/>, Eq. 34, with coordinate i paired to i + headSize / 2:</para>
/// <code>
/// yᵢ = xᵢ·cos(p·fᵢ) − xᵢ₊ₕ·sin(p·fᵢ)      yᵢ₊ₕ = xᵢ₊ₕ·cos(p·fᵢ) + xᵢ·sin(p·fᵢ)      fᵢ = θ^(−i/h),  h = headSize / 2
/// </code>
/// <para>Angles are computed in float64. The table grows with the positions that are asked for, up to the model's context.</para>
/// </remarks>
/// <threadsafety>Every member may be called concurrently.</threadsafety>
internal sealed class RotaryTable
{
    private const int FirstPositionCount = 128;

    private readonly Lock _growth = new();
    private readonly double[] _frequencies;
    private readonly int _contextLength;
    private volatile float[] _values = [];

    /// <summary>Computes the frequencies.</summary>
    /// <exception cref="ArgumentNullException"><paramref name="config"/> is null.</exception>
    public RotaryTable(LlamaConfig config)
    {
        ArgumentNullException.ThrowIfNull(config);
        HeadSize = config.HeadSize;
        _contextLength = config.ContextLength;
        _frequencies = RotaryFrequencies.Of(config);
    }

    /// <summary>Gets the width of a head.</summary>
    public int HeadSize { get; }

    /// <summary>Gets the frequencies fᵢ after rescaling, in radians a position. Shape [headSize / 2].</summary>
    public ReadOnlySpan<double> Frequencies => _frequencies;

    /// <summary>Turns every head of every row by the angles of the row's position, in place.</summary>
    /// <param name="x">Queries or keys. Shape [T, heads · headSize].</param>
    /// <param name="positions">The position of each row, 0 to the context's length − 1. Shape [T] or longer.</param>
    /// <param name="pool">Shares the rows.</param>
    /// <exception cref="ArgumentException">The columns are no whole heads, or positions are missing.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A position lies outside the context.</exception>
    public void Forward(Matrix x, int[] positions, WorkerPool pool) => Rotate(x, positions, 1, pool);

    /// <summary>Turns the gradient of the turned rows back into that of the rows, in place: the inverse rotation.</summary>
    /// <param name="gradient">Shape [T, heads · headSize].</param>
    /// <param name="positions">As <see cref="Forward"/> had them. Shape [T] or longer.</param>
    /// <param name="pool">Shares the rows.</param>
    /// <exception cref="ArgumentException">The columns are no whole heads, or positions are missing.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A position lies outside the context.</exception>
    public void Backward(Matrix gradient, int[] positions, WorkerPool pool) => Rotate(gradient, positions, -1, pool);

    private static void RotateRow(Span<float> row, ReadOnlySpan<float> cosines, ReadOnlySpan<float> sines, float direction)
    {
        int half = cosines.Length;
        Vector256<float> sign = Vector256.Create(direction);
        for (int head = 0; head < row.Length; head += 2 * half)
        {
            Span<float> first = row.Slice(head, half);
            Span<float> second = row.Slice(head + half, half);
            for (int index = 0; index < half; index += Lanes.Count)
            {
                Vector256<float> cosine = Lanes.Load(cosines, index);
                Vector256<float> sine = Lanes.Load(sines, index) * sign;
                Vector256<float> x = Lanes.Load(first, index);
                Vector256<float> y = Lanes.Load(second, index);
                Lanes.Store(Lanes.MultiplyAdd(x, cosine, -(y * sine)), first, index);
                Lanes.Store(Lanes.MultiplyAdd(y, cosine, x * sine), second, index);
            }
        }
    }

    private void Rotate(Matrix x, int[] positions, float direction, WorkerPool pool)
    {
        if (x.Columns % HeadSize != 0 || positions.Length < x.Rows)
        {
            throw new ArgumentException(
                $"Rows of shape [{x.Rows}, {x.Columns}] need whole heads of {HeadSize} and a position each; there are {positions.Length}.");
        }

        float[] values = ValuesFor(positions.AsSpan(0, x.Rows));
        pool.RunBlocks(x.Rows, BlockRows.RowsPerBlock(x), (x, positions, direction, values, HeadSize), static (state, start, end) =>
        {
            int half = state.HeadSize / 2;
            for (int row = start; row < end; row++)
            {
                ReadOnlySpan<float> angles = state.values.AsSpan(state.positions[row] * state.HeadSize, state.HeadSize);
                RotateRow(state.x.Row(row), angles[..half], angles[half..], state.direction);
            }
        });
    }

    // One row a position: the cosines, then the sines.
    private float[] ValuesFor(ReadOnlySpan<int> positions)
    {
        int last = -1;
        foreach (int position in positions)
        {
            if ((uint)position >= (uint)_contextLength)
            {
                throw new ArgumentOutOfRangeException(
                    nameof(positions), position, $"Positions run from 0 to {_contextLength - 1}, the model's context; shorten the sequence.");
            }

            last = Math.Max(last, position);
        }

        return last < _values.Length / HeadSize ? _values : Grow(last + 1);
    }

    private float[] Grow(int positionCount)
    {
        lock (_growth)
        {
            float[] old = _values;
            int known = old.Length / HeadSize;
            if (positionCount <= known)
            {
                return old;
            }

            int wanted = Math.Min(_contextLength, Math.Max(positionCount, Math.Max(FirstPositionCount, 2 * known)));
            float[] grown = new float[checked(wanted * HeadSize)];
            old.CopyTo(grown, 0);
            int half = HeadSize / 2;
            for (int position = known; position < wanted; position++)
            {
                for (int index = 0; index < half; index++)
                {
                    (double sine, double cosine) = Math.SinCos(position * _frequencies[index]);
                    grown[(position * HeadSize) + index] = (float)cosine;
                    grown[(position * HeadSize) + half + index] = (float)sine;
                }
            }

            return _values = grown;
        }
    }
}
