using System.Numerics.Tensors;
using System.Runtime.InteropServices;

namespace Aries.OnnxRuntimeGenAI;

/// <summary>Logits that the native library has copied out, until they are disposed.</summary>
/// <threadsafety>Not thread-safe.</threadsafety>
internal unsafe ref struct OgaLogits : IDisposable
{
    public const int Float32 = 1;

    // The numbers are those of ONNX's tensor types.
    private const int Float16 = 10;
    private const int BFloat16 = 16;

    private readonly OgaApi _api;
    private readonly int _vocabularySize;
    private readonly void* _data;
    private readonly int _type;
    private nint _tensor;

    /// <summary>Takes a tensor over. Shape […, V].</summary>
    /// <exception cref="OgaException">It is no tensor of logits.</exception>
    public OgaLogits(OgaApi api, nint tensor, int vocabularySize)
    {
        (_api, _tensor, _vocabularySize) = (api, tensor, vocabularySize);
        try
        {
            int type;
            nuint rank;
            void* data;
            api.Check(api.TensorGetType(tensor, &type));
            api.Check(api.TensorGetShapeRank(tensor, &rank));
            long* shape = stackalloc long[8];
            if (type is not (Float32 or Float16 or BFloat16) || rank is < 2 or > 8)
            {
                throw new OgaException($"The logits are of type {type} and rank {rank}, which is neither float32, float16 nor bfloat16 of [batch, tokens, vocabulary].");
            }

            api.Check(api.TensorGetShape(tensor, shape, rank));
            api.Check(api.TensorGetData(tensor, &data));
            long rows = 1;
            for (nuint axis = 0; axis < rank - 1; axis++)
            {
                rows *= shape[axis];
            }

            if (shape[rank - 1] != vocabularySize || rows is < 1 or > int.MaxValue)
            {
                throw new OgaException($"The logits have {rows} rows of {shape[rank - 1]} values, but vocab_size is {vocabularySize}.");
            }

            RowCount = (int)rows;
            _type = type;
            _data = data;
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public readonly int RowCount { get; }

    /// <summary>Returns a row. Shape [V].</summary>
    /// <param name="index">The row, below <see cref="RowCount"/>.</param>
    /// <param name="scratch">Room for V values, written where the logits are not float32.</param>
    public readonly ReadOnlySpan<float> Row(int index, Span<float> scratch)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)index, (uint)RowCount);
        long start = (long)index * _vocabularySize;
        if (_type == Float32)
        {
            return new ReadOnlySpan<float>((float*)_data + start, _vocabularySize);
        }

        scratch = scratch[.._vocabularySize];
        ReadOnlySpan<ushort> halves = new((ushort*)_data + start, _vocabularySize);
        if (_type == Float16)
        {
            TensorPrimitives.ConvertToSingle(MemoryMarshal.Cast<ushort, Half>(halves), scratch);
        }
        else
        {
            for (int index16 = 0; index16 < halves.Length; index16++)
            {
                scratch[index16] = BFloat16Bits.ToSingle(halves[index16]);
            }
        }

        return scratch;
    }

    public void Dispose()
    {
        if (_tensor != 0)
        {
            _api.DestroyTensor(_tensor);
            _tensor = 0;
        }
    }
}
