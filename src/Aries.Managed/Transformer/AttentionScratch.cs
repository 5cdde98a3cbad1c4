using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Aries.Managed;

/// <summary>A thread's own memory for one block of attention, kept from block to block.</summary>
/// <remarks>
/// Scores, weights and their gradients lie transposed, a row a key and a column a query, so that the softmax of neighbouring queries runs in the lanes of a vector and no product needs a factor
/// in another order than it lies in. Rows are filled up to whole vectors.
/// </remarks>
/// <threadsafety>Belongs to the thread that took it.</threadsafety>
internal sealed unsafe class AttentionScratch
{
    /// <summary>The keys of a tile.</summary>
    public const int TileKeys = 64;

    private const int Alignment = 64 / sizeof(float);

    [ThreadStatic]
    private static AttentionScratch? _ofThisThread;

    private float[] _memory = [];
    private float* _next;

    private AttentionScratch()
    {
    }

    /// <summary>Gets the queries' row of a key: their number, filled up, and off the powers of two, at which the rows would compete for the same places in the cache.</summary>
    public int Row { get; private set; }

    /// <summary>Gets the head size, filled up.</summary>
    public int Size { get; private set; }

    /// <summary>Gets the number of queries, filled up.</summary>
    public int Queries { get; private set; }

    /// <summary>Gets the scaled queries. Shape [Queries, Size].</summary>
    public float* Query { get; private set; }

    /// <summary>Gets the scaled queries. Shape [Size, Row].</summary>
    public float* QueryTransposed { get; private set; }

    /// <summary>Gets what the part in work comes to; in the backward pass its maxima are the log-sum-exps and its sums Σ weight·∂L/∂weight.</summary>
    public AttentionSums Part { get; private set; }

    /// <summary>Gets what the parts before come to.</summary>
    public AttentionSums Total { get; private set; }

    /// <summary>Gets the scores, then the weights. Shape [TileKeys, Row], or [queries of one head, TileKeys] where few rows are computed.</summary>
    public float* Scores { get; private set; }

    /// <summary>Gets the tile's keys. Shape [TileKeys, Size], or [Size, TileKeys] where few rows are computed.</summary>
    public float* Keys { get; private set; }

    /// <summary>Gets the tile's values. Shape [TileKeys, Size].</summary>
    public float* Values { get; private set; }

    /// <summary>Gets what each query's sums shrink by when its maximum grows. Shape [Row].</summary>
    public float* Shrinks { get; private set; }

    /// <summary>Gets ∂L/∂output. Shape [Queries, Size].</summary>
    public float* OutputGradient { get; private set; }

    /// <summary>Gets ∂L/∂output. Shape [Size, Row].</summary>
    public float* OutputGradientTransposed { get; private set; }

    /// <summary>Gets ∂L/∂weights, then ∂L/∂scores. Shape [TileKeys, Row].</summary>
    public float* ScoreGradient { get; private set; }

    /// <summary>Gets ∂L/∂query over the scale. Shape [Queries, Size].</summary>
    public float* QueryGradient { get; private set; }

    /// <summary>Gets a block's share of ∂L/∂key. Shape [TileKeys, Size].</summary>
    public float* KeyGradient { get; private set; }

    /// <summary>Gets a block's share of ∂L/∂value. Shape [TileKeys, Size].</summary>
    public float* ValueGradient { get; private set; }

    /// <summary>Takes this thread's memory for a block.</summary>
    /// <param name="queries">The number of queries.</param>
    /// <param name="size">The head size.</param>
    /// <param name="width">The values of a vector.</param>
    public static AttentionScratch Take(int queries, int size, int width)
    {
        AttentionScratch scratch = _ofThisThread ??= new AttentionScratch();
        scratch.Plan(queries, size, width);
        return scratch;
    }

    /// <summary>Adds the part in work to those before it, and begins the next one.</summary>
    public void EndPart(bool isFirst)
    {
        if (isFirst)
        {
            (Part, Total) = (Total, Part);
        }
        else
        {
            Total.Add(Part);
        }

        Part.Clear();
    }

    private void Plan(int queries, int size, int width)
    {
        (Queries, Size) = (RoundUp(queries, Math.Max(width, Lanes.Count)), RoundUp(size, width));
        Row = Queries + Alignment;
        int sums = AttentionSums.LengthFor(Queries, Size);
        int length = (2 * sums) + (3 * Queries * Size) + (2 * Size * Row) + (2 * TileKeys * Row) + (4 * TileKeys * Size) + Row + (16 * Alignment);
        if (_memory.Length < length)
        {
            _memory = GC.AllocateUninitializedArray<float>(length, pinned: true);
        }

        nuint address = (nuint)Unsafe.AsPointer(ref MemoryMarshal.GetArrayDataReference(_memory));
        _next = (float*)((address + 63) & ~(nuint)63);
        Query = Next(Queries * Size);
        QueryTransposed = Next(Size * Row);
        Part = new AttentionSums(Next(sums), Queries, Size);
        Total = new AttentionSums(Next(sums), Queries, Size);
        Scores = Next(TileKeys * Row);
        Keys = Next(TileKeys * Size);
        Values = Next(TileKeys * Size);
        Shrinks = Next(Row);
        OutputGradient = Next(Queries * Size);
        OutputGradientTransposed = Next(Size * Row);
        ScoreGradient = Next(TileKeys * Row);
        QueryGradient = Next(Queries * Size);
        KeyGradient = Next(TileKeys * Size);
        ValueGradient = Next(TileKeys * Size);
    }

    private float* Next(int length)
    {
        float* part = _next;
        _next += RoundUp(length, Alignment);
        return part;
    }

    private static int RoundUp(int value, int multiple) => (value + multiple - 1) / multiple * multiple;
}
