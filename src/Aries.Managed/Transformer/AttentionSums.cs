using System.Runtime.Intrinsics;

namespace Aries.Managed;

/// <summary>What the attention of some queries to some of their keys comes to: Σ weight·value and Σ weight, with weights relative to the largest score.</summary>
/// <remarks>Parts of a sequence are added in their order, so which thread computed a part, and whether another one did, cannot be seen in the result.</remarks>
/// <param name="memory">Memory of <see cref="LengthFor"/> values.</param>
/// <param name="queries">The number of queries; a multiple of <see cref="Lanes.Count"/>.</param>
/// <param name="size">The values of an output.</param>
internal readonly unsafe struct AttentionSums(float* memory, int queries, int size)
{
    /// <summary>Gets Σ weight·value. Shape [queries, size].</summary>
    public float* Output { get; } = memory;

    /// <summary>Gets the largest score; −∞ where a query saw no key. Shape [queries].</summary>
    public float* Maxima { get; } = memory + (queries * size);

    /// <summary>Gets Σ weight. Shape [queries].</summary>
    public float* Sums { get; } = memory + (queries * size) + queries;

    /// <summary>Returns the number of values that the sums of some queries take.</summary>
    public static int LengthFor(int queries, int size) => queries * (size + 2);

    /// <summary>Begins anew; the outputs are left for the first tile to write.</summary>
    public void Clear()
    {
        new Span<float>(Maxima, queries).Fill(float.NegativeInfinity);
        new Span<float>(Sums, queries).Clear();
    }

    /// <summary>Adds what the queries' attention to the keys after these comes to: M = max(M₁, M₂), and each sum is S₁·exp(M₁ − M) + S₂·exp(M₂ − M).</summary>
    public void Add(in AttentionSums later)
    {
        float* keep = stackalloc float[2 * Lanes.Count];
        float* gain = keep + Lanes.Count;
        for (int first = 0; first < queries; first += Lanes.Count)
        {
            Vector256<float> before = Vector256.Load(Maxima + first);
            Vector256<float> after = Vector256.Load(later.Maxima + first);
            Vector256<float> maximum = Vector256.Max(before, after);
            Vector256<float> kept = Lanes.Exp(before - maximum);
            Vector256<float> gained = Lanes.Exp(after - maximum);
            Lanes.MultiplyAdd(Vector256.Load(Sums + first), kept, Vector256.Load(later.Sums + first) * gained).Store(Sums + first);
            maximum.Store(Maxima + first);
            kept.Store(keep);
            gained.Store(gain);
            for (int query = first; query < first + Lanes.Count; query++)
            {
                // A query that saw none of the later keys has no output there.
                if (!float.IsNegativeInfinity(later.Maxima[query]))
                {
                    Add(Output + (query * size), later.Output + (query * size), keep[query - first], gain[query - first]);
                }
            }
        }
    }

    private void Add(float* output, float* later, float keep, float gain)
    {
        Span<float> target = new(output, size);
        ReadOnlySpan<float> source = new(later, size);
        Vector256<float> kept = Vector256.Create(keep);
        Vector256<float> gained = Vector256.Create(gain);
        for (int index = 0; index < size; index += Lanes.Count)
        {
            Lanes.Store(Lanes.MultiplyAdd(Lanes.Load(target, index), kept, Lanes.Load(source, index) * gained), target, index);
        }
    }
}
