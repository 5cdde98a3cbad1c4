using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Aries.Managed;

/// <summary>The softmax of a tile's scores and its gradient: eight queries at a time where a row is a key, or eight keys of one query where a row is a query.</summary>
/// <remarks>A query's maximum and sum run over its own keys in their order, so they depend neither on the queries beside it nor on the vectors' width.</remarks>
/// <threadsafety>Every member may be called concurrently on memory that does not overlap.</threadsafety>
internal static unsafe class AttentionSoftmax
{
    /// <summary>Turns scores into weights exp(score − maximum), 0 where a query does not look, and brings maxima and sums up to date.</summary>
    /// <param name="tile">Who sees what.</param>
    /// <param name="scratch">The scores; receives the weights, and what the earlier tiles' sums shrink by.</param>
    public static void Soften(in AttentionTile tile, AttentionScratch scratch)
    {
        for (int column = tile.FirstQuery / Lanes.Count * Lanes.Count; column < scratch.Queries; column += Lanes.Count)
        {
            float* scores = scratch.Scores + column;
            int seen = tile.KeysOf(column + Lanes.Count - 1);
            Mask(tile, scores, scratch.Row, column, seen);
            Vector256<float> before = Vector256.Load(scratch.Part.Maxima + column);
            Vector256<float> maximum = Largest(before, scores, scratch.Row, seen);
            Vector256<float> shift = Shift(maximum);
            Vector256<float> sum = Exponentials(scores, scratch.Row, seen, shift);
            Clear(scores, scratch.Row, seen, tile.Count);
            Vector256<float> shrink = Lanes.Exp(before - shift);
            shrink.Store(scratch.Shrinks + column);
            maximum.Store(scratch.Part.Maxima + column);
            Lanes.MultiplyAdd(Vector256.Load(scratch.Part.Sums + column), shrink, sum).Store(scratch.Part.Sums + column);
        }
    }

    /// <summary>As <see cref="Soften"/>, of scores that lie a row a query: the same bits. The sums are left to the caller, and shrink by <see cref="AttentionScratch.Shrinks"/>.</summary>
    /// <param name="tile">Who sees what.</param>
    /// <param name="scores">The scores; receives the weights, 0 up to the next eight keys. Shape [queries, TileKeys].</param>
    /// <param name="maxima">The largest scores. Shape [queries].</param>
    /// <param name="shrinks">Receives what the earlier tiles' sums shrink by. Shape [queries].</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void SoftenRows(in AttentionTile tile, float* scores, float* maxima, float* shrinks)
    {
        int keys = (tile.Count + Lanes.Count - 1) / Lanes.Count * Lanes.Count;
        for (int query = tile.FirstQuery; query < tile.QueryCount; query++)
        {
            float* row = scores + (query * AttentionScratch.TileKeys);
            int seen = tile.KeysOf(query);
            new Span<float>(row + seen, keys - seen).Fill(float.NegativeInfinity);
            Vector256<float> largest = Vector256.Create(maxima[query]);
            for (int key = 0; key < keys; key += Lanes.Count)
            {
                largest = Vector256.MaxNative(Vector256.Load(row + key), largest);
            }

            Vector128<float> four = Vector128.MaxNative(largest.GetLower(), largest.GetUpper());
            Vector128<float> two = Vector128.MaxNative(four, Vector128.Shuffle(four, Vector128.Create(2, 3, 0, 1)));
            Vector256<float> maximum = Vector256.Create(float.MaxNative(two.ToScalar(), two.GetElement(1)));
            Vector256<float> shift = Shift(maximum);
            for (int key = 0; key < keys; key += Lanes.Count)
            {
                Lanes.Exp(Vector256.Load(row + key) - shift).Store(row + key);
            }

            shrinks[query] = Lanes.Exp(Vector256.Create(maxima[query]) - shift).ToScalar();
            maxima[query] = maximum.ToScalar();
        }
    }

    /// <summary>Turns scores into weights, and ∂L/∂weights into ∂L/∂scores = weight·(∂L/∂weight − Σ weight·∂L/∂weight); 0 where a query does not look.</summary>
    /// <param name="tile">Who sees what.</param>
    /// <param name="scratch">The scores and ∂L/∂weights; its maxima are the log-sum-exps and its sums Σ weight·∂L/∂weight.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Differentiate(in AttentionTile tile, AttentionScratch scratch)
    {
        for (int column = tile.FirstQuery / Lanes.Count * Lanes.Count; column < scratch.Queries; column += Lanes.Count)
        {
            float* scores = scratch.Scores + column;
            float* gradients = scratch.ScoreGradient + column;
            int seen = tile.KeysOf(column + Lanes.Count - 1);
            Mask(tile, scores, scratch.Row, column, seen);
            Vector256<float> logSumExp = Vector256.Load(scratch.Part.Maxima + column);
            Vector256<float> mean = Vector256.Load(scratch.Part.Sums + column);
            for (nint key = 0, place = 0; key < seen; key++, place += scratch.Row)
            {
                Vector256<float> weight = Lanes.Exp(Vector256.Load(scores + place) - logSumExp);
                weight.Store(scores + place);
                (weight * (Vector256.Load(gradients + place) - mean)).Store(gradients + place);
            }

            Clear(scores, scratch.Row, seen, tile.Count);
            Clear(gradients, scratch.Row, seen, tile.Count);
        }
    }

    // What scores are taken relative to: a query that has seen no key yet has no largest one, and −∞ − −∞ would be no number.
    private static Vector256<float> Shift(Vector256<float> maximum) =>
        Vector256.ConditionalSelect(Vector256.Equals(maximum, Vector256.Create(float.NegativeInfinity)), Vector256<float>.Zero, maximum);

    // Eight queries see different keys only along the diagonal: what one of them must not see becomes −∞.
    private static void Mask(in AttentionTile tile, float* scores, nint row, int column, int seen)
    {
        int all = Math.Max(0, tile.KeysOf(column));
        if (all >= seen)
        {
            return;
        }

        int* keys = stackalloc int[Lanes.Count];
        for (int lane = 0; lane < Lanes.Count; lane++)
        {
            keys[lane] = tile.KeysOf(column + lane);
        }

        Vector256<int> limits = Vector256.Load(keys);
        for (int key = all; key < seen; key++)
        {
            Vector256<float> visible = Vector256.GreaterThan(limits, Vector256.Create(key)).AsSingle();
            float* place = scores + (key * row);
            Vector256.ConditionalSelect(visible, Vector256.Load(place), Vector256.Create(float.NegativeInfinity)).Store(place);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static Vector256<float> Largest(Vector256<float> maximum, float* scores, nint row, int seen)
    {
        for (int key = 0; key < seen; key++, scores += row)
        {
            // A NaN that the comparison passes over comes back with the exponentials.
            maximum = Vector256.MaxNative(Vector256.Load(scores), maximum);
        }

        return maximum;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static Vector256<float> Exponentials(float* scores, nint row, int seen, Vector256<float> maximum)
    {
        Vector256<float> sum = Vector256<float>.Zero;
        for (int key = 0; key < seen; key++, scores += row)
        {
            Vector256<float> weight = Lanes.Exp(Vector256.Load(scores) - maximum);
            weight.Store(scores);
            sum += weight;
        }

        return sum;
    }

    private static void Clear(float* values, nint row, int from, int to)
    {
        for (int key = Math.Max(0, from); key < to; key++)
        {
            Vector256<float>.Zero.Store(values + (key * row));
        }
    }
}
