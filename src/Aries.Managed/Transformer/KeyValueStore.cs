namespace Aries.Managed;

/// <summary>The keys (rotated) and values of every layer, a slot a token.</summary>
/// <threadsafety>Not thread-safe: one pass at a time writes it.</threadsafety>
internal sealed class KeyValueStore
{
    private readonly float[][] _keys;
    private readonly float[][] _values;

    /// <summary>Creates a store.</summary>
    /// <param name="config">The model's shape.</param>
    /// <param name="slotCount">The slots to begin with.</param>
    /// <param name="oneLayer">Whether all layers share the memory of one: enough for a pass whose rows see nothing that is not in its batch, and that no backward pass follows.</param>
    public KeyValueStore(LlamaConfig config, int slotCount = 0, bool oneLayer = false)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(slotCount);
        Width = config.KeyValueHeadCount * config.HeadSize;
        SlotCount = slotCount;
        _keys = Allocate(oneLayer ? 1 : config.LayerCount, slotCount * Width);
        _values = Allocate(_keys.Length, slotCount * Width);
    }

    /// <summary>Gets the number of floats that a slot has for keys, and for values, in a layer: heads × head size.</summary>
    public int Width { get; }

    public int SlotCount { get; private set; }

    /// <summary>Gets a layer's keys. Shape [SlotCount, Width].</summary>
    public float[] Keys(int layer) => _keys[layer % _keys.Length];

    /// <summary>Gets a layer's values. Shape [SlotCount, Width].</summary>
    public float[] Values(int layer) => _values[layer % _values.Length];

    /// <summary>Grows the store to hold at least so many slots; what it holds stays.</summary>
    public void EnsureSlots(int slotCount)
    {
        if (slotCount <= SlotCount)
        {
            return;
        }

        SlotCount = Math.Max(slotCount, SlotCount + (SlotCount / 2));
        for (int layer = 0; layer < _keys.Length; layer++)
        {
            Array.Resize(ref _keys[layer], checked(SlotCount * Width));
            Array.Resize(ref _values[layer], checked(SlotCount * Width));
        }
    }

    private static float[][] Allocate(int count, int length) => [.. Enumerable.Range(0, count).Select(_ => new float[length])];
}
