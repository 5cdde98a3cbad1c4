namespace Aries.Managed;

/// <summary>Consecutive slots of a <see cref="KeyValueStore"/>.</summary>
internal readonly record struct SlotRange(int Start, int Count);
