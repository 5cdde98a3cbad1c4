using System.Buffers;
using System.Runtime.InteropServices;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace Aries.OnnxRuntime;

/// <summary>The keys and values of some sequences, in one buffer a layer that a graph reads as past and writes as present, so that nothing is copied from step to step.</summary>
/// <remarks>Shape of a buffer: [slots, heads, length, headSize]. The slots of a run of neighbours are a batch.</remarks>
/// <threadsafety>Not thread-safe.</threadsafety>
internal sealed unsafe class KeyValueCache : IDisposable
{
    private const int Alignment = 64;

    private readonly GenAIConfig _config;
    private readonly TensorElementType _type;
    private readonly int _elementBytes;
    private readonly nint[] _buffers;

    public KeyValueCache(GenAIConfig config, TensorElementType type, int slotCount, int length)
    {
        (_config, _type, SlotCount, Length) = (config, type, slotCount, length);
        _elementBytes = type == TensorElementType.Float ? sizeof(float) : sizeof(ushort);
        _buffers = new nint[2 * config.LayerCount];
        for (int index = 0; index < _buffers.Length; index++)
        {
            // Zeros: what a masked place holds is multiplied by 0, and 0 · NaN would be NaN.
            nuint bytes = (nuint)(SlotBytes * slotCount);
            void* buffer = NativeMemory.AlignedAlloc(bytes, Alignment);
            NativeMemory.Clear(buffer, bytes);
            _buffers[index] = (nint)buffer;
        }
    }

    public int SlotCount { get; }

    /// <summary>Gets how many tokens a slot holds.</summary>
    public int Length { get; }

    private long HeadBytes => (long)Length * _config.HeadSize * _elementBytes;

    private long SlotBytes => HeadBytes * _config.KeyValueHeadCount;

    /// <summary>Makes values that show some neighbouring slots to ONNX Runtime: keys and values of each layer in turn. They must be disposed before the cache.</summary>
    public OrtValue[] View(int firstSlot, int count)
    {
        long[] shape = [count, _config.KeyValueHeadCount, Length, _config.HeadSize];
        return
        [
            .. _buffers.Select(buffer => OrtValue.CreateTensorValueWithData(
                OrtMemoryInfo.DefaultInstance, _type, shape, (nint)((byte*)buffer + (firstSlot * SlotBytes)), count * SlotBytes)),
        ];
    }

    /// <summary>Copies the first tokens of a slot to another.</summary>
    public void Copy(int source, int target, int tokens)
    {
        long bytes = (long)tokens * _config.HeadSize * _elementBytes;
        foreach (nint buffer in _buffers)
        {
            for (int head = 0; head < _config.KeyValueHeadCount; head++)
            {
                byte* from = (byte*)buffer + (source * SlotBytes) + (head * HeadBytes);
                byte* to = (byte*)buffer + (target * SlotBytes) + (head * HeadBytes);
                Buffer.MemoryCopy(from, to, bytes, bytes);
            }
        }
    }

    /// <summary>Exchanges the first tokens of two slots.</summary>
    public void Swap(int first, int second, int tokens)
    {
        int bytes = tokens * _config.HeadSize * _elementBytes;
        byte[] rented = ArrayPool<byte>.Shared.Rent(bytes);
        Span<byte> spare = rented.AsSpan(0, bytes);
        foreach (nint buffer in _buffers)
        {
            for (int head = 0; head < _config.KeyValueHeadCount; head++)
            {
                Span<byte> one = new((byte*)buffer + (first * SlotBytes) + (head * HeadBytes), bytes);
                Span<byte> other = new((byte*)buffer + (second * SlotBytes) + (head * HeadBytes), bytes);
                one.CopyTo(spare);
                other.CopyTo(one);
                spare.CopyTo(other);
            }
        }

        ArrayPool<byte>.Shared.Return(rented);
    }

    /// <summary>Takes over the first tokens of each slot from another cache.</summary>
    /// <param name="source">A cache of the same model, not larger than this one.</param>
    /// <param name="tokens">How many tokens of each slot.</param>
    public void CopyFrom(KeyValueCache source, IReadOnlyList<int> tokens)
    {
        for (int slot = 0; slot < tokens.Count; slot++)
        {
            for (int index = 0; index < _buffers.Length; index++)
            {
                for (int head = 0; head < _config.KeyValueHeadCount; head++)
                {
                    byte* from = (byte*)source._buffers[index] + (slot * source.SlotBytes) + (head * source.HeadBytes);
                    byte* to = (byte*)_buffers[index] + (slot * SlotBytes) + (head * HeadBytes);
                    new Span<byte>(from, tokens[slot] * _config.HeadSize * _elementBytes).CopyTo(new Span<byte>(to, (int)HeadBytes));
                }
            }
        }
    }

    public void Dispose()
    {
        for (int index = 0; index < _buffers.Length; index++)
        {
            NativeMemory.AlignedFree((void*)_buffers[index]);
            _buffers[index] = 0;
        }
    }
}
