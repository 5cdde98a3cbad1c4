namespace Aries.Managed;

/// <summary>Some rows of a batch whose sequences make one token tree.</summary>
/// <param name="Start">The place of the first in the batch.</param>
/// <param name="Count">The number of rows; 1 or more.</param>
/// <param name="TokenCount">The number of tokens of the tree.</param>
internal readonly record struct MicroBatch(int Start, int Count, int TokenCount);
