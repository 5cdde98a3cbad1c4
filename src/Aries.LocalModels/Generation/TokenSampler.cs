using System.Numerics.Tensors;

namespace Aries;

/// <summary>Draws a token from logits: repetition penalty, temperature, top-k, top-p, min-p, each applied to what the one before left.</summary>
/// <remarks>
/// No filter sorts the vocabulary. Top-k keeps a heap of k values; top-p drops the tokens that are too small to matter whatever comes before them,
/// and selects its cut among the rest by weighted quickselect, in linear time on average.
/// </remarks>
/// <threadsafety>Not thread-safe: it owns its scratch memory, and allocates only when the vocabulary or k grows.</threadsafety>
internal sealed class TokenSampler
{
    private float[] _weights = [];
    private float[] _heap = [];
    private ulong[] _order = [];

    /// <summary>Draws a token.</summary>
    /// <param name="logits">The policy's logits. Shape [V]. No NaN, no +∞, at least one finite.</param>
    /// <param name="seen">Distinct ids that the repetition penalty applies to.</param>
    /// <param name="options">Valid options.</param>
    /// <param name="uniform">The draw, in [0, 1); not looked at when greedy.</param>
    /// <returns>
    /// The most probable token when greedy (the lowest id among equals), else the first id, in ascending order, whose cumulated probability exceeds the draw.
    /// </returns>
    public int Sample(ReadOnlySpan<float> logits, ReadOnlySpan<int> seen, SamplingOptions options, double uniform)
    {
        if (options.IsGreedy)
        {
            return options.RepetitionPenalty == 1 ? TensorPrimitives.IndexOfMax(logits) : TensorPrimitives.IndexOfMax(Penalise(logits, seen, options.RepetitionPenalty));
        }

        return Pick(Filter(logits, seen, options), uniform);
    }

    /// <summary>Computes the distribution that is drawn from.</summary>
    /// <returns>A weight for each token, in proportion to its probability; the largest is 1 but for rounding, a dropped token has 0. Shape [V]; valid until the next call.</returns>
    public ReadOnlySpan<float> Filter(ReadOnlySpan<float> logits, ReadOnlySpan<int> seen, SamplingOptions options)
    {
        Span<float> weights = Penalise(logits, seen, options.RepetitionPenalty);

        // Top-k compares before the division by the temperature, which keeps the order but may round two neighbours to equals.
        if (options.TopK > 0 && options.TopK < weights.Length)
        {
            DropBelow(weights, KthLargest(weights, options.TopK), float.NegativeInfinity);
        }

        // The maximum is subtracted first: then no temperature, however small, makes anything but −∞ of the rest.
        TensorPrimitives.Subtract(weights, TensorPrimitives.Max(weights), weights);
        TensorPrimitives.Divide(weights, options.Temperature, weights);
        TensorPrimitives.Exp(weights, weights);
        if (options.TopP < 1)
        {
            KeepNucleus(weights, options.TopP);
        }

        // The vectorised exponential of 0 may be a little more than 1, and MinP = 1 must still keep the largest.
        if (options.MinP > 0)
        {
            DropBelow(weights, options.MinP * TensorPrimitives.Max(weights), 0);
        }

        return weights;
    }

    /// <summary>Returns the first token whose cumulated share exceeds the draw.</summary>
    public static int Pick(ReadOnlySpan<float> weights, double uniform)
    {
        double total = 0;
        foreach (float weight in weights)
        {
            total += weight;
        }

        double target = uniform * total;
        double sum = 0;
        int last = 0;
        for (int id = 0; id < weights.Length; id++)
        {
            if (weights[id] > 0)
            {
                sum += weights[id];
                last = id;
                if (sum > target)
                {
                    break;
                }
            }
        }

        return last;
    }

    /// <summary>Returns log π(token) under the policy's own distribution, in nats.</summary>
    /// <param name="logits">The policy's logits. Shape [V].</param>
    /// <param name="token">The id.</param>
    public float LogProbability(ReadOnlySpan<float> logits, int token)
    {
        Span<float> weights = Scratch(logits.Length);
        float largest = TensorPrimitives.Max(logits);
        TensorPrimitives.Subtract(logits, largest, weights);
        TensorPrimitives.Exp(weights, weights);
        double sum = 0;
        foreach (float weight in weights)
        {
            sum += weight;
        }

        // Rounding may leave a certain token a hair above 0.
        return Math.Min(0, (float)((double)logits[token] - largest - Math.Log(sum)));
    }

    private Span<float> Scratch(int length)
    {
        if (_weights.Length < length)
        {
            _weights = new float[length];
        }

        return _weights.AsSpan(0, length);
    }

    private Span<float> Penalise(ReadOnlySpan<float> logits, ReadOnlySpan<int> seen, float penalty)
    {
        Span<float> values = Scratch(logits.Length);
        logits.CopyTo(values);
        if (penalty != 1)
        {
            foreach (int id in seen)
            {
                // Clamped: a penalty near 0 must not make an infinity that turns the softmax into NaN.
                float value = values[id] > 0 ? values[id] / penalty : values[id] * penalty;
                values[id] = float.IsInfinity(logits[id]) ? logits[id] : Math.Clamp(value, -float.MaxValue, float.MaxValue);
            }
        }

        return values;
    }

    private static void DropBelow(Span<float> values, float threshold, float replacement)
    {
        for (int i = 0; i < values.Length; i++)
        {
            if (values[i] < threshold)
            {
                values[i] = replacement;
            }
        }
    }

    /// <summary>Returns the value that k − 1 others are not smaller than, by a heap of the k largest so far.</summary>
    private float KthLargest(ReadOnlySpan<float> values, int k)
    {
        if (_heap.Length < k)
        {
            _heap = new float[k];
        }

        Span<float> heap = _heap.AsSpan(0, k);
        values[..k].CopyTo(heap);
        for (int parent = (k / 2) - 1; parent >= 0; parent--)
        {
            SiftDown(heap, parent);
        }

        for (int i = k; i < values.Length; i++)
        {
            if (values[i] > heap[0])
            {
                heap[0] = values[i];
                SiftDown(heap, 0);
            }
        }

        return heap[0];
    }

    private static void SiftDown(Span<float> heap, int parent)
    {
        float value = heap[parent];
        for (int child = (2 * parent) + 1; child < heap.Length; child = (2 * parent) + 1)
        {
            if (child + 1 < heap.Length && heap[child + 1] < heap[child])
            {
                child++;
            }

            if (!(heap[child] < value))
            {
                break;
            }

            heap[parent] = heap[child];
            parent = child;
        }

        heap[parent] = value;
    }

    /// <summary>Keeps a token when the mass strictly before it, in descending order with the lower id first among equals, is less than the nucleus.</summary>
    private void KeepNucleus(Span<float> weights, float nucleus)
    {
        double total = 0;
        int positive = 0;
        foreach (float weight in weights)
        {
            total += weight;
            positive += weight > 0 ? 1 : 0;
        }

        // A token below (1 − p) · total ÷ n has at most that much times n after and including itself, hence at least p · total before itself: it is out.
        double floor = (1 - (double)nucleus) * total / positive * (1 - 1e-9);
        if (_order.Length < weights.Length)
        {
            _order = new ulong[weights.Length];
        }

        int count = 0;
        for (int id = 0; id < weights.Length; id++)
        {
            if (weights[id] > 0 && weights[id] >= floor)
            {
                _order[count++] = Key(weights[id], id);
            }
        }

        ulong cut = NucleusCut(_order.AsSpan(0, count), nucleus * total);
        for (int id = 0; id < weights.Length; id++)
        {
            if (Key(weights[id], id) > cut)
            {
                weights[id] = 0;
            }
        }
    }

    /// <summary>Returns the first key, in ascending order, at which the cumulated weight reaches the target; the last key where none does.</summary>
    private static ulong NucleusCut(Span<ulong> keys, double target)
    {
        double before = 0;
        while (keys.Length > 1)
        {
            ulong pivot = MedianOfThree(keys[0], keys[keys.Length / 2], keys[^1]);
            int boundary = 0;
            double mass = 0;
            for (int i = 0; i < keys.Length; i++)
            {
                ulong key = keys[i];
                if (key < pivot)
                {
                    (keys[i], keys[boundary]) = (keys[boundary], key);
                    boundary++;
                    mass += Weight(key);
                }
            }

            if (boundary > 0 && before + mass >= target)
            {
                keys = keys[..boundary];
                continue;
            }

            // Not reached below the pivot: the pivot itself, or beyond it.
            before += mass;
            keys = keys[boundary..];
            int at = keys.IndexOf(pivot);
            (keys[0], keys[at]) = (keys[at], keys[0]);
            before += Weight(pivot);
            if (before >= target || keys.Length == 1)
            {
                return pivot;
            }

            keys = keys[1..];
        }

        return keys[0];
    }

    private static ulong MedianOfThree(ulong a, ulong b, ulong c) => Math.Max(Math.Min(a, b), Math.Min(Math.Max(a, b), c));

    /// <summary>Packs a weight and an id so that ascending keys are descending weights, lower ids first. Bits of non-negative floats order as they do.</summary>
    private static ulong Key(float weight, int id) => ((ulong)(uint.MaxValue - BitConverter.SingleToUInt32Bits(weight)) << 32) | (uint)id;

    private static float Weight(ulong key) => BitConverter.UInt32BitsToSingle(uint.MaxValue - (uint)(key >> 32));
}
