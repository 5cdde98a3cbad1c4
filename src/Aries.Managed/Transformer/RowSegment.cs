namespace Aries.Managed;

/// <summary>Consecutive rows of a <see cref="RowBatch"/> that continue the same context, one after another.</summary>
/// <param name="RowStart">The first row.</param>
/// <param name="RowCount">The number of rows; 1 or more.</param>
/// <param name="SlotStart">The slot of the first row; the others follow it.</param>
/// <param name="ContextStart">The index of the first of its context's ranges in <see cref="RowBatch.Context"/>.</param>
/// <param name="ContextRangeCount">The number of ranges.</param>
/// <param name="ContextLength">The number of slots in all those ranges: the position of the first row.</param>
internal readonly record struct RowSegment(int RowStart, int RowCount, int SlotStart, int ContextStart, int ContextRangeCount, int ContextLength)
{
    /// <summary>Gets the number of tokens from the beginning of the sequence to the end of this segment.</summary>
    public int PathLength => ContextLength + RowCount;
}
