namespace Aries.Managed;

/// <summary>y = x·Wᵀ, plus (alpha ÷ rank)·(x·Aᵀ)·Bᵀ where the projection has an adapter.</summary>
internal readonly struct Projection(Parameter weight, LoraPair? adapter, float adapterScale)
{
    public Parameter Weight { get; } = weight;

    public LoraPair? Adapter { get; } = adapter;

    public float AdapterScale { get; } = adapterScale;

    /// <summary>Computes y, or adds it to what <paramref name="output"/> holds.</summary>
    /// <param name="input">Shape [rows, in].</param>
    /// <param name="output">Shape [rows, out].</param>
    /// <param name="accumulate">Whether to add.</param>
    /// <param name="low">Room for [rows, rank] floats.</param>
    /// <param name="pool">The threads.</param>
    public void Forward(Matrix input, Matrix output, bool accumulate, ref float[] low, WorkerPool pool)
    {
        MatrixProduct.TimesTransposed(input, Weight, output, accumulate, pool);
        if (Adapter is not null)
        {
            MatrixProduct.TimesTransposed(ScaledLow(input, ref low, pool), Adapter.B, output, accumulate: true, pool);
        }
    }

    // (alpha ÷ rank)·x·Aᵀ. Shape [rows, rank].
    private Matrix ScaledLow(Matrix input, ref float[] low, WorkerPool pool)
    {
        int rank = Adapter!.A.Rows;
        Matrix result = new(Buffers.Ensure(ref low, input.Rows * rank), input.Rows, rank);
        MatrixProduct.TimesTransposed(input, Adapter.A, result, accumulate: false, pool);
        Span<float> values = low.AsSpan(0, input.Rows * rank);
        System.Numerics.Tensors.TensorPrimitives.Multiply(values, AdapterScale, values);
        return result;
    }
}
