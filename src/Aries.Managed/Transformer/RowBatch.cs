using System.Runtime.InteropServices;

namespace Aries.Managed;

/// <summary>The rows (tokens) of one pass through a <see cref="Transformer"/>, and what each of them sees.</summary>
/// <remarks>
/// A row sees its segment's context whole, and of its own segment itself and the rows before it. A row's position is the number of tokens that it sees
/// before itself, so positions restart at a branch by themselves. A context may name slots that earlier segments of the same batch fill.
/// </remarks>
/// <threadsafety>Not thread-safe. May be cleared and filled again; it allocates only when it grows.</threadsafety>
internal sealed class RowBatch
{
    private int[] _tokens = [];
    private int[] _positions = [];
    private int[] _slots = [];
    private readonly List<RowSegment> _segments = [];
    private readonly List<SlotRange> _context = [];

    public int RowCount { get; private set; }

    /// <summary>Gets the token id of each row.</summary>
    public ReadOnlySpan<int> Tokens => _tokens.AsSpan(0, RowCount);

    /// <summary>Gets the position of each row, from 0.</summary>
    public ReadOnlySpan<int> Positions => _positions.AsSpan(0, RowCount);

    /// <summary>Gets the slot that receives each row's key and value.</summary>
    public ReadOnlySpan<int> Slots => _slots.AsSpan(0, RowCount);

    /// <summary>Gets the array behind <see cref="Tokens"/>, which may be longer.</summary>
    public int[] TokenArray => _tokens;

    /// <summary>Gets the array behind <see cref="Positions"/>, which may be longer.</summary>
    public int[] PositionArray => _positions;

    public IReadOnlyList<RowSegment> Segments => _segments;

    /// <summary>Gets the context ranges of all segments, each segment's own in the order of its sequence.</summary>
    public ReadOnlySpan<SlotRange> Context => CollectionsMarshal.AsSpan(_context);

    /// <summary>Gets one more than the highest slot that the batch reads or writes.</summary>
    public int SlotLimit { get; private set; }

    /// <summary>Gets whether row i has slot FirstSlot + i for every i.</summary>
    public bool SlotsAreConsecutive { get; private set; } = true;

    public void Clear()
    {
        RowCount = 0;
        _segments.Clear();
        _context.Clear();
        SlotLimit = 0;
        SlotsAreConsecutive = true;
    }

    /// <summary>Appends rows that continue a context.</summary>
    /// <param name="tokens">The token ids; at least one.</param>
    /// <param name="slotStart">The slot of the first row; the others take the slots after it.</param>
    /// <param name="context">What all the rows see, in the order of the sequence; empty at a sequence's beginning.</param>
    /// <returns>The index of the first row.</returns>
    /// <exception cref="ArgumentException"><paramref name="tokens"/> is empty, or a range is empty or negative.</exception>
    public int AddSegment(ReadOnlySpan<int> tokens, int slotStart, ReadOnlySpan<SlotRange> context)
    {
        if (tokens.IsEmpty)
        {
            throw new ArgumentException("A segment needs at least one token.", nameof(tokens));
        }

        ArgumentOutOfRangeException.ThrowIfNegative(slotStart);
        int contextLength = 0;
        foreach (SlotRange range in context)
        {
            if (range.Start < 0 || range.Count < 1)
            {
                throw new ArgumentException($"The context range {range} is empty or negative.", nameof(context));
            }

            contextLength += range.Count;
            SlotLimit = Math.Max(SlotLimit, range.Start + range.Count);
        }

        int rowStart = RowCount;
        SlotsAreConsecutive &= rowStart == 0 || _slots[rowStart - 1] + 1 == slotStart;
        SlotLimit = Math.Max(SlotLimit, slotStart + tokens.Length);
        _segments.Add(new RowSegment(rowStart, tokens.Length, slotStart, _context.Count, context.Length, contextLength));
        _context.AddRange(context);
        Reserve(rowStart + tokens.Length);
        tokens.CopyTo(_tokens.AsSpan(rowStart));
        for (int i = 0; i < tokens.Length; i++)
        {
            _positions[rowStart + i] = contextLength + i;
            _slots[rowStart + i] = slotStart + i;
        }

        RowCount += tokens.Length;
        return rowStart;
    }

    private void Reserve(int count)
    {
        if (_tokens.Length < count)
        {
            int length = Math.Max(count, 2 * _tokens.Length);
            Array.Resize(ref _tokens, length);
            Array.Resize(ref _positions, length);
            Array.Resize(ref _slots, length);
        }
    }
}
