namespace Aries.Managed;

/// <summary>The rotary position embedding in Hugging Face's layout: value i of a head turns with value i + half.</summary>
/// <remarks>Su et al. 2021, <see href="https://arxiv.org/abs/2104.09864"/>, Eq. 34. Angles are computed in double precision.</remarks>
/// <threadsafety>Not thread-safe while it grows; reads of positions that <see cref="Ensure"/> covered may be concurrent.</threadsafety>
internal sealed class Rotary
{
    private readonly double[] _frequencies;
    private float[] _cosines = [];
    private float[] _sines = [];
    private int _positions;

    public Rotary(LlamaConfig config)
    {
        _frequencies = new double[config.HeadSize / 2];
        for (int i = 0; i < _frequencies.Length; i++)
        {
            double frequency = Math.Pow(config.RopeTheta, -2.0 * i / config.HeadSize);
            _frequencies[i] = config.RopeScaling is { } scaling ? Rescale(frequency, scaling) : frequency;
        }
    }

    /// <summary>Fills the table for positions 0 to <paramref name="count"/> − 1.</summary>
    public void Ensure(int count)
    {
        if (count <= _positions)
        {
            return;
        }

        int half = _frequencies.Length;
        int positions = Math.Max(count, 2 * _positions);
        Array.Resize(ref _cosines, positions * half);
        Array.Resize(ref _sines, positions * half);
        for (int position = _positions; position < positions; position++)
        {
            for (int i = 0; i < half; i++)
            {
                (double sine, double cosine) = Math.SinCos(position * _frequencies[i]);
                _cosines[(position * half) + i] = (float)cosine;
                _sines[(position * half) + i] = (float)sine;
            }
        }

        _positions = positions;
    }

    /// <summary>Turns every head of a row in place; backwards (the transposed rotation) for gradients.</summary>
    public void Rotate(Span<float> heads, int position, bool backwards)
    {
        int half = _frequencies.Length;
        ReadOnlySpan<float> cosines = _cosines.AsSpan(position * half, half);
        ReadOnlySpan<float> sines = _sines.AsSpan(position * half, half);
        float sign = backwards ? -1 : 1;
        for (int head = 0; head < heads.Length; head += 2 * half)
        {
            Span<float> first = heads.Slice(head, half);
            Span<float> second = heads.Slice(head + half, half);
            for (int i = 0; i < half; i++)
            {
                float sine = sign * sines[i];
                (float a, float b) = (first[i], second[i]);
                first[i] = (a * cosines[i]) - (b * sine);
                second[i] = (b * cosines[i]) + (a * sine);
            }
        }
    }

    // Llama 3.1: slow frequencies are divided by the factor, fast ones kept, those between are blended.
    private static double Rescale(double frequency, Llama3RopeScaling scaling)
    {
        double turns = scaling.OriginalContextLength * frequency / (2 * Math.PI);
        double smooth = (turns - scaling.LowFrequencyFactor) / (scaling.HighFrequencyFactor - scaling.LowFrequencyFactor);
        smooth = Math.Clamp(smooth, 0, 1);
        return ((1 - smooth) * frequency / scaling.Factor) + (smooth * frequency);
    }
}
